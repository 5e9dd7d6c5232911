//! The hash of a request in canonical JSON: key order, whitespace and escapes do not matter, values do.
//!
//! Canonical is: object keys sorted by their decoded text (doubles keep their order), no whitespace, strings decoded and
//! written anew, numbers as their text (`1` and `1.0` differ: nobody who repeats a request rewrites its numbers).

use std::iter::Peekable;

use aws_lc_rs::digest::{Context, SHA256};

use crate::json_text::{Token, Tokens};

/// A value as slices of its text.
enum Node<'a> {
    Scalar(&'a str),
    Text(String),
    List(Vec<Self>),
    Object(Vec<(String, Self)>),
}

/// SHA-256 over the canonical form; `None` for text that is no JSON. The caller has bounded the depth.
pub fn hash(text: &str) -> Option<[u8; 32]> {
    let node = node(&mut Tokens::of(text).peekable())?;
    let mut digest = Context::new(&SHA256);
    write(&node, &mut |piece| digest.update(piece.as_bytes()));
    digest.finish().as_ref().try_into().ok()
}

fn node<'a>(tokens: &mut Peekable<Tokens<'a>>) -> Option<Node<'a>> {
    match tokens.next()? {
        Token::Scalar(text) => Some(Node::Scalar(text)),
        Token::String(quoted) => serde_json::from_str(quoted).ok().map(Node::Text),
        Token::Open(b'{') => {
            let mut members = Vec::new();
            while let Some(quoted) = next_in_container(tokens)? {
                let Token::String(quoted) = quoted else { return None };
                tokens.next_if_eq(&Token::Separator)?;
                members.push((serde_json::from_str(quoted).ok()?, node(tokens)?));
            }
            members.sort_by(|(a, _), (b, _): &(String, Node<'_>)| a.cmp(b));
            Some(Node::Object(members))
        }
        Token::Open(_) => {
            let mut items = Vec::new();
            loop {
                tokens.next_if_eq(&Token::Separator);
                if tokens.next_if_eq(&Token::Close).is_some() {
                    return Some(Node::List(items));
                }
                items.push(node(tokens)?);
            }
        }
        Token::Close | Token::Separator => None,
    }
}

/// The next key of an object; `Some(None)` at its end.
fn next_in_container<'a>(tokens: &mut Peekable<Tokens<'a>>) -> Option<Option<Token<'a>>> {
    tokens.next_if_eq(&Token::Separator);
    let token = tokens.next()?;
    Some(Some(token).filter(|token| *token != Token::Close))
}

fn write(node: &Node<'_>, out: &mut impl FnMut(&str)) {
    match node {
        Node::Scalar(text) => out(text),
        Node::Text(text) => write_text(text, out),
        Node::List(items) => {
            out("[");
            for item in items {
                write(item, out);
                out(",");
            }
            out("]");
        }
        Node::Object(members) => {
            out("{");
            for (key, value) in members {
                write_text(key, out);
                out(":");
                write(value, out);
                out(",");
            }
            out("}");
        }
    }
}

/// Its length in front, so that no text can pose as the structure around it.
fn write_text(text: &str, out: &mut impl FnMut(&str)) {
    out("\"");
    out(&text.len().to_string());
    out("\"");
    out(text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn writing_does_not_matter_and_values_do() {
        let same = [r#"{"a":1,"b":[true,"é"]}"#, " { \"b\" : [ true , \"\\u00e9\" ] ,\n\"a\":1 } "];
        assert_eq!(hash(same[0]), hash(same[1]));
        let others = [r#"{"a":1.0,"b":[true,"é"]}"#, r#"{"a":1,"b":["é",true]}"#, r#"{"a":1}"#, "{}", "[]", "\"\"", "null", r#"{"a":"1"}"#];
        let mut hashes: Vec<_> = others.iter().chain(&same[..1]).map(|text| hash(text).expect("JSON")).collect();
        hashes.sort_unstable();
        assert!(hashes.windows(2).all(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn what_is_no_json_has_no_hash() {
        for bad in ["", "{", "[", "{\"a\"}", "{1:2}", "]", "\"", "[1", "{\"a\":"] {
            assert_eq!(hash(bad), None, "{bad}");
        }
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "\\PC{0,6}".prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::btree_map("\\PC{0,4}", inner, 0..4).prop_map(|map| Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// The value written with its keys in reverse and spaces wherever they may be.
    fn written_otherwise(value: &Value) -> String {
        match value {
            Value::Array(items) => format!("[ {} ]", items.iter().map(written_otherwise).collect::<Vec<_>>().join(" ,\n")),
            Value::Object(map) => {
                let member = |(key, value): (&String, &Value)| format!("{} :\t{}", Value::from(key.as_str()), written_otherwise(value));
                format!("{{ {} }}", map.iter().rev().map(member).collect::<Vec<_>>().join(" , "))
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.to_string(),
        }
    }

    proptest! {
        #[test]
        fn key_order_and_whitespace_do_not_matter(value in value()) {
            prop_assert_eq!(hash(&value.to_string()).expect("JSON"), hash(&written_otherwise(&value)).expect("JSON"));
        }

        #[test]
        fn different_values_hash_differently(a in value(), b in value()) {
            prop_assert_eq!(a == b, hash(&a.to_string()) == hash(&b.to_string()));
        }

        #[test]
        fn hostile_text_never_panics(text in "[\\PC\\[\\]{}\":,\\\\]{0,60}") {
            let _ = hash(&text);
        }
    }
}
