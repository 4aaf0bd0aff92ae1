//! Attribute macros of procession: `#[procession::main]` and `#[procession::test]`.
//!
//! Each is parsed, checked and expanded by a module of that name. They expand to a thin call into a
//! hidden module of the facade, and to no `unsafe`.

#![forbid(unsafe_code)]

mod check;
mod expand;
mod parse;

use proc_macro::TokenStream;

/// Makes a function the program's `main`: in the program it runs as written, in a child process the
/// child's work is done instead. What `if __name__ == '__main__':` is in Python.
///
/// `fn main` may return whatever a `main` can. When it returns, processes that were started and
/// dropped without `join` are waited for.
///
/// ```ignore
/// #[procession::main]
/// fn main() -> procession::Result<()> {
///     Ok(())
/// }
/// ```
#[proc_macro_attribute]
pub fn main(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(attribute, item, check::main, expand::main)
}

/// Makes a function a `#[test]` that may start processes, under `cargo test` and `cargo nextest`
/// alike. Children of the test never run the test harness, so nothing foreign is on their standard
/// output.
///
/// Other attributes of tests, such as `#[ignore]` and `#[should_panic]`, go below it as usual.
///
/// ```ignore
/// #[procession::test]
/// fn squares() {
///     let pool = procession::Pool::new(2).unwrap();
///     assert_eq!(pool.apply(|x: u32| x * x, (4,)).unwrap(), 16);
/// }
/// ```
#[proc_macro_attribute]
pub fn test(attribute: TokenStream, item: TokenStream) -> TokenStream {
    expand(attribute, item, check::test, expand::test)
}

fn expand(
    attribute: TokenStream,
    item: TokenStream,
    check: fn(&parse::Input) -> syn::Result<()>,
    expand: fn(parse::Input) -> proc_macro2::TokenStream,
) -> TokenStream {
    let original = item.clone();
    let input = match parse::parse(attribute.into(), item.into()) {
        Ok(input) => input,
        Err(error) => {
            // What it stands on stays, so that there is no second error about its absence.
            let mut tokens = TokenStream::from(error.into_compile_error());
            tokens.extend(original);
            return tokens;
        }
    };
    match check(&input) {
        Ok(()) => expand(input).into(),
        Err(error) => expand::refused(input, &error).into(),
    }
}
