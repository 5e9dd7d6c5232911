//! The guard's settings: closed unless told otherwise, and every mistake is told.

use settings::{Reader, Source, vars};
use webhooks_worker::WebhooksSettings;
use webhooks_worker::guard::GuardPolicy;

#[test]
fn by_default_only_https_to_public_addresses_is_open() {
    let source = Source::default();
    let mut reader = Reader::new(&source);
    let policy = WebhooksSettings::read(&mut reader);
    assert_eq!(reader.finish(policy).expect("the defaults are good"), GuardPolicy { ports: vec![443, 80], ..GuardPolicy::default() });
}

#[test]
fn every_exception_is_read_and_every_mistake_told() {
    let good = Source::of(&[
        (&vars::WEBHOOKS_ALLOW, "127.0.0.1:9000, [::1]:9000"),
        (&vars::WEBHOOKS_HTTP, "true"),
        (&vars::WEBHOOKS_PORTS, "8443"),
    ]);
    let policy = WebhooksSettings::read(&mut Reader::new(&good));
    assert_eq!((policy.allow.len(), policy.http_public, policy.ports), (2, true, vec![8443]));

    let bad =
        Source::of(&[(&vars::WEBHOOKS_ALLOW, "localhost,127.0.0.1"), (&vars::WEBHOOKS_HTTP, "perhaps"), (&vars::WEBHOOKS_PORTS, "443,0")]);
    let mut reader = Reader::new(&bad);
    let policy = WebhooksSettings::read(&mut reader);
    let error = reader.finish(policy).expect_err("three mistakes");
    assert_eq!(error.problems.len(), 3, "{error}");
    assert!(error.to_string().contains("names are not allowed here"), "{error}");
}
