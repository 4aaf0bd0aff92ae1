//! What can be called on an object of a manager.

use parking_lot::RwLock;

/// Marks methods that look at an object: several run side by side.
#[derive(Debug)]
pub enum ByRef {}

/// Marks methods that change an object: each has it to itself.
#[derive(Debug)]
pub enum ByMut {}

/// A method of a `T` with the arguments `Args`, a tuple: a plain function, or a closure that captures nothing,
/// whose first parameter is `&T` or `&mut T`. Not to be implemented by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no method of `{T}` with the arguments `{Args}`",
    label = "needs a function, or a closure that captures nothing, of `&{T}` or `&mut {T}` and these arguments",
    note = "arguments are a tuple, one element for each further parameter: `(x,)` for one, `()` for none",
    note = "what it returns borrows nothing: return a copy"
)]
pub trait Method<T, Args, By>: Copy + Send + Sync + 'static {
    /// What the method returns.
    type Output;

    /// Calls it.
    #[doc(hidden)]
    fn call_on(self, object: &RwLock<T>, args: Args) -> Self::Output;
}

macro_rules! method {
    ($($name:ident)*) => {
        impl<Function, T, Output, $($name,)*> Method<T, ($($name,)*), ByRef> for Function
        where
            Function: Fn(&T, $($name),*) -> Output + Copy + Send + Sync + 'static,
        {
            type Output = Output;

            #[allow(non_snake_case, reason = "parameters are named like their types")]
            fn call_on(self, object: &RwLock<T>, ($($name,)*): ($($name,)*)) -> Output {
                self(&object.read(), $($name),*)
            }
        }

        impl<Function, T, Output, $($name,)*> Method<T, ($($name,)*), ByMut> for Function
        where
            Function: Fn(&mut T, $($name),*) -> Output + Copy + Send + Sync + 'static,
        {
            type Output = Output;

            #[allow(non_snake_case, reason = "parameters are named like their types")]
            fn call_on(self, object: &RwLock<T>, ($($name,)*): ($($name,)*)) -> Output {
                self(&mut object.write(), $($name),*)
            }
        }
    };
}

method!();
method!(A);
method!(A B);
method!(A B C);
method!(A B C D);
method!(A B C D E);
method!(A B C D E F);
method!(A B C D E F G);
method!(A B C D E F G H);
