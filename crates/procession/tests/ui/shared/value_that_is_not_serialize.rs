//! A value that is sent once is encoded, too.

use procession::Shared;

struct Table(Vec<u8>);

fn main() {
    let _ = Shared::new(Table(Vec::new()));
}
