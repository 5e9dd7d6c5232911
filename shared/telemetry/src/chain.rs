//! An error with all its causes, for one log line.

/// `what failed: why: why that`.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |text, cause| {
        let cause = cause.to_string();
        // Some libraries repeat their cause in their own words.
        if text.ends_with(&cause) { text } else { format!("{text}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    enum Level {
        #[error("top")]
        Top(#[source] Box<Level>),
        #[error("middle: bottom")]
        Middle(#[source] Box<Level>),
        #[error("bottom")]
        Bottom,
    }

    #[test]
    fn causes_follow_once_each() {
        let error = Level::Top(Box::new(Level::Middle(Box::new(Level::Bottom))));
        assert_eq!(chain(&error), "top: middle: bottom");
    }
}
