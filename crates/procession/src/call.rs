//! What can be called on a thread of this process.

/// A function that can run once on another thread of this process with the arguments `Args`, a
/// tuple.
///
/// Implemented for functions and closures of up to twelve parameters. What they capture moves along,
/// so it is `Send` and borrows nothing; nothing is serialised. Not to be implemented by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called on another thread with the arguments `{Args}`",
    label = "needs a function, or a closure whose captures are `Send` and borrow nothing",
    note = "arguments are a tuple, one element for each parameter: `(x,)` for one, `()` for none",
    note = "what a closure captures moves to another thread: put `move` before it"
)]
pub trait Call<Args>: Send + 'static {
    /// What the function returns.
    type Output;

    /// Calls the function.
    fn call_once(self, args: Args) -> Self::Output;
}

/// As [`Call`], for functions that several threads call at the same time, again and again.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called by several threads with the arguments `{Args}`",
    label = "needs a function, or a closure whose captures are `Send + Sync` and borrow nothing",
    note = "arguments are a tuple, one element for each parameter: `(x,)` for one, `()` for none",
    note = "what a closure captures is shared between threads: put `move` before it, and what it \
            changes behind a lock"
)]
pub trait CallMany<Args>: Send + Sync + 'static {
    /// What the function returns.
    type Output;

    /// Calls the function.
    fn call_again(&self, args: Args) -> Self::Output;
}

macro_rules! call {
    ($($name:ident)*) => {
        impl<Function, Output, $($name,)*> Call<($($name,)*)> for Function
        where
            Function: FnOnce($($name),*) -> Output + Send + 'static,
        {
            type Output = Output;

            #[allow(non_snake_case, reason = "parameters are named like their types")]
            fn call_once(self, ($($name,)*): ($($name,)*)) -> Output {
                self($($name),*)
            }
        }

        impl<Function, Output, $($name,)*> CallMany<($($name,)*)> for Function
        where
            Function: Fn($($name),*) -> Output + Send + Sync + 'static,
        {
            type Output = Output;

            #[allow(non_snake_case, reason = "parameters are named like their types")]
            fn call_again(&self, ($($name,)*): ($($name,)*)) -> Output {
                self($($name),*)
            }
        }
    };
}

call!();
call!(A);
call!(A B);
call!(A B C);
call!(A B C D);
call!(A B C D E);
call!(A B C D E F);
call!(A B C D E F G);
call!(A B C D E F G H);
call!(A B C D E F G H I);
call!(A B C D E F G H I J);
call!(A B C D E F G H I J K);
call!(A B C D E F G H I J K L);
