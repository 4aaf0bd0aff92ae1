use super::*;

fn code_of(text: &str) -> String {
    File::new("a.rs", text).code
}

#[test]
fn comments_and_literals_are_not_code() {
    let text = "let a = \"one // two\"; // three\nlet b = 'x'; /* four /* five */ */ six";
    let code = code_of(text);
    assert_eq!(code.len(), text.len());
    assert!(code.contains("let b =") && code.contains("six"));
    for word in ["one", "two", "three", "'x'", "four", "five"] {
        assert!(!code.contains(word), "{word} is still in {code:?}");
    }
}

#[test]
fn raw_strings_end_at_their_own_hashes() {
    let code = code_of("f(r#\"a \" b\"#, br\"c\", c\"d\", b\"e\\\"f\"); g");
    for word in ["a", "b\"", "c\"", "d", "e"] {
        assert!(!code.contains(word), "{word} is still in {code:?}");
    }
    assert!(code.ends_with("); g"));
}

#[test]
fn a_lifetime_opens_no_literal() {
    let text = "fn f<'a>(x: &'a str, y: char) { y == '\\'' || y == 'é' || y == '\"' } end";
    let code = code_of(text);
    assert!(code.contains("<'a>(x: &'a str") && code.ends_with("} end"));
    assert!(!code.contains('é') && !code.contains('"'));
}

#[test]
fn comments_keep_their_place() {
    let file = File::new("a.rs", "code(); // ORDER\n\"// text\"");
    assert_eq!(file.comments.find("ORDER"), file.text.find("ORDER"));
    assert!(!file.comments.contains("text") && !file.comments.contains("code"));
}

#[test]
fn words_are_whole() {
    let found: Vec<usize> = words("cat concat cat_ cat", "cat").collect();
    assert_eq!(found, [0, 16]);
}

#[test]
fn lines_count_from_one() {
    assert_eq!(line_of("a\nb\nc", 0), 1);
    assert_eq!(line_of("a\nb\nc", 4), 3);
}
