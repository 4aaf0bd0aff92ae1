//! From tokens to a function.

use proc_macro2::TokenStream;
use syn::{Error, Item, ItemFn};

/// What an attribute was put on, and what stood in its parentheses.
pub(crate) struct Input {
    pub(crate) arguments: TokenStream,
    pub(crate) function: ItemFn,
}

/// Parses an attribute on a function.
pub(crate) fn parse(arguments: TokenStream, item: TokenStream) -> syn::Result<Input> {
    match syn::parse2(item)? {
        Item::Fn(function) => Ok(Input { arguments, function }),
        other => Err(Error::new_spanned(other, "this attribute goes on a function")),
    }
}
