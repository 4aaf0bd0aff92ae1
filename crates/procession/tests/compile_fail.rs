//! What must not compile, and what the compiler says about it.
//!
//! One folder per kind of mistake under `ui/`. The expected messages are those of the workspace's
//! `rust-version`; `TRYBUILD=overwrite` writes them anew.

#[test]
fn mistakes_are_refused_with_a_message_that_helps() {
    let cases = trybuild::TestCases::new();
    // A case that must build makes trybuild build all of them: sizes are asserted when code is
    // generated, which a mere check does not do.
    cases.pass("tests/ui/pass/*.rs");
    cases.compile_fail("tests/ui/target/*.rs");
    cases.compile_fail("tests/ui/args/*.rs");
    cases.compile_fail("tests/ui/shared/*.rs");
    cases.compile_fail("tests/ui/threads/*.rs");
    cases.compile_fail("tests/ui/macros/*.rs");
}
