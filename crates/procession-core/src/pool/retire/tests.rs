//! Chunks that are cut for a process that may not run all of them.

use super::super::slot::{Request, Span, Target};
use crate::task::{Batch, Chunk, Terms};
use std::sync::Arc;

/// Ten items of a map, some of which have had their time on a worker that is gone.
fn ten_items(overdue: &[u64]) -> Request {
    let batch = Arc::new(Batch::new(1, Terms::default(), None));
    let bytes = [1, 0, 0, 0, 9].repeat(10);
    let chunk = Chunk { first: 100, count: 10, bytes, attachments: Default::default() };
    Request::of_chunk(chunk, batch, 0, overdue)
}

fn span(request: &Request) -> &Span {
    match &request.target {
        Target::Chunk(span) => span,
        other => panic!("not a chunk: {other:?}"),
    }
}

/// An item that was given its outcome would be given another by whoever runs the rest.
#[test]
fn items_that_have_had_their_time_stay_so_in_both_parts_of_a_chunk_that_is_cut() {
    let mut request = ten_items(&[101, 103, 107]);
    let rest = request.split_off(4).expect("it has ten");
    assert_eq!((span(&request).first, span(&request).count), (100, 4));
    assert_eq!(span(&request).unsettled(), [(100, 1), (102, 1)]);
    assert_eq!((span(&rest).first, span(&rest).count), (104, 6));
    assert_eq!(span(&rest).unsettled(), [(104, 3), (108, 2)]);
}

#[test]
fn a_chunk_that_fits_is_not_cut() {
    let mut request = ten_items(&[101]);
    assert!(request.split_off(10).is_none());
    assert_eq!(span(&request).unsettled(), [(100, 1), (102, 8)]);
}
