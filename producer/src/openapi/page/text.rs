//! How does text become HTML? Escaped, always; words in backticks become code.

/// Text without a meaning for the browser.
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            other => html.push(other),
        }
    }
    html
}

/// A sentence.
pub fn prose(text: &str) -> String {
    let pieces = text.split('`').enumerate();
    pieces.map(|(n, piece)| if n % 2 == 1 { format!("<code>{}</code>", escape(piece)) } else { escape(piece) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_code_is_marked() {
        assert_eq!(prose("say `<b>` & \"go\""), "say <code>&lt;b&gt;</code> &amp; &quot;go&quot;");
    }
}
