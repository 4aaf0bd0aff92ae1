//! No wake-up is lost; nobody is called in vain.

#[cfg(loom)]
mod models;

use super::BellRequest;

#[test]
fn a_request_is_due_once_its_position_is_reached() {
    let word = BellRequest::At(10).to_word();
    assert_eq!(BellRequest::due(word, 9, 0), None);
    assert_eq!(BellRequest::due(word, 10, 0), Some(word));
    assert_eq!(BellRequest::due(word, 11, 0), Some(word));
    assert_eq!(BellRequest::due(word, 11, word), None, "answered already");
    assert_eq!(BellRequest::due(BellRequest::At(12).to_word(), 12, word).map(|_| ()), Some(()));
}

#[test]
fn positions_of_requests_wrap() {
    let word = BellRequest::At(u32::MAX - 1).to_word();
    assert_eq!(BellRequest::due(word, u32::MAX - 2, 0), None);
    assert_eq!(BellRequest::due(word, 3, 0), Some(word), "past it, on the other side");
    let word = BellRequest::At(2).to_word();
    assert_eq!(BellRequest::due(word, u32::MAX, 0), None, "not there yet");
    assert_eq!(BellRequest::due(word, 2, 0), Some(word));
}

#[test]
fn never_and_always_are_what_they_say() {
    for position in [0, 7, u32::MAX] {
        assert_eq!(BellRequest::due(BellRequest::Never.to_word(), position, 0), None);
        assert_eq!(BellRequest::due(BellRequest::Always.to_word(), position, 0), Some(0));
    }
}
