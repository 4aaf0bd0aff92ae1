//! What can be called in another process.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// A function that can run in another process with the arguments `Args`, a tuple.
///
/// Implemented for plain functions and for closures that capture nothing, of up to twelve
/// parameters. Not to be implemented by hand.
///
/// A closure must not capture a value that proves, without holding any bytes, that something was
/// done in this process (a token that says "initialised"): it is not done in the other. Such a
/// capture cannot be told from none at all.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be called in another process with the arguments `{Args}`",
    label = "needs a plain function, or a closure that captures nothing, for these arguments",
    note = "arguments are a tuple, one element for each parameter: `(x,)` for one, `()` for none",
    note = "what a closure would capture is passed as an argument instead"
)]
pub trait Target<Args>: Copy + Send + Sync + 'static {
    /// What the function returns.
    type Output;

    /// Calls the function.
    fn call(self, args: Args) -> Self::Output;
}

/// A value that can come back from another process. Implemented for all that qualify.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot come back from another process",
    note = "a result implements `serde::Serialize` and `serde::de::DeserializeOwned`, is `Send`, and \
            borrows nothing; a task can return `Result<T, procession::RemoteError>` to use `?` on \
            any error"
)]
pub trait Returned: Serialize + DeserializeOwned + Send + 'static {}

impl<T: Serialize + DeserializeOwned + Send + 'static> Returned for T {}

/// Fails to compile unless a value of `F` has no bytes, so that its type says it all.
pub(crate) const fn assert_zero_sized<F>() {
    if size_of::<F>() != 0 {
        panic!(
            "only a plain function, or a closure that captures nothing, can run in another \
             process: pass what the closure captures as an argument, and pass the function itself, \
             not a pointer to it"
        );
    }
}

macro_rules! target {
    ($($name:ident)*) => {
        impl<Function, Output, $($name,)*> Target<($($name,)*)> for Function
        where
            Function: Fn($($name),*) -> Output + Copy + Send + Sync + 'static,
        {
            type Output = Output;

            #[allow(non_snake_case, reason = "parameters are named like their types")]
            fn call(self, ($($name,)*): ($($name,)*)) -> Output {
                self($($name),*)
            }
        }
    };
}

target!();
target!(A);
target!(A B);
target!(A B C);
target!(A B C D);
target!(A B C D E);
target!(A B C D E F);
target!(A B C D E F G);
target!(A B C D E F G H);
target!(A B C D E F G H I);
target!(A B C D E F G H I J);
target!(A B C D E F G H I J K);
target!(A B C D E F G H I J K L);
