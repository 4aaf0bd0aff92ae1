//! How things break: one function for each fault that is not in a value.

#![allow(unsafe_code)]

use crate::case::Fault;
use std::io::Write;

/// What a panic with text says.
pub(crate) const WORDS: &str = "struck";
/// Exit code of a worker that leaves as a program does.
pub(crate) const EXIT: i32 = 3;
/// Exit code of a worker that leaves at once.
pub(crate) const EXIT_NOW: i32 = 4;

/// What the workers of a pool may have where memory is to run out.
pub(crate) const MEMORY_LIMIT_BYTES: u64 = 48 << 20;
/// More than anybody who is limited can have.
const NO_LIMIT_MIB: usize = 1024;

/// Breaks in this process, in this thread. Returns where the fault lets it, and where it is one that
/// lies in a value.
pub(crate) fn strike(fault: Fault) {
    hush(fault);
    match fault {
        Fault::Exit => std::process::exit(EXIT),
        // SAFETY: the call takes a number and does not return.
        Fault::ExitNow => unsafe { libc::_exit(EXIT_NOW) },
        Fault::Abort => std::process::abort(),
        Fault::Kill => kill(),
        Fault::Segfault => segfault(),
        Fault::StackOverflow => overflow_the_stack(),
        Fault::OutOfMemory => use_up_memory(),
        Fault::Stop => stop(),
        Fault::EndlessLoop => loop {
            std::hint::spin_loop();
        },
        Fault::Panic => panic!("{WORDS}"),
        Fault::PanicWithoutText => std::panic::panic_any(7_u64),
        Fault::PanicWhoseDropPanics => std::panic::panic_any(PanicsAgain),
        Fault::CloseDescriptors => close_all(),
        Fault::Garbage => talk_nonsense(),
        Fault::ArgumentDrop
        | Fault::ResultDrop
        | Fault::EncodeResult
        | Fault::DecodeArgument
        | Fault::DecodeResult => {}
    }
}

fn kill() {
    procession_testing::send(std::process::id().cast_signed(), libc::SIGKILL);
    // It is on its way.
    loop {
        std::thread::park();
    }
}

/// Sent to this very thread, so that it does not get past the call. Whoever lets the process go on finds
/// one that does.
fn stop() {
    // SAFETY: the call takes a number.
    unsafe { libc::raise(libc::SIGSTOP) };
}

fn use_up_memory() {
    let mut taken = Vec::new();
    for _ in 0..NO_LIMIT_MIB {
        taken.push(vec![1_u8; 1 << 20]);
    }
    std::hint::black_box(&taken);
    panic!("there is no limit");
}

/// The lowest pages are never mapped; the address is aligned and not null, so that no check of the
/// language comes first.
fn segfault() {
    let nowhere = std::ptr::with_exposed_provenance_mut::<u64>(64);
    // SAFETY: not sound at all: nothing is mapped there, and the fault is the point.
    unsafe { nowhere.write_volatile(1) };
}

fn overflow_the_stack() {
    std::hint::black_box(sink(1));
}

fn sink(depth: u64) -> u64 {
    let frame = std::hint::black_box([depth; 64]);
    if depth == u64::MAX { 0 } else { sink(depth + 1) + frame[7] }
}

/// A payload that panics when it is dropped.
struct PanicsAgain;

impl Drop for PanicsAgain {
    fn drop(&mut self) {
        panic!("again");
    }
}

fn close_all() {
    // SAFETY: the call takes numbers. Whoever owns the descriptors finds them closed: the point.
    unsafe { libc::syscall(libc::SYS_close_range, 0, u32::MAX, 0) };
}

/// Written past the language's own buffers as well: whoever reads the streams must not be the library.
fn talk_nonsense() {
    // No text at all, so that it can be told from a report.
    let noise: Vec<u8> =
        (0..1000_u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect();
    // Nobody may be there to read it, which is not what is tested.
    let _ = std::io::stdout().write_all(&noise);
    let _ = std::io::stderr().write_all(&noise);
}

/// Has this process say nothing more, unless that is the fault: what a runtime says of its own end is
/// not for our readers.
pub(crate) fn hush(fault: Fault) {
    if fault == Fault::Garbage {
        return;
    }
    // SAFETY: the path is text that ends in a zero.
    let nothing = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_WRONLY) };
    // SAFETY: the call takes two numbers; a bad one is refused.
    unsafe { libc::dup2(nothing, 2) };
    // SAFETY: the descriptor was opened above, and nobody else knows of it.
    unsafe { libc::close(nothing) };
}
