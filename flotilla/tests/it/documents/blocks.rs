//! What of a document is code? Its fenced blocks, each with what its fence says.

/// A fenced block of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What follows the three backticks: `sh`, or `sh build`.
    pub info: String,
    /// Of its first line of code, from 1.
    pub line: usize,
    pub text: String,
}

/// All of them, in order.
///
/// # Panics
/// When one is not closed.
pub fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    for (index, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(info), None) => open = Some(Block { info: info.trim().to_owned(), line: index + 2, text: String::new() }),
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.extend([line, "\n"]),
            (None, None) => {}
        }
    }
    assert!(open.is_none(), "a block is not closed: {open:?}");
    blocks
}

/// Those whose fence says exactly this.
pub fn of_kind(page: &str, info: &str) -> Vec<Block> {
    blocks(page).into_iter().filter(|block| block.info == info).collect()
}

#[test]
fn blocks_are_found_with_their_lines() {
    let found = blocks("a\n```sh\nb\nc\n```\n\n```sh build\nd\n```\n");
    let block = |info: &str, line, text: &str| Block { info: info.to_owned(), line, text: text.to_owned() };
    assert_eq!(found, [block("sh", 3, "b\nc\n"), block("sh build", 8, "d\n")]);
}
