//! The image: the same in every process that runs it.

use procession_os::image::{Identity, anchor, contains, identity};

use crate::roles;
use crate::support::{Watchdog, receive, start};

fn address_of(function: extern "C" fn()) -> usize {
    function as *const () as usize
}

#[test]
fn the_code_of_this_image_is_in_it_and_nothing_else_is() {
    assert!(contains(address_of(roles::play)));
    assert!(contains(Identity::as_bytes as *const () as usize));
    assert!(!contains(libc::malloc as *const () as usize), "a library");
    assert!(!contains(anchor()), "data");
    assert!(!contains((&raw const *Box::new(0_u8)).addr()), "the heap");
    assert!(!contains(0));
    assert!(!contains(usize::MAX));
}

#[test]
fn a_child_has_the_same_image_and_the_same_code_at_the_same_distance() {
    let _watchdog = Watchdog::start();
    let offset = address_of(roles::play).wrapping_sub(anchor());
    for _ in 0..2 {
        let (_child, control) = start("describe image");
        let (message, _) = receive(&control);
        let (theirs, their_offset) = message.split_at(32);
        let theirs = Identity::from_bytes(theirs.try_into().expect("32 bytes"));
        assert_eq!(&theirs, identity());
        assert_eq!(their_offset, offset.to_ne_bytes());
    }
}

#[test]
fn the_identity_is_known_and_stays() {
    assert_eq!(identity(), identity());
    assert_ne!(identity().as_bytes()[0], 0, "it is not unknown");
}
