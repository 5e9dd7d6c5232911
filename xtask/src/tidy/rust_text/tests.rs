//! Rows of Rust that a careless scanner reads wrongly.

use super::*;

#[test]
fn comments_and_literals_are_told_from_code() {
    let rows = [
        ("a // b\nc", "a     \nc", "  // b\n "),
        ("a /* b /* c */ d */ e", "a                   e", "  /* b /* c */ d */  "),
        (r#"f("// no", '"', 'x')"#, r#"f("     ", ' ', ' ')"#, "                    "),
        (r#"f("\"") // y"#, r#"f("  ")     "#, r#"        // y"#),
        ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}", "                       "),
        (r"'\'' 'é'", "'  ' '  '", "         "),
    ];
    for (text, code, comments) in rows {
        let views = views(text);
        assert_eq!(views.code, code, "{text}");
        assert_eq!(views.comments.len(), text.len(), "{text}");
        assert_eq!(views.comments.trim_end(), comments.trim_end(), "{text}");
    }
}

#[test]
fn raw_strings_end_where_they_end() {
    for text in ["r\"a\\\" + todo", "r#\"a\" // b\"# + todo", "br##\"a\"# \"## + todo", "for r in x + todo"] {
        let views = views(text);
        assert!(views.code.ends_with("+ todo"), "{text}: {}", views.code);
        assert_eq!(views.comments.trim(), "", "{text}");
    }
}

#[test]
fn text_that_ends_too_early_is_no_reason_to_panic() {
    for text in ["\"a", "'", "'a", "/* a", "r#\"a", "\"a\\", "\"", "'\\"] {
        assert_eq!(views(text).code.len(), text.len(), "{text}");
    }
}

#[test]
fn functions_are_measured_to_their_closing_brace() {
    let code = "fn a() {\n  if x { y }\n}\ntrait T { fn b(&self) -> [u8; 4]; }\nfn c(_: [u8; { 1 + 1 }])\nwhere\n  X: Y,\n{\n}\ntype F = fn(u8);\n";
    let spans: Vec<_> = functions(code).into_iter().map(|(name, span)| (name, span.first, span.last)).collect();
    assert_eq!(spans, [("a".to_owned(), 1, 3), ("c".to_owned(), 5, 9)]);
}

#[test]
fn test_modules_are_regions() {
    let code = "fn a() {}\n#[cfg(test)]\nmod tests {\n  fn b() {}\n}\nfn c() {}\n#[cfg(test)]\nmod more;\n#[cfg(any(test, feature))]\nfn d() {\n}\n";
    let regions: Vec<_> = test_regions(code).into_iter().map(|span| (span.first, span.last)).collect();
    assert_eq!(regions, [(2, 5), (9, 11)]);
}

#[test]
fn a_word_is_not_part_of_another() {
    assert_eq!(words("fn fnord my_fn fn", "fn").collect::<Vec<_>>(), [0, 15]);
    assert_eq!(words("sleep(1) my_sleep(1)", "sleep(").collect::<Vec<_>>(), [0]);
}
