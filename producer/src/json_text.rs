//! Looks at JSON text without building anything from it: tokens, depth, surrogates, ranges of numbers.
//!
//! The tokens of text that is no JSON are nonsense but never an error and never endless: syntax is the parser's
//! business, and it comes later.

use domain::bounds::JSON_DEPTH_MAX;

/// A piece of JSON text.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Token<'a> {
    /// `{` or `[`.
    Open(u8),
    /// `}` or `]`.
    Close,
    /// `,` or `:`.
    Separator,
    /// With its quotes.
    String(&'a str),
    /// A number, `true`, `false` or `null`.
    Scalar(&'a str),
}

/// Why text is refused although its grammar may be fine.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Flaw {
    TooDeep,
    LoneSurrogate,
}

impl Flaw {
    pub fn sentence(self) -> String {
        match self {
            Self::TooDeep => format!("the JSON is nested deeper than {JSON_DEPTH_MAX} levels"),
            Self::LoneSurrogate => "a string contains half of a surrogate pair (`\\ud800` to `\\udfff` come in pairs)".to_owned(),
        }
    }
}

/// The tokens of a text, in order.
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    pub fn of(text: &'a str) -> Self {
        Self { text, at: 0 }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        let bytes = self.text.as_bytes();
        self.at += bytes[self.at..].iter().take_while(|b| is_space(**b)).count();
        let start = self.at;
        let first = *bytes.get(start)?;
        self.at += 1;
        Some(match first {
            b'{' | b'[' => Token::Open(first),
            b'}' | b']' => Token::Close,
            b',' | b':' => Token::Separator,
            b'"' => {
                self.at = string_end(bytes, self.at);
                Token::String(&self.text[start..self.at])
            }
            _ => {
                self.at += bytes[self.at..].iter().take_while(|b| !is_space(**b) && !b"{}[],:\"".contains(b)).count();
                Token::Scalar(&self.text[start..self.at])
            }
        })
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

/// Just behind the closing quote, or the end of the text. Always at a character's start: a quote is ASCII.
fn string_end(bytes: &[u8], mut at: usize) -> usize {
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Refuses text nested deeper than `depth_max`, or with half a surrogate pair in a string.
pub fn inspect(text: &str, depth_max: usize) -> Result<(), Flaw> {
    let mut depth = 0_usize;
    for token in Tokens::of(text) {
        match token {
            Token::Open(_) => depth += 1,
            Token::Close => depth = depth.saturating_sub(1),
            Token::String(quoted) if has_lone_surrogate(quoted) => return Err(Flaw::LoneSurrogate),
            Token::Separator | Token::String(_) | Token::Scalar(_) => {}
        }
        if depth > depth_max {
            return Err(Flaw::TooDeep);
        }
    }
    Ok(())
}

/// Whether every number can be held by a 64-bit float, as nearly every reader of JSON does.
pub fn numbers_in_range(text: &str) -> bool {
    Tokens::of(text).all(|token| match token {
        Token::Scalar(number) => number.parse::<f64>().is_ok_and(f64::is_finite) || matches!(number, "true" | "false" | "null"),
        Token::Open(_) | Token::Close | Token::Separator | Token::String(_) => true,
    })
}

fn has_lone_surrogate(quoted: &str) -> bool {
    let mut rest = quoted.as_bytes();
    let mut high_before = false;
    loop {
        let Some(escape) = rest.iter().position(|b| *b == b'\\') else { return high_before };
        let unit = unit_of(&rest[escape..]);
        let is_low = unit.is_some_and(|unit| (0xdc00..0xe000).contains(&unit));
        // A low half belongs directly behind a high half and nowhere else.
        if is_low != (high_before && escape == 0) || (high_before && escape != 0) {
            return true;
        }
        high_before = unit.is_some_and(|unit| (0xd800..0xdc00).contains(&unit));
        let length = if unit.is_some() { 6 } else { 2 };
        rest = rest.get(escape + length..).unwrap_or_default();
    }
}

/// The UTF-16 unit that an escape such as `\u0041` stands for.
fn unit_of(escape: &[u8]) -> Option<u16> {
    let hex = escape.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn depth_is_counted_outside_strings() {
        let nested = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        assert_eq!(inspect(&nested(64), 64), Ok(()));
        assert_eq!(inspect(&nested(65), 64), Err(Flaw::TooDeep));
        assert_eq!(inspect(&"[".repeat(1_000_000), 64), Err(Flaw::TooDeep));
        assert_eq!(inspect(&format!("\"{}\"", "[".repeat(100)), 64), Ok(()));
        assert_eq!(inspect(r#"["\"[[[[[[[["]"#, 1), Ok(()));
    }

    #[test]
    fn surrogates_come_in_pairs() {
        for good in [r#""\ud83d\ude00""#, r#""\u0000""#, r#""\\ud800""#, r#""é\n\u00e9""#, r#""\\\ud83d\ude00""#] {
            assert_eq!(inspect(good, 1), Ok(()), "{good}");
        }
        for bad in [
            r#""\ud800""#,
            r#""\ude00""#,
            r#""\ud83dx""#,
            r#""\ud83d\n""#,
            r#""\ud83dx\ude00""#,
            r#"{"\udfff":1}"#,
            r#""\ud800\ud800\udc00""#,
        ] {
            assert_eq!(inspect(bad, 1), Err(Flaw::LoneSurrogate), "{bad}");
        }
    }

    #[test]
    fn numbers_beyond_a_float_are_seen() {
        assert!(numbers_in_range(r#"{"a":[1,-0,0.5e-999,1e308,123456789012345678901234567890],"b":"1e999","c":null,"d":true}"#));
        let digits = "9".repeat(400);
        for bad in ["1e999", "[-1e400]", digits.as_str()] {
            assert!(!numbers_in_range(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn hostile_text_never_panics_and_tokens_end(text in "[\\PC\\[\\]{}\":,\\\\ud8dc0]{0,60}") {
            prop_assert!(Tokens::of(&text).count() <= text.len());
            let _ = (inspect(&text, 3), numbers_in_range(&text));
        }

        /// The parser agrees about which strings can be read.
        #[test]
        fn surrogates_are_judged_as_the_parser_does(units in prop::collection::vec(0xd7fe_u16..0xe002, 0..6)) {
            let text = format!("\"{}\"", units.iter().map(|unit| format!("\\u{unit:04x}")).collect::<String>());
            prop_assert_eq!(inspect(&text, 1).is_ok(), serde_json::from_str::<String>(&text).is_ok());
        }
    }
}
