//! From a checked function to code.

use crate::parse::Input;
use proc_macro2::TokenStream;
use quote::{format_ident, quote};
use syn::{Error, ItemFn};

/// Runs the body as the program's `main`, or becomes a worker.
pub(crate) fn main(input: Input) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = input.function;
    let output = &sig.output;
    quote! {
        #(#attrs)*
        #vis #sig {
            fn procession_main() #output #block
            ::procession::__private::run_main(procession_main)
        }
    }
}

/// Runs the body as a test whose children boot before `main`.
pub(crate) fn test(input: Input) -> TokenStream {
    let ItemFn { attrs, vis, sig, block, .. } = input.function;
    quote! {
        #[::core::prelude::v1::test]
        #(#attrs)*
        #vis #sig {
            ::procession::__private::enter_test();
            #block
        }
    }
}

/// Says what is wrong, and keeps the compiler from saying it a second time in its own words: a `main`
/// that cannot be one gets another name, so that its body is still looked at, and an empty stand-in.
pub(crate) fn refused(input: Input, error: &Error) -> TokenStream {
    let errors = error.to_compile_error();
    let mut function = input.function;
    let is_main = function.sig.ident == "main";
    let stand_in = is_main.then(|| {
        quote!(
            fn main() {}
        )
    });
    if is_main {
        function.sig.ident = format_ident!("procession_main", span = function.sig.ident.span());
    }
    quote! {
        #errors
        #[allow(dead_code, reason = "it is refused already")]
        #function
        #stand_in
    }
}
