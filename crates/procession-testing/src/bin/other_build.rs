//! Another build than any test: a child started from it is refused.

use procession::Pool;

#[procession::main]
fn main() -> procession::Result<()> {
    assert_eq!(Pool::new(1)?.apply(|| 3, ())?, 3);
    Ok(())
}
