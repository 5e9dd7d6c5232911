//! How are times written for people: relative to now, and short?

use std::time::Duration;

use flotilla_client::Time;

/// This machine's clock: ages in tables are for people; what machines read has the server's times.
pub fn now() -> Time {
    let since = std::time::UNIX_EPOCH.elapsed().unwrap_or_default();
    Time::from_timestamp(i64::try_from(since.as_secs()).unwrap_or_default(), since.subsec_nanos()).unwrap_or_default()
}

/// `5m ago`, `now`, `in 2h`.
pub fn relative(time: Time, now: Time) -> String {
    match (now - time).to_std() {
        Ok(past) if past < Duration::from_secs(1) => "now".to_owned(),
        Ok(past) => format!("{} ago", short(past)),
        Err(_) => format!("in {}", short((time - now).to_std().unwrap_or_default())),
    }
}

/// The same, or a dash.
pub fn relative_if(time: Option<Time>, now: Time) -> String {
    time.map_or_else(|| "-".to_owned(), |time| relative(time, now))
}

/// In at most two units: `250ms`, `45s`, `1h20m`, `3d`.
pub fn short(duration: Duration) -> String {
    const UNITS: [(&str, u64); 4] = [("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)];
    let secs = duration.as_secs();
    let Some(at) = UNITS.iter().position(|(_, unit)| secs >= *unit) else {
        return if duration.is_zero() { "0s".to_owned() } else { format!("{}ms", duration.as_millis()) };
    };
    let (name, unit) = UNITS[at];
    let rest = UNITS.get(at + 1).map(|(name, smaller)| (name, secs % unit / smaller)).filter(|(_, n)| *n > 0);
    let rest = rest.map_or_else(String::new, |(name, n)| format!("{n}{name}"));
    format!("{}{name}{rest}", secs / unit)
}

/// A duration that the API wrote, for people; nothing as a dash.
pub fn shortened(text: Option<&str>) -> String {
    match text {
        Some(text) => domain::parse_duration(text).map_or_else(|_| text.to_owned(), short),
        None => "-".to_owned(),
    }
}

/// A time of the past, or how long ago: `2026-11-20T10:00:00Z`, `2h`.
pub fn past(text: &str) -> Result<Time, String> {
    match domain::parse_duration(text) {
        Ok(ago) => chrono::TimeDelta::from_std(ago).ok().and_then(|ago| now().checked_sub_signed(ago)).ok_or_else(|| not_a_time(text)),
        Err(_) => at(text),
    }
}

/// A time: `2026-11-20T10:00:00Z`.
pub fn at(text: &str) -> Result<Time, String> {
    text.parse().map_err(|_| not_a_time(text))
}

fn not_a_time(text: &str) -> String {
    format!("`{text}` is not a time (expected RFC 3339, such as 2026-11-20T10:00:00Z)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_short() {
        let rows = [(0, "0s"), (250, "250ms"), (45_000, "45s"), (90_000, "1m30s"), (4_800_000, "1h20m"), (259_200_000, "3d")];
        for (ms, text) in rows {
            assert_eq!(short(Duration::from_millis(ms)), text);
        }
        assert_eq!((shortened(Some("3671s")), shortened(None), shortened(Some("odd"))), ("1h1m".into(), "-".into(), "odd".into()));
    }

    #[test]
    fn times_are_told_from_now() {
        let now = at("2026-11-20T10:00:00Z").expect("a time");
        let told = |text: &str| relative(at(text).expect("a time"), now);
        assert_eq!((told("2026-11-20T09:58:30Z"), told("2026-11-20T12:00:00Z")), ("1m30s ago".to_owned(), "in 2h".to_owned()));
    }

    #[test]
    fn the_past_is_named_by_time_or_distance() {
        let ago = (now() - past("2h").expect("two hours ago")).num_seconds();
        assert!((7_199..=7_201).contains(&ago), "{ago}");
        assert!(past("2026-11-20T10:00:00Z").is_ok() && past("yesterday").is_err() && past("999999999999d").is_err());
    }
}
