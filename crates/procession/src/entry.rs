//! How a function becomes a code reference, and back. Its unsafe code is the facade's, but for a
//! promise of the program's own (`fork_guard`).
//!
//! A function item, and a closure that captures nothing, is known by its type alone: its value has
//! no bytes. So for each such type `F` with arguments `A` there is a function [`run::<F, A>`]
//! in the executable, compiled into it because the parent named it, and its address stands for the
//! call. Position-independent executables lie elsewhere in each process, so what crosses is the
//! distance from an anchor, a static of the same image. (A static, not a function: functions may be
//! duplicated or merged, and then the distance from one of them means nothing. That the *target*
//! may be merged with another is harmless: merged functions do the same.)
//!
//! # Why turning a distance back into a function is sound
//!
//! 1. The distance was made by [`code_of`] in a process whose image has a certain identity, and the
//!    function lay in that image (checked there: one in another shared library is refused).
//! 2. It is used only in a child that has the same identity: the child compares it with the parent's
//!    before it runs anything, and refuses otherwise. The same image has the same function at the
//!    same distance.
//! 3. Only the parent sends distances, over a segment that nobody else can write. A child trusts its
//!    parent: who starts a program decides what it does. The parent resolves only those that it made
//!    itself, to tell their names.
//! 4. As a last line, a distance that does not land in the image's executable segments is refused.
//!
//! # Why summoning the function's value is sound
//!
//! `F` has no bytes (refused at compile time otherwise), so any aligned pointer reads it. The type is
//! inhabited, because the parent was given a value of it; it is `Copy`, so one more of them can
//! exist, and `Send`, so one can exist on another thread, of which another process's is a stricter
//! kind.
//!
//! What no type can tell us: a closure may capture a value that has no bytes itself, and that value
//! may be some library's proof that something was done *in this process* (its tables filled, say).
//! Such a closure looks like one that captures nothing, and in the child the proof is void.
//! [`Target`]'s documentation tells the user; the compiler offers no way to refuse it.

#![allow(unsafe_code)]

use crate::args::Args;
use crate::codec::{self, CodecError};
use crate::forked;
use crate::manager::Method;
use crate::queue::Item;
use crate::target::{Returned, Target, assert_zero_sized};
use parking_lot::RwLock;
use procession_core::face::{CallError, Calls, Code, Face};
use procession_core::payload::{Input, Output};
use procession_core::{Error, Result};
use procession_os::image;
use std::any::{Any, type_name};
use std::ptr::NonNull;
use std::sync::Arc;

