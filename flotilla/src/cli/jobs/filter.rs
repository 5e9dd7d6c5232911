//! Which jobs? The same flags for lists and for acts on many jobs.

use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use flotilla_client::{JobFilter, State, Time};

use crate::cli::clock;

#[derive(Debug, Args)]
pub struct Filter {
    /// In this state
    #[arg(long, value_parser = states())]
    state: Option<State>,
    /// Of this kind
    #[arg(long)]
    kind: Option<String>,
    /// Of this queue
    #[arg(long)]
    queue: Option<String>,
    /// With this tag
    #[arg(long)]
    tag: Option<String>,
    /// Submitted after this time (RFC 3339), or less than this long ago, such as 2h
    #[arg(long, value_name = "TIME|AGO", value_parser = clock::past)]
    created_after: Option<Time>,
    /// Submitted before this time (RFC 3339), or longer ago than this, such as 2h
    #[arg(long, value_name = "TIME|AGO", value_parser = clock::past)]
    created_before: Option<Time>,
    /// With this text in kind, queue, group, unique key, a tag or the error; or the beginning of an id
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

impl Filter {
    pub fn read(self) -> JobFilter {
        let Self { state, kind, queue, tag, created_after, created_before, search } = self;
        JobFilter { state, kind, queue, tag, created_after, created_before, q: search }
    }
}

fn states() -> impl TypedValueParser<Value = State> {
    PossibleValuesParser::new(State::ALL.iter().map(|known| known.as_str())).map(|text| State::from(text.as_str()))
}
