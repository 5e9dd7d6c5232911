//! The one place that prints: text for people, JSON for machines.

use std::io::{IsTerminal, Write};

use serde::Serialize;

/// Who reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    Text,
    Json,
}

/// Whether somebody still reads the output.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use = "a command that is not done goes on, or does not end as if it had seen the end"]
pub enum Readers {
    Listen,
    /// As in `| head`.
    Left,
}

/// A line of output. Colours are left out where nobody would see them: not on a terminal, or `NO_COLOR`. When nobody reads any
/// more, the rest is nobody's business, and the process ends quietly: for commands that have nothing else left to do.
pub fn line(text: &str) {
    end_without_readers(piece(&format!("{text}\n")));
}

/// Text without an end of line, as it comes; for commands that have more to do than to print.
pub fn piece(text: &str) -> Readers {
    let mut stdout = anstream::AutoStream::auto(std::io::stdout().lock());
    readers(write!(stdout, "{text}").and_then(|()| stdout.flush()))
}

/// JSON as the API wrote it, in one line.
pub fn json(text: &str) {
    end_without_readers(json_piece(text));
}

/// The same for commands that have more to do than to print.
pub fn json_piece(text: &str) -> Readers {
    let mut stdout = std::io::stdout().lock();
    readers(writeln!(stdout, "{}", text.trim_end()).and_then(|()| stdout.flush()))
}

/// JSON that was put together here.
pub fn made(value: &impl Serialize) {
    json(&serde_json::to_string(value).unwrap_or_default());
}

/// JSON for people: indented, every number and every text as it was written.
pub fn indented(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    let mut letters = json.trim().chars().peekable();
    let break_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(letter) = letters.next() {
        match letter {
            _ if in_text => {
                out.push(letter);
                in_text = escaped || letter != '"';
                escaped = letter == '\\' && !escaped;
                continue;
            }
            '{' | '[' => {
                out.push(letter);
                while letters.next_if(|next| next.is_ascii_whitespace()).is_some() {}
                match letters.next_if(|next| matches!(next, '}' | ']')) {
                    Some(end) => out.push(end),
                    None => {
                        depth += 1;
                        break_line(&mut out, depth);
                    }
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                break_line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                break_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            space if space.is_ascii_whitespace() => {}
            other => {
                in_text = other == '"';
                out.push(other);
            }
        }
    }
    plain(&out)
}

pub fn error(text: &str) {
    let mut stderr = anstream::AutoStream::auto(std::io::stderr().lock());
    // Nobody left to tell is no reason to fail otherwise.
    let _ = writeln!(stderr, "\u{1b}[1;31merror:\u{1b}[0m {}", plain(text));
}

/// Something for the person that is not the command's output.
pub fn aside(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", plain(text));
}

/// Text of others as a terminal may see it: what is in a job's log must not move the cursor or change colours.
pub fn plain(text: &str) -> String {
    let shown = |letter: char| if letter.is_control() && letter != '\n' && letter != '\t' { '\u{fffd}' } else { letter };
    text.chars().map(shown).collect()
}

/// Whether a person sees what is printed, as it is printed.
pub fn on_terminal() -> bool {
    std::io::stdout().is_terminal()
}

fn readers(result: std::io::Result<()>) -> Readers {
    match result {
        Ok(()) => Readers::Listen,
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Readers::Left,
        // A full disk, say: what was to be printed is lost.
        Err(failure) => {
            error(&format!("the output could not be written: {failure}"));
            #[expect(clippy::disallowed_methods, reason = "there is nothing to tidy up, and no success to report")]
            std::process::exit(1)
        }
    }
}

fn end_without_readers(readers: Readers) {
    if readers == Readers::Left {
        #[expect(clippy::disallowed_methods, reason = "there is nobody left to tell and nothing to tidy up")]
        std::process::exit(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_does_not_move_the_cursor() {
        assert_eq!(plain("a\u{1b}[2Jb\rc\u{7}\td\n"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}\td\n");
    }

    #[test]
    fn json_is_indented_and_otherwise_as_it_was_written() {
        assert_eq!(indented(r#"{"a":1}"#), "{\n  \"a\": 1\n}");
        assert_eq!(indented(r#" [ ] "#), "[]");
        assert_eq!(
            indented(r#"{"a":12345678901234567890123,"b":[1.0, {}]}"#),
            "{\n  \"a\": 12345678901234567890123,\n  \"b\": [\n    1.0,\n    {}\n  ]\n}"
        );
        assert_eq!(indented(r#"{"a,{:\"[\\":"x"}"#), "{\n  \"a,{:\\\"[\\\\\": \"x\"\n}");
    }
}
