//! Strings cannot lie in shared memory as they are.

use procession::SharedSlice;

fn main() {
    let words = SharedSlice::new(&["a".to_owned(), "b".to_owned()]);
}
