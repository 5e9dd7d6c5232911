//! What in a Rust file is code, what is comment, and where do functions and test modules begin and end?
//!
//! A scanner of a hundred lines instead of a parser: rules need words and lines, not a syntax tree.

/// Two copies of a text, of the same length and with the same lines.
#[derive(Debug, Default)]
pub struct Views {
    /// Comments and the insides of literals are blanked.
    pub code: String,
    /// Everything but comments is blanked.
    pub comments: String,
}

/// A part of a file, in lines counted from 1, both ends included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub first: usize,
    pub last: usize,
}

impl Span {
    pub fn lines(self) -> usize {
        self.last - self.first + 1
    }

    pub fn contains(self, line: usize) -> bool {
        (self.first..=self.last).contains(&line)
    }
}

/// Separates code from comments and literals.
pub fn views(text: &str) -> Views {
    let bytes = text.as_bytes();
    let blank: Vec<u8> = bytes.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b' ' }).collect();
    let (mut code, mut comments) = (bytes.to_vec(), blank.clone());
    let mut at = 0;
    while at < bytes.len() {
        let (kind, end) = token(bytes, at);
        match kind {
            Token::Code => {}
            Token::Comment => {
                code[at..end].copy_from_slice(&blank[at..end]);
                comments[at..end].copy_from_slice(&bytes[at..end]);
            }
            // The quotes stay, so that a call keeps looking like a call.
            Token::Literal => {
                let inside = at + 1..(end - 1).max(at + 1);
                code[inside.clone()].copy_from_slice(&blank[inside]);
            }
        }
        at = end;
    }
    Views { code: lossy(&code), comments: lossy(&comments) }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

enum Token {
    Code,
    Comment,
    Literal,
}

/// The token at `at` and where it ends; anything that is neither comment nor literal is one byte of code.
fn token(bytes: &[u8], at: usize) -> (Token, usize) {
    let rest = &bytes[at..];
    let inside_word = at > 0 && is_word(bytes[at - 1]);
    match rest {
        [b'/', b'/', ..] => (Token::Comment, at + rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len())),
        [b'/', b'*', ..] => (Token::Comment, at + block_comment(rest)),
        [b'"', ..] => (Token::Literal, at + quoted(rest, b'"')),
        [b'r', ..] if !inside_word || is_prefix(bytes, at) => match raw_string(rest) {
            Some(length) => (Token::Literal, at + length),
            None => (Token::Code, at + 1),
        },
        [b'\'', ..] if is_char(rest) => (Token::Literal, at + quoted(rest, b'\'')),
        _ => (Token::Code, at + 1),
    }
}

/// Whether the `r` at `at` follows the `b` or `c` of a byte or C string.
fn is_prefix(bytes: &[u8], at: usize) -> bool {
    matches!(bytes[at - 1], b'b' | b'c') && (at < 2 || !is_word(bytes[at - 2]))
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Block comments nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0_usize, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            break;
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            byte if byte == quote => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

fn raw_string(rest: &[u8]) -> Option<usize> {
    let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
    let body = rest.get(1 + hashes..).filter(|body| body.first() == Some(&b'"'))?;
    let closing: Vec<u8> = std::iter::once(b'"').chain(std::iter::repeat_n(b'#', hashes)).collect();
    let length = body[1..].windows(closing.len()).position(|window| window == closing.as_slice());
    Some(length.map_or(rest.len(), |length| 1 + hashes + 1 + length + closing.len()))
}

/// A character, not a lifetime: an escape, or exactly one character before the next quote.
fn is_char(rest: &[u8]) -> bool {
    let Some(&first) = rest.get(1) else { return false };
    let width = match first {
        b'\\' => return true,
        0x00..=0x7f => 1,
        0x80..=0xdf => 2,
        0xe0..=0xef => 3,
        0xf0..=0xff => 4,
    };
    rest.get(1 + width) == Some(&b'\'')
}

/// The number of the line that `offset` is on.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

/// Offsets at which `needle` occurs and is not the continuation of a longer word.
pub fn words<'a>(text: &'a str, needle: &'a str) -> impl Iterator<Item = usize> + 'a {
    let bytes = text.as_bytes();
    let ends_in_word = needle.bytes().last().is_some_and(is_word);
    text.match_indices(needle).map(|(at, _)| at).filter(move |at| {
        let before = at.checked_sub(1).is_some_and(|before| is_word(bytes[before]));
        let after = ends_in_word && bytes.get(at + needle.len()).copied().is_some_and(is_word);
        !before && !after
    })
}

/// Where the bracket closes that was opened right before `from`; the end when it does not.
pub fn closing(code: &str, from: usize) -> usize {
    let mut depth = 1_usize;
    for (offset, byte) in code.as_bytes()[from..].iter().enumerate() {
        match byte {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return from + offset;
        }
    }
    code.len()
}

/// Every function with a body: its name and its lines, from `fn` to the closing brace.
pub fn functions(code: &str) -> Vec<(String, Span)> {
    words(code, "fn").filter_map(|at| function(code, at)).collect()
}

fn function(code: &str, at: usize) -> Option<(String, Span)> {
    let rest = code[at + 2..].trim_start();
    let name: String = rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect();
    if name.is_empty() {
        return None;
    }
    let end = body_end(code, at)?;
    Some((name, Span { first: line_of(code, at), last: line_of(code, end) }))
}

/// Every inline module (or other item) that is compiled for tests only.
pub fn test_regions(code: &str) -> Vec<Span> {
    let starts = ["#[cfg(test)]", "#[cfg(any(test", "#[cfg(all(test"].into_iter().flat_map(|mark| code.match_indices(mark));
    let span = |(at, mark): (usize, &str)| {
        let after = at + mark.len() + code[at + mark.len()..].find(|letter| letter != ')' && letter != ']').unwrap_or(0);
        body_end(code, after).map(|end| Span { first: line_of(code, at), last: line_of(code, end) })
    };
    starts.filter_map(span).collect()
}

/// Where the next `{…}` outside of parentheses and brackets closes; `None` when a `;` comes first.
fn body_end(code: &str, from: usize) -> Option<usize> {
    let (mut enclosed, mut braces) = (0_usize, 0_usize);
    for (offset, byte) in code.as_bytes()[from..].iter().enumerate() {
        match byte {
            b'(' | b'[' if braces == 0 => enclosed += 1,
            b')' | b']' if braces == 0 => enclosed = enclosed.saturating_sub(1),
            b';' if enclosed == 0 && braces == 0 => return None,
            b'{' if enclosed == 0 => braces += 1,
            b'}' if enclosed == 0 && braces > 0 => {
                braces -= 1;
                if braces == 0 {
                    return Some(from + offset);
                }
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests;
