//! A task calls into C and crashes on some inputs; only those items fail.
#![expect(clippy::print_stdout, reason = "an example prints")]

use procession::Pool;
use std::ffi::{CString, c_char, c_int};

unsafe extern "C" {
    fn strchr(text: *const c_char, byte: c_int) -> *const c_char;
    fn strlen(text: *const c_char) -> usize;
}

/// The length of the value in `name=value`, as careless C code takes it: without a `=`, `strchr`
/// gives a null pointer, and `strlen` of null is a segmentation fault.
fn value_length(setting: String) -> usize {
    let setting = CString::new(setting).expect("a setting has no zero byte");
    // SAFETY: `setting` ends with a zero byte and outlives the pointer.
    let value = unsafe { strchr(setting.as_ptr(), c_int::from(b'=')) };
    // SAFETY: it is not: a null pointer gets here, and the process that runs this task dies of it.
    let length = unsafe { strlen(std::hint::black_box(value)) };
    length - 1
}

#[procession::main]
fn main() -> procession::Result<()> {
    let setting = |i: usize| {
        if i % 5 == 3 { format!("broken{i}") } else { format!("name={i}") }
    };
    let pool = Pool::new(2)?;
    let (mut measured, mut lost) = (0, 0);
    for (i, length) in pool.imap(value_length, (0..20).map(setting)).enumerate() {
        match length {
            Ok(length) => {
                assert_eq!(length, i.to_string().len());
                println!("{} has a value of {length} bytes", setting(i));
                measured += 1;
            }
            Err(error) => {
                assert!(error.is_worker_lost() && i % 5 == 3, "only the broken ones are lost");
                println!("{}: {error}", setting(i));
                lost += 1;
            }
        }
    }
    pool.close();
    pool.join()?;
    assert_eq!((measured, lost), (16, 4));
    println!("{measured} of 20 settings measured, {lost} lost.");
    Ok(())
}
