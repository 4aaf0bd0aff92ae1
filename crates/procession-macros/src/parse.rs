//! From tokens to a function.

use proc_macro2::TokenStream;
use syn::ItemFn;

/// What an attribute was put on, and what stood in its parentheses.
pub(crate) struct Input {
    pub(crate) arguments: TokenStream,
    pub(crate) function: ItemFn,
}

/// Parses an attribute on a function.
pub(crate) fn parse(arguments: TokenStream, item: TokenStream) -> syn::Result<Input> {
    Ok(Input { arguments, function: syn::parse2(item)? })
}