/// What every code reference leads to: decodes arguments, calls, encodes results.
type Entry = fn(Work<'_, '_, '_>) -> std::result::Result<(), CodecError>;

/// What a function is to be called for.
enum Work<'a, 'i, 'o> {
    /// One call, from bytes to bytes.
    One(&'a mut Input<'i>, &'a mut Output<'o>),
    /// The calls of a chunk.
    Each(&'a mut dyn Calls<'o>),
    /// None: only to tell the function's name.
    Name(&'a mut &'static str),
    /// One that makes an object.
    Make(&'a mut Input<'i>, &'a mut Option<Arc<dyn Object>>),
    /// One on an object.
    Method(&'a dyn Object, &'a mut Input<'i>, &'a mut Output<'o>),
}

/// An object of a manager.
pub(crate) trait Object: Any + Send + Sync {}

impl<T: Send + Sync + 'static> Object for RwLock<T> {}

/// Runs the functions of this program's image.
#[derive(Debug)]
pub(crate) struct RustFace;

/// The face that every process of the program installs.
pub(crate) static FACE: RustFace = RustFace;

impl Face for RustFace {
    fn call(
        &self,
        code: Code,
        input: &mut Input<'_>,
        output: &mut Output<'_>,
    ) -> std::result::Result<(), CallError> {
        Ok(resolve(code)?(Work::One(input, output))?)
    }

    fn call_each(
        &self,
        code: Code,
        calls: &mut dyn Calls<'_>,
    ) -> std::result::Result<(), CallError> {
        Ok(resolve(code)?(Work::Each(calls))?)
    }

    fn name(&self, code: Code) -> Option<&'static str> {
        let mut name = "";
        resolve(code).ok()?(Work::Name(&mut name)).ok()?;
        Some(name)
    }
}

impl From<CodecError> for CallError {
    fn from(error: CodecError) -> Self {
        Self { message: error.to_string() }
    }
}

/// The code reference of a call of `F` with `A`.
///
/// # Errors
/// When the function lies in another shared library than this crate.
pub(crate) fn code_of<F, A>() -> Result<Code>
where
    F: Target<A>,
    F::Output: Returned,
    A: Args,
{
    const { assert_zero_sized::<F>() }
    code_of_entry(run::<F, A>, type_name::<F>())
}

/// The code reference of the closure that a forked child has.
///
/// # Errors
/// As [`code_of`].
pub(crate) fn code_of_forked() -> Result<Code> {
    code_of_entry(run_forked, "a closure")
}

/// The code reference of a call of `F` with `A` that makes an object.
///
/// # Errors
/// As [`code_of`].
pub(crate) fn code_of_maker<F, A>() -> Result<Code>
where
    F: Target<A>,
    F::Output: Send + Sync + 'static,
    A: Args,
{
    const { assert_zero_sized::<F>() }
    code_of_entry(run_maker::<F, A>, type_name::<F>())
}

/// The code reference of a call of `M` with `A` on an object that is a `T`.
///
/// # Errors
/// As [`code_of`].
pub(crate) fn code_of_method<M, T, A, By>() -> Result<Code>
where
    M: Method<T, A, By>,
    M::Output: Item,
    T: Send + Sync + 'static,
    A: Args,
    By: 'static,
{
    const { assert_zero_sized::<M>() }
    code_of_entry(run_method::<M, T, A, By>, type_name::<M>())
}

/// Makes an object by the function that a code reference stands for.
///
/// # Errors
/// When it stands for none that makes objects, or its arguments cannot be decoded.
pub(crate) fn make(
    code: Code,
    input: &mut Input<'_>,
) -> std::result::Result<Arc<dyn Object>, CodecError> {
    let mut made = None;
    resolve(code)?(Work::Make(input, &mut made))?;
    made.ok_or_else(CodecError::unknown_function)
}

/// Calls the method that a code reference stands for on an object.
///
/// # Errors
/// When it stands for none of such objects, or arguments or result cannot be decoded or encoded.
pub(crate) fn call_method(
    code: Code,
    object: &dyn Object,
    input: &mut Input<'_>,
    output: &mut Output<'_>,
) -> std::result::Result<(), CodecError> {
    resolve(code)?(Work::Method(object, input, output))
}

fn code_of_entry(entry: Entry, name: &str) -> Result<Code> {
    let address = entry as usize;
    if !image::contains(address) {
        return Err(Error::refused(format!(
            "`{name}` lies in another shared library than procession itself and cannot be named in \
             another process; call it from a function of the program",
        )));
    }
    Ok(address.wrapping_sub(image::anchor()) as u64)
}

/// The function that a code reference of this very image stands for.
fn resolve(code: Code) -> std::result::Result<Entry, CodecError> {
    let distance = usize::try_from(code).map_err(|_| CodecError::unknown_function())?;
    let address = image::anchor().wrapping_add(distance);
    if !image::contains(address) {
        return Err(CodecError::unknown_function());
    }
    let pointer = std::ptr::with_exposed_provenance::<()>(address);
    // SAFETY: by points 1 to 3 above the address is that of a `run` or of `run_forked`, whose type
    // this is.
    Ok(unsafe { std::mem::transmute::<*const (), Entry>(pointer) })
}

/// Makes the calls that some work asks for.
fn run<F, A>(work: Work<'_, '_, '_>) -> std::result::Result<(), CodecError>
where
    F: Target<A>,
    F::Output: Returned,
    A: Args,
{
    match work {
        Work::One(input, output) => {
            let args = A::decode(input)?;
            codec::finish::<A>(input)?;
            codec::encode_result(&summon::<F>().call(args), output)
        }
        Work::Each(calls) => {
            while let Some(item) = calls.next() {
                let mut input = Input::Slice(item);
                let args = A::decode(&mut input)?;
                codec::finish::<A>(&input)?;
                let returned = summon::<F>().call(args);
                codec::encode_result(&returned, calls.output())?;
                // It may panic when it is dropped; that is this call's panic.
                drop(returned);
                calls.finish();
            }
            Ok(())
        }
        Work::Name(name) => {
            *name = type_name::<F>();
            Ok(())
        }
        Work::Make(..) | Work::Method(..) => Err(CodecError::unknown_function()),
    }
}

/// Makes the one object that some work asks for.
fn run_maker<F, A>(work: Work<'_, '_, '_>) -> std::result::Result<(), CodecError>
where
    F: Target<A>,
    F::Output: Send + Sync + 'static,
    A: Args,
{
    let Work::Make(input, made) = work else { return Err(CodecError::unknown_function()) };
    let args = A::decode(input)?;
    codec::finish::<A>(input)?;
    *made = Some(Arc::new(RwLock::new(summon::<F>().call(args))));
    Ok(())
}

/// Makes the one call on an object that some work asks for.
fn run_method<M, T, A, By>(work: Work<'_, '_, '_>) -> std::result::Result<(), CodecError>
where
    M: Method<T, A, By>,
    M::Output: Item,
    T: Send + Sync + 'static,
    A: Args,
    By: 'static,
{
    let Work::Method(object, input, output) = work else {
        return Err(CodecError::unknown_function());
    };
    let object: &dyn Any = object;
    let object = object.downcast_ref::<RwLock<T>>().ok_or_else(CodecError::unknown_function)?;
    let args = A::decode(input)?;
    codec::finish::<A>(input)?;
    codec::encode_result(&summon::<M>().call_on(object, args), output)
}

/// Makes the one call that a forked child is for.
fn run_forked(work: Work<'_, '_, '_>) -> std::result::Result<(), CodecError> {
    match work {
        Work::One(_, output) => forked::run_next(output),
        Work::Each(_) | Work::Make(..) | Work::Method(..) => Err(CodecError::unknown_function()),
        Work::Name(name) => {
            *name = "a closure";
            Ok(())
        }
    }
}

/// A value of a function's type.
fn summon<F: Copy>() -> F {
    // Known at compile time, so it costs nothing. `code_of` has refused any other type by then, with
    // a message for the user; here it stands beside what relies on it.
    assert!(size_of::<F>() == 0, "`code_of` refuses functions with a value");
    // SAFETY: `F` has no bytes (asserted above), so any pointer that is aligned and not null is
    // valid for reading it, and a dangling one is; the last section above says why a value of it
    // may be made here.
    unsafe { NonNull::<F>::dangling().read() }
}

extern "C" fn before_main() {
    procession_core::start::bootstrap::before_main(&FACE);
}

procession_os::before_main!(before_main);
