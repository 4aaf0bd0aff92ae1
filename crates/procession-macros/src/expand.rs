//! From a checked function to code.

use crate::parse::Input;
use proc_macro2::TokenStream;
use quote::quote;
use syn::ItemFn;

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
