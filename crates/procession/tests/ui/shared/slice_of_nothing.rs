//! Items without a size cannot be counted by their memory.

use procession::SharedSlice;

fn main() {
    let _ = SharedSlice::new(&[(), ()]);
}
