//! Running a function before `main`.

/// Has an `extern "C" fn()` called before `main`, on the thread that will run `main`.
///
/// To be used once, by the crate at the top of the stack. It works from within a library: the
/// function runs in every program that links that library, without the program's doing.
///
/// The function runs before Rust's runtime is set up. It may use `std`, but must not panic, and
/// the standard streams may be closed.
///
/// ```
/// use std::sync::atomic::{AtomicBool, Ordering};
///
/// static HAS_RUN: AtomicBool = AtomicBool::new(false);
///
/// extern "C" fn run() {
///     HAS_RUN.store(true, Ordering::Relaxed);
/// }
///
/// procession_os::before_main!(run);
///
/// fn main() {
///     assert!(HAS_RUN.load(Ordering::Relaxed));
/// }
/// ```
#[macro_export]
macro_rules! before_main {
    ($function:path) => {
        const _: () = {
            #[used]
            #[cfg_attr(
                all(unix, not(target_vendor = "apple")),
                unsafe(link_section = ".init_array")
            )]
            #[cfg_attr(target_vendor = "apple", unsafe(link_section = "__DATA,__mod_init_func"))]
            #[cfg_attr(windows, unsafe(link_section = ".CRT$XCU"))]
            static BEFORE_MAIN: extern "C" fn() = $function;
        };
    };
}
