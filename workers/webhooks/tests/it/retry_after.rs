//! `Retry-After` in every form HTTP allows, and whatever else arrives under that name.

use std::time::Duration;

use domain::Timestamp;
use domain::bounds::RATE_LIMIT_WAIT_MAX;
use proptest::prelude::*;
use webhooks_worker::wait_of;

fn at(text: &str) -> Timestamp {
    text.parse().expect("a time")
}

#[test]
fn seconds_and_the_three_dates_of_http_are_read() {
    let now = at("1994-11-06T08:48:37Z");
    let rows = [
        ("120", Some(120)),
        ("\t1 ", Some(1)),
        ("007", Some(7)),
        ("Sun, 06 Nov 1994 08:49:37 GMT", Some(60)),
        ("Sunday, 06-Nov-94 08:49:37 GMT", Some(60)),
        ("Sun Nov  6 08:49:37 1994", Some(60)),
        ("Sun, 06 Nov 1994 08:48:37 GMT", None),
        ("Sun, 06 Nov 1994 08:00:00 GMT", None),
        ("Mon, 06 Nov 1994 08:49:37 GMT", None),
        ("0", None),
        ("", None),
        ("-5", None),
        ("+5", None),
        ("1.5", None),
        ("5 seconds", None),
        ("soon", None),
        ("1994-11-06T08:49:37Z", None),
    ];
    for (header, secs) in rows {
        assert_eq!(wait_of(header, now), secs.map(Duration::from_secs), "{header:?}");
    }
}

#[test]
fn absurd_waits_end_at_a_day() {
    let now = at("2026-11-20T09:00:00Z");
    for header in ["86401", "99999999999", "999999999999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"] {
        assert_eq!(wait_of(header, now), Some(RATE_LIMIT_WAIT_MAX), "{header}");
    }
    assert_eq!(wait_of("86400", now), Some(RATE_LIMIT_WAIT_MAX));
}

proptest! {
    #[test]
    fn any_header_is_none_or_between_a_second_and_a_day(header in "\\PC{0,60}|[0-9]{0,30}|[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT", micros in any::<i64>()) {
        if let Some(wait) = wait_of(&header, Timestamp::from_micros(micros)) {
            prop_assert!(wait >= Duration::from_secs(1) && wait <= RATE_LIMIT_WAIT_MAX);
        }
    }

    #[test]
    fn a_date_is_the_time_from_now_to_it(ahead_secs in 1_i64..86_400, now_secs in 0_i64..4_000_000_000) {
        let date = chrono::DateTime::from_timestamp(now_secs + ahead_secs, 0).expect("in range");
        let now = Timestamp::from_micros(now_secs * 1_000_000);
        for form in ["%a, %d %b %Y %H:%M:%S GMT", "%a %b %e %H:%M:%S %Y"] {
            let wait = wait_of(&date.format(form).to_string(), now);
            prop_assert_eq!(wait.map(|wait| wait.as_secs()), u64::try_from(ahead_secs).ok());
        }
    }
}
