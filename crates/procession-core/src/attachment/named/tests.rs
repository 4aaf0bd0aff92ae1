//! Names that are given up in every way.

use super::*;
use procession_ipc::roster::ROSTER_BYTES;

const TAG: u64 = 7;

fn memory() -> Arc<Attachment> {
    Attachment::create_commons(TAG, 64, Vec::new()).unwrap()
}

fn segment(attachment: &Attachment) -> &Segment {
    attachment.commons().unwrap().segment()
}

fn fresh(what: &str) -> String {
    format!("test-{}-core-{what}", std::process::id())
}

fn is_free(name: &str) -> bool {
    find(name, TAG).is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

#[test]
fn a_name_leads_to_the_memory_as_long_as_it_is_claimed() {
    let (name, memory) = (fresh("claimed"), memory());
    let claimed = claim(&name, &memory, ROSTER_BYTES).unwrap();
    segment(&memory).word32(ROSTER_BYTES + 8).store(5, Ordering::Relaxed);
    let found = find(&name, TAG).unwrap().expect("it is claimed");
    assert_eq!(segment(&found).word32(ROSTER_BYTES + 8).load(Ordering::Relaxed), 5);
    assert!(found.id() != memory.id() && found.tag() == TAG);
    assert!(Arc::ptr_eq(&claimed_here(memory.id()).unwrap(), &claimed));
    assert!(claimed_here(found.id()).is_none());
    let also = claim(&fresh("also"), &memory, ROSTER_BYTES).unwrap();
    drop(claimed);
    assert!(is_free(&name) && is_given_up(segment(&found), ROSTER_BYTES));
    drop(also);
}

#[test]
fn a_name_that_is_given_up_from_outside_is_freed_by_whoever_asks_or_wants_it() {
    let name = fresh("outside");
    for wants in [false, true, false, true] {
        let (first, second) = (memory(), memory());
        let claimed = claim(&name, &first, ROSTER_BYTES).unwrap();
        let refused = claim(&name, &second, ROSTER_BYTES).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
        // And ends before it can say so.
        assert!(give_up(segment(&first), ROSTER_BYTES));
        assert!(!give_up(segment(&first), ROSTER_BYTES));
        if wants {
            let again = claim(&name, &second, ROSTER_BYTES).unwrap();
            again.give_up();
            again.give_up();
        } else {
            remind(&name).unwrap();
        }
        assert!(is_free(&name));
        assert!(claimed_here(first.id()).is_none());
        drop(claimed);
    }
}
