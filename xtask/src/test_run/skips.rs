//! Which tests said that they could not run? Reads the file that `testkit::skip!` appends to.

use anyhow::{Context, Result};
use serde_json::Value;

/// One test that could not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skip {
    /// File name of the test binary.
    pub binary: String,
    /// The test's path, or empty when it ran where it could not be told.
    pub test: String,
    /// What was missing, or empty when it has no name.
    pub resource: String,
    pub reason: String,
}

/// One JSON object per line, each written by one call of `testkit::skip`.
pub fn parse(text: &str) -> Result<Vec<Skip>> {
    text.lines().map(|line| skip(line).with_context(|| format!("`{line}` is not a skip"))).collect()
}

fn skip(line: &str) -> Result<Skip> {
    let object: Value = serde_json::from_str(line)?;
    let field = |name: &str| object[name].as_str().map(str::to_owned).with_context(|| format!("`{name}` is missing"));
    Ok(Skip { binary: field("binary")?, test: field("test")?, resource: field("resource")?, reason: field("reason")? })
}

/// The items of `FLOTILLA_REQUIRE`.
pub fn required(list: Option<&str>) -> Vec<String> {
    list.unwrap_or_default().split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_skip() {
        let skips = parse("{\"binary\":\"it-1\",\"test\":\"a::b\",\"resource\":\"postgres\",\"reason\":\"no server\"}\n").expect("valid");
        assert_eq!((skips[0].test.as_str(), skips[0].resource.as_str()), ("a::b", "postgres"));
        assert!(parse("not json").is_err());
    }

    #[test]
    fn a_list_may_have_blanks() {
        assert_eq!(required(Some(" postgres, ,rabbitmq")), ["postgres", "rabbitmq"]);
        assert!(required(None).is_empty());
    }
}
