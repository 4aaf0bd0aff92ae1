//! Tuples of arguments.

use crate::codec::{self, CodecError};
use procession_core::payload::{Input, Output};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The arguments of a call: a tuple of up to twelve values that implement `serde::Serialize` and
/// `serde::de::DeserializeOwned`, are `Send`, and borrow nothing. Not to be implemented by hand.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the arguments of a call in another process",
    note = "arguments are a tuple: `(x,)` for one, `()` for none",
    note = "each implements `serde::Serialize` and `serde::de::DeserializeOwned`, is `Send`, and \
            borrows nothing"
)]
pub trait Args: Send + Sized + 'static {
    #[doc(hidden)]
    fn encode(&self, output: &mut Output<'_>) -> Result<(), CodecError>;

    #[doc(hidden)]
    fn decode(input: &mut Input<'_>) -> Result<Self, CodecError>;
}

macro_rules! args {
    ($($name:ident)*) => {
        impl<$($name,)*> Args for ($($name,)*)
        where
            $($name: Serialize + DeserializeOwned + Send + 'static,)*
        {
            #[allow(non_snake_case, unused_variables, reason = "values are named like their types")]
            fn encode(&self, output: &mut Output<'_>) -> Result<(), CodecError> {
                let ($($name,)*) = self;
                $(codec::encode_argument($name, output)?;)*
                Ok(())
            }

            #[allow(unused_variables, reason = "there may be none")]
            #[allow(clippy::unused_unit, reason = "the tuple may be empty")]
            fn decode(input: &mut Input<'_>) -> Result<Self, CodecError> {
                Ok(($(codec::decode_value::<$name>(input)?,)*))
            }
        }
    };
}

args!();
args!(A);
args!(A B);
args!(A B C);
args!(A B C D);
args!(A B C D E);
args!(A B C D E F);
args!(A B C D E F G);
args!(A B C D E F G H);
args!(A B C D E F G H I);
args!(A B C D E F G H I J);
args!(A B C D E F G H I J K);
args!(A B C D E F G H I J K L);
