//! Reads `Retry-After`: seconds or an HTTP date (RFC 9110, 10.2.3 and 5.6.7).

use std::time::Duration;

use chrono::{DateTime, NaiveDateTime};
use domain::Timestamp;
use domain::bounds::RATE_LIMIT_WAIT_MAX;

/// What is shorter counts as no answer: repeating at once, at no cost, would be a loop.
const WAIT_MIN: Duration = Duration::from_secs(1);
/// The two obsolete forms of a date that must still be read.
const OBSOLETE_DATES: [&str; 2] = ["%A, %d-%b-%y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"];

/// How long to wait, from 1 s to 24 h; `None` when the header says nothing usable.
pub fn wait_of(header: &str, now: Timestamp) -> Option<Duration> {
    let text = header.trim_matches([' ', '\t']);
    let wait = seconds(text).or_else(|| Some(date(text)?.since(now)))?;
    Some(wait.min(RATE_LIMIT_WAIT_MAX)).filter(|wait| *wait >= WAIT_MIN)
}

fn seconds(text: &str) -> Option<Duration> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // Digits that do not fit are an absurdly long wait, not a mistake.
    digits.then(|| Duration::from_secs(text.parse().unwrap_or(u64::MAX)))
}

fn date(text: &str) -> Option<Timestamp> {
    let preferred = DateTime::parse_from_rfc2822(text).map(|at| at.to_utc()).ok();
    let obsolete = || OBSOLETE_DATES.iter().find_map(|form| NaiveDateTime::parse_from_str(text, form).ok()).map(|at| at.and_utc());
    preferred.or_else(obsolete).map(|at| Timestamp::from_micros(at.timestamp_micros()))
}
