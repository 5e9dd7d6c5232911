//! Where does the API listen, and how much does it allow?

use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::ops::RangeInclusive;

use domain::bounds::{CONNECTIONS_MAX, RATE_LIMIT_MAX};
use settings::{ListenAddress, Origin, Reader, Var, vars};

use crate::ServerLimits;

/// With fewer, the API could not even answer those who ask how it is.
const COUNT_MIN: usize = 16;

/// What every program with the API reads.
#[derive(Debug, Clone)]
pub struct ApiSettings {
    pub listen: SocketAddr,
    pub server: ServerLimits,
    /// Requests in work at the same time.
    pub requests_max: usize,
    /// Requests of one key in a minute; `None`: as many as it likes.
    pub rate_limit: Option<NonZeroU32>,
    /// Whose web pages may call it.
    pub origins: Vec<Origin>,
}

impl ApiSettings {
    /// For `--help`.
    pub const VARS: [&Var; 5] = [&vars::LISTEN, &vars::MAX_CONNECTIONS, &vars::MAX_REQUESTS, &vars::RATE_LIMIT, &vars::CORS_ORIGINS];

    pub fn read(reader: &mut Reader<'_>) -> Self {
        let connections_max = count(reader, &vars::MAX_CONNECTIONS, COUNT_MIN..=CONNECTIONS_MAX);
        let rate_limit = count(reader, &vars::RATE_LIMIT, 0..=usize::try_from(RATE_LIMIT_MAX).unwrap_or(usize::MAX));
        Self {
            listen: reader.get::<ListenAddress>(&vars::LISTEN).0,
            server: ServerLimits { connections_max, ..ServerLimits::default() },
            requests_max: count(reader, &vars::MAX_REQUESTS, COUNT_MIN..=CONNECTIONS_MAX),
            rate_limit: u32::try_from(rate_limit).ok().and_then(NonZeroU32::new),
            origins: reader.list(&vars::CORS_ORIGINS),
        }
    }
}

fn count(reader: &mut Reader<'_>, var: &Var, range: RangeInclusive<usize>) -> usize {
    let count: usize = reader.get(var);
    if !range.contains(&count) {
        reader.problem(var, format!("`{count}` is not between {} and {}", range.start(), range.end()));
    }
    count.clamp(*range.start(), *range.end())
}

#[cfg(test)]
mod tests {
    use super::*;
    use settings::Source;

    fn read(given: &[(&Var, &str)]) -> Result<ApiSettings, Vec<&'static str>> {
        let source = Source::of(given);
        let mut reader = Reader::new(&source);
        let read = ApiSettings::read(&mut reader);
        reader.finish(read).map_err(|error| error.problems.into_iter().map(|problem| problem.name).collect())
    }

    #[test]
    fn the_defaults_are_those_of_the_server() {
        let read = read(&[]).expect("defaults");
        assert_eq!(read.server.connections_max, ServerLimits::default().connections_max);
        assert_eq!((read.requests_max, read.rate_limit, read.origins), (2_048, NonZeroU32::new(60_000), Vec::new()));
    }

    #[test]
    fn what_cannot_work_is_refused_and_nothing_is_no_limit() {
        assert_eq!(read(&[(&vars::RATE_LIMIT, "0")]).expect("off").rate_limit, None);
        let origins = read(&[(&vars::CORS_ORIGINS, "https://a.example, http://localhost:3000")]).expect("two").origins;
        assert_eq!(origins.iter().map(Origin::as_str).collect::<Vec<_>>(), ["https://a.example", "http://localhost:3000"]);
        for (var, value) in [
            (&vars::MAX_CONNECTIONS, "0"),
            (&vars::MAX_CONNECTIONS, "100001"),
            (&vars::MAX_REQUESTS, "15"),
            (&vars::MAX_REQUESTS, "many"),
            (&vars::RATE_LIMIT, "6000001"),
            (&vars::RATE_LIMIT, "-1"),
            (&vars::CORS_ORIGINS, "*"),
            (&vars::CORS_ORIGINS, "https://a.example/"),
        ] {
            assert_eq!(read(&[(var, value)]).expect_err(value), [var.name]);
        }
    }
}
