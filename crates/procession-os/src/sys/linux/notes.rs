//! The notes that a linker leaves in an ELF image.

/// The type of the note that holds the build id (`NT_GNU_BUILD_ID` in `elf.h`).
const BUILD_ID: u32 = 3;

/// The owner of that note.
const GNU: &[u8] = b"GNU\0";

/// Finds the build id in a segment of notes, which begin at multiples of `align`.
pub(super) fn build_id(mut notes: &[u8], align: usize) -> Option<Vec<u8>> {
    let align = if align == 8 { 8 } else { 4 };
    loop {
        let note = take_note(&mut notes, align)?;
        if note.kind == BUILD_ID && note.owner == GNU && !note.contents.is_empty() {
            return Some(note.contents.to_vec());
        }
    }
}

struct Note<'a> {
    kind: u32,
    owner: &'a [u8],
    contents: &'a [u8],
}

/// Takes one note off the front: three words, the owner's name and the contents, each of the latter
/// padded. Offsets count from the note's beginning, which is aligned itself.
fn take_note<'a>(notes: &mut &'a [u8], align: usize) -> Option<Note<'a>> {
    let whole = *notes;
    let &[owner_bytes, contents_bytes, kind] = whole.first_chunk::<12>()?.as_chunks::<4>().0 else {
        return None;
    };
    let owner_start = 12_usize;
    let owner_end = owner_start.checked_add(word(owner_bytes) as usize)?;
    let contents_start = owner_end.checked_next_multiple_of(align)?;
    let contents_end = contents_start.checked_add(word(contents_bytes) as usize)?;
    let note = Note {
        kind: word(kind),
        owner: whole.get(owner_start..owner_end)?,
        contents: whole.get(contents_start..contents_end)?,
    };
    let next = contents_end.checked_next_multiple_of(align)?;
    *notes = whole.get(next..).unwrap_or_default();
    Some(note)
}

fn word(bytes: [u8; 4]) -> u32 {
    u32::from_ne_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(kind: u32, owner: &[u8], contents: &[u8], align: usize) -> Vec<u8> {
        let mut note = Vec::new();
        for word in [owner.len() as u32, contents.len() as u32, kind] {
            note.extend(word.to_ne_bytes());
        }
        for part in [owner, contents] {
            note.extend(part);
            note.resize(note.len().next_multiple_of(align), 0);
        }
        note
    }

    #[test]
    fn the_build_id_is_found_behind_other_notes() {
        for align in [4, 8] {
            let notes = [
                note(5, GNU, b"property", align),
                note(BUILD_ID, b"stranger\0", b"not it", align),
                note(BUILD_ID, GNU, b"the build id", align),
            ];
            assert_eq!(
                build_id(&notes.concat(), align).as_deref(),
                Some(&b"the build id"[..]),
                "with an alignment of {align}"
            );
        }
    }

    #[test]
    fn there_may_be_no_build_id() {
        assert_eq!(build_id(&[], 4), None);
        assert_eq!(build_id(&note(1, GNU, b"abi", 4), 4), None);
        assert_eq!(build_id(&note(BUILD_ID, GNU, b"", 4), 4), None);
    }

    #[test]
    fn notes_cut_short_anywhere_are_no_notes() {
        let whole = note(BUILD_ID, GNU, b"the build id", 4);
        for bytes in 0..whole.len() {
            assert_eq!(build_id(&whole[..bytes], 4), None, "cut to {bytes} bytes");
        }
    }

    #[test]
    fn lengths_out_of_all_bounds_are_refused() {
        let mut notes = note(BUILD_ID, GNU, b"the build id", 4);
        notes[..8].fill(0xff);
        assert_eq!(build_id(&notes, 4), None);
    }
}
