//! A program whose `main` lacks `#[procession::main]`. With `parent` it calls `init` in the parent
//! alone, so that its children run `main` again.

use procession::Pool;

#[expect(clippy::print_stdout, reason = "the test reads it")]
fn main() {
    println!("main runs");
    let is_child = std::env::var_os("PROCESSION_WORKER").is_some();
    if std::env::args().nth(1).as_deref() == Some("parent") && !is_child {
        procession::init();
    }
    let result = Pool::new(2).and_then(|pool| pool.apply(|x: u32| x, (1,)));
    println!("{}", result.expect_err("children cannot work"));
}
