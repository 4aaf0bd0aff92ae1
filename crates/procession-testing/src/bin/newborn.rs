//! A program whose children, made by the start method in its argument, stop before they do anything. With
//! `none` before that they do not; then it says that it has its workers.

use procession::{Pool, StartMethod};
use procession_testing::send;
use std::io::Write;

extern "C" fn stop() {
    let is_child = std::env::var_os("PROCESSION_WORKER").is_some();
    if is_child && std::env::args().nth(1).as_deref() != Some("none") {
        send(std::process::id() as i32, libc::SIGSTOP);
    }
}

procession_os::before_main!(stop);

#[procession::main]
fn main() -> procession::Result<()> {
    let method = std::env::args().next_back().expect("a start method");
    let pool = Pool::builder().processes(2).start_method(method.parse::<StartMethod>()?).build()?;
    pool.map(|x: u64| x, 0..100)?;
    let mut stdout = std::io::stdout();
    stdout.write_all(b"ready\n").expect("the test listens");
    pool.apply(std::thread::park, ())
}
