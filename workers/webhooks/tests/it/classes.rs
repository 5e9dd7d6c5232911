//! What each status means for the job: the table.

use std::time::Duration;

use domain::{FailureClass, Timestamp};
use proptest::prelude::*;
use webhooks_worker::of_status;

const NOW: Timestamp = Timestamp::from_micros(1_700_000_000_000_000);

fn row(status: u16, retry_after: Option<&str>) -> (String, &'static str, bool) {
    match of_status(status, retry_after, NOW) {
        Ok(()) => ("ok".to_owned(), "succeeded", false),
        Err(failure) => (failure.code.clone(), failure.class.as_str(), failure.not_before.is_some()),
    }
}

#[test]
fn every_answer_has_its_class() {
    let rows = [
        (200, None, "ok", "succeeded", false),
        (202, None, "ok", "succeeded", false),
        (299, None, "ok", "succeeded", false),
        (301, None, "redirect_refused", "transient", false),
        (304, None, "redirect_refused", "transient", false),
        (400, None, "http_400", "permanent", false),
        (401, None, "http_401", "permanent", false),
        (404, Some("5"), "http_404", "permanent", false),
        (408, None, "http_408", "transient", false),
        (410, None, "endpoint_gone", "permanent", false),
        (413, None, "http_413", "permanent", false),
        (425, None, "http_425", "transient", false),
        (429, None, "http_429", "transient", false),
        (429, Some("0"), "http_429", "transient", false),
        (429, Some("nonsense"), "http_429", "transient", false),
        (429, Some("30"), "http_429", "rate_limited", false),
        (500, None, "http_500", "transient", false),
        (501, None, "http_501", "transient", false),
        (502, Some("30"), "http_502", "transient", true),
        (503, Some("30"), "http_503", "transient", true),
        (503, None, "http_503", "transient", false),
        (504, Some("Fri, 31 Dec 9999 23:59:59 GMT"), "http_504", "transient", true),
        (101, None, "http_101", "transient", false),
        (999, None, "http_999", "transient", false),
    ];
    for (status, retry_after, code, class, not_before) in rows {
        assert_eq!(row(status, retry_after), (code.to_owned(), class, not_before), "{status} {retry_after:?}");
    }
}

#[test]
fn the_wait_starts_now() {
    let limited = of_status(429, Some("30"), NOW).expect_err("limited");
    assert_eq!(limited.class, FailureClass::RateLimited { until: NOW + Duration::from_secs(30) });
    let away = of_status(503, Some("30"), NOW).expect_err("away");
    assert_eq!(away.not_before, Some(NOW + Duration::from_secs(30)));
}

proptest! {
    #[test]
    fn only_2xx_is_success(status in 100_u16..1_000, retry_after in proptest::option::of("\\PC{0,20}")) {
        let ended = of_status(status, retry_after.as_deref(), NOW);
        prop_assert_eq!(ended.is_ok(), (200..300).contains(&status));
    }
}
