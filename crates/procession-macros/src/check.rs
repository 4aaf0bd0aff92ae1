//! What cannot be a `main` or a test. All mistakes are reported, each at its place.

use crate::parse::Input;
use quote::ToTokens;
use syn::{Error, Result};

/// Collects errors.
#[derive(Default)]
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, at: impl ToTokens, message: &str) {
        let error = Error::new_spanned(at, message);
        match &mut self.0 {
            Some(errors) => errors.combine(error),
            none => *none = Some(error),
        }
    }

    fn finish(self) -> Result<()> {
        self.0.map_or(Ok(()), Err)
    }
}

/// Checks a `#[procession::main]`.
pub(crate) fn main(input: &Input) -> Result<()> {
    let mut errors = common(input, "main");
    let signature = &input.function.sig;
    if signature.ident != "main" {
        errors.add(&signature.ident, "`#[procession::main]` goes on `fn main`");
    }
    errors.finish()
}

/// Checks a `#[procession::test]`.
pub(crate) fn test(input: &Input) -> Result<()> {
    common(input, "test").finish()
}

fn common(input: &Input, name: &str) -> Errors {
    let mut errors = Errors::default();
    if !input.arguments.is_empty() {
        let message = format!("`#[procession::{name}]` takes no arguments");
        errors.add(&input.arguments, &message);
    }
    let signature = &input.function.sig;
    if let Some(token) = &signature.asyncness {
        let message = format!(
            "an async function cannot be a `#[procession::{name}]`: start the runtime in its body, \
             after the children have gone their own way"
        );
        errors.add(token, &message);
    }
    if !signature.inputs.is_empty() {
        errors.add(&signature.inputs, &format!("a `#[procession::{name}]` has no parameters"));
    }
    if !signature.generics.params.is_empty() {
        errors.add(&signature.generics, &format!("a `#[procession::{name}]` is not generic"));
    }
    errors
}
