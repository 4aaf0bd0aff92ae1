//! The image as the dynamic loader describes it.

use std::ffi::{CStr, OsStr, c_int, c_void};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;
use std::{ptr, slice};

use libc::{dl_phdr_info, size_t};

use super::notes;
use crate::image::Image;

#[cfg(target_pointer_width = "64")]
type ProgramHeader = libc::Elf64_Phdr;
#[cfg(target_pointer_width = "32")]
type ProgramHeader = libc::Elf32_Phdr;

/// Describes the image that holds `address`.
pub(crate) fn image_of(address: usize) -> Option<Image> {
    let mut search = Search { address, found: None };
    // SAFETY: `visit` has the signature that the call wants, and the data pointer is to the
    // `Search` that `visit` expects, which outlives the call and is not touched during it.
    unsafe { libc::dl_iterate_phdr(Some(visit), ptr::from_mut(&mut search).cast()) };
    search.found
}

struct Search {
    address: usize,
    found: Option<Image>,
}

/// Called for one image after the other until it gives something else than 0. The loader unloads
/// nothing meanwhile.
///
/// # Safety
///
/// `info` must be what `dl_iterate_phdr` passes, and `search` must point to a `Search` that nobody
/// else uses during the call.
unsafe extern "C" fn visit(info: *mut dl_phdr_info, _bytes: size_t, search: *mut c_void) -> c_int {
    // SAFETY: the loader passes a description that is valid during this call.
    let info = unsafe { &*info };
    // SAFETY: the caller passes a `Search` that is ours during this call.
    let search = unsafe { &mut *search.cast::<Search>() };
    let loaded = Loaded { info, headers: headers_of(info) };
    if !loaded.segments(libc::PF_R).any(|segment| segment.contains(&search.address)) {
        return 0;
    }
    search.found = Some(Image {
        build_id: loaded.build_id(),
        code: loaded.segments(libc::PF_X).collect(),
        file: loaded.file(),
    });
    1
}

/// The program headers of an image, which say what is mapped where.
fn headers_of(info: &dl_phdr_info) -> &[ProgramHeader] {
    if info.dlpi_phdr.is_null() {
        return &[];
    }
    // SAFETY: the loader gives the address and the count of the headers, which are in memory, and
    // stay there unchanged for as long as the description is valid.
    unsafe { slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) }
}

/// An image that is mapped while this value lives.
struct Loaded<'a> {
    info: &'a dl_phdr_info,
    headers: &'a [ProgramHeader],
}

impl Loaded<'_> {
    /// The addresses of the loaded segments that have all of the given permissions.
    fn segments(&self, permissions: u32) -> impl Iterator<Item = Range<usize>> {
        self.headers
            .iter()
            .filter(move |header| {
                header.p_type == libc::PT_LOAD && header.p_flags & permissions == permissions
            })
            .map(|header| self.range(header))
    }

    fn range(&self, header: &ProgramHeader) -> Range<usize> {
        // The base and the segment's address may each be relative to the other.
        let start = (self.info.dlpi_addr as usize).wrapping_add(header.p_vaddr as usize);
        start..start.saturating_add(header.p_memsz as usize)
    }

    fn build_id(&self) -> Option<Vec<u8>> {
        self.headers
            .iter()
            .filter(|header| header.p_type == libc::PT_NOTE)
            .find_map(|header| notes::build_id(self.read_only(header)?, header.p_align as usize))
    }

    /// The contents of a segment, if they are in memory that is only read.
    fn read_only(&self, header: &ProgramHeader) -> Option<&[u8]> {
        let range = self.range(header);
        let is_read_only = self
            .headers
            .iter()
            .filter(|outer| outer.p_type == libc::PT_LOAD)
            .filter(|outer| outer.p_flags & (libc::PF_R | libc::PF_W) == libc::PF_R)
            .map(|outer| self.range(outer))
            .any(|outer| outer.start <= range.start && range.end <= outer.end);
        if !is_read_only || range.start == 0 {
            return None;
        }
        let start = ptr::with_exposed_provenance(range.start);
        // SAFETY: the range is not null and lies in one segment, which the loader has mapped for
        // reading and not for writing, so its bytes are there and nobody changes them; it stays
        // mapped while `self` lives.
        Some(unsafe { slice::from_raw_parts(start, range.len()) })
    }

    /// Where to read the image from. For the executable this is not its path, which may lead
    /// elsewhere by now.
    fn file(&self) -> PathBuf {
        // SAFETY: the call looks a number up and has no conditions.
        let executable_headers = unsafe { libc::getauxval(libc::AT_PHDR) };
        if self.info.dlpi_phdr.addr() == executable_headers as usize
            || self.info.dlpi_name.is_null()
        {
            return PathBuf::from("/proc/self/exe");
        }
        // SAFETY: the name is not null, so it is a string that ends in NUL, which stays unchanged
        // for as long as the description is valid.
        let name = unsafe { CStr::from_ptr(self.info.dlpi_name) };
        PathBuf::from(OsStr::from_bytes(name.to_bytes()))
    }
}
