//! Standard Webhooks signatures, cross-checked with the independent crate `standardwebhooks` in both directions.

use proptest::prelude::*;
use vault::{SignatureError, VaultError, WebhookSecret};

/// The specification's own example.
const TEXT: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
const AT: i64 = 1_614_265_330;
const BODY: &[u8] = br#"{"test": 2432232314}"#;
const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";

fn secret() -> WebhookSecret {
    TEXT.parse().expect("valid")
}

fn verify(timestamp: &str, signature: &str, body: &[u8]) -> Result<(), SignatureError> {
    secret().verify(ID, timestamp, signature, body, AT, 300)
}

#[test]
fn signs_the_example_of_the_specification() {
    assert_eq!(secret().sign(ID, AT, BODY), SIGNATURE);
    assert_eq!(verify(&AT.to_string(), SIGNATURE, BODY), Ok(()));
}

#[test]
fn any_matching_signature_of_a_list_is_enough() {
    let at = AT.to_string();
    let foreign = WebhookSecret::from_bytes(&[1; 24]).expect("24 bytes").sign(ID, AT, BODY);
    for list in [format!("{foreign} {SIGNATURE}"), format!("v1a,AAAA {SIGNATURE} v2,x"), format!("{SIGNATURE} garbage")] {
        assert_eq!(verify(&at, &list, BODY), Ok(()), "{list}");
    }
    let other_version = SIGNATURE.replace("v1,", "v2,");
    for list in ["", " ", "v1", "v1,", "v1,AAAA", &foreign, &other_version, &SIGNATURE[3..], &SIGNATURE[..40]] {
        assert_eq!(verify(&at, list, BODY), Err(SignatureError::NoMatch), "{list}");
    }
}

#[test]
fn a_changed_body_timestamp_or_id_is_noticed() {
    assert_eq!(verify(&AT.to_string(), SIGNATURE, br#"{"test":2432232314}"#), Err(SignatureError::NoMatch));
    assert_eq!(verify(&(AT + 1).to_string(), SIGNATURE, BODY), Err(SignatureError::NoMatch));
    let other_id = secret().verify("msg_other", &AT.to_string(), SIGNATURE, BODY, AT, 300);
    assert_eq!(other_id, Err(SignatureError::NoMatch));
}

#[test]
fn an_old_or_early_timestamp_is_refused_at_the_edge_and_not_before() {
    for (off, held) in [(-301, false), (-300, true), (300, true), (301, false)] {
        let signature = secret().sign(ID, AT + off, BODY);
        let expected = if held { Ok(()) } else { Err(SignatureError::OutsideTolerance) };
        assert_eq!(verify(&(AT + off).to_string(), &signature, BODY), expected, "{off} s");
    }
    for bad in ["", "now", "1614265330.5", " 1614265330", "99999999999999999999"] {
        assert_eq!(verify(bad, SIGNATURE, BODY), Err(SignatureError::BadTimestamp), "{bad}");
    }
    assert_eq!(verify(&i64::MIN.to_string(), SIGNATURE, BODY), Err(SignatureError::OutsideTolerance));
}

/// `x` at 5 with body `6.b` signs the same bytes as `x.5` at 6 with body `b`.
#[test]
fn an_id_with_a_dot_is_refused_because_it_could_be_cut_in_two_ways() {
    let signature = secret().sign("x", 5, b"6.b");
    assert_eq!(secret().verify("x.5", "6", &signature, b"b", 6, 300), Err(SignatureError::BadId));
    assert_eq!(secret().verify("", "6", &signature, b"b", 6, 300), Err(SignatureError::BadId));
}

#[test]
fn secrets_have_24_to_64_bytes_and_are_never_shown() {
    for (len, good) in [(23, false), (24, true), (64, true), (65, false)] {
        assert_eq!(WebhookSecret::from_bytes(&vec![0; len]).is_ok(), good, "{len}");
    }
    for bad in ["", "whsec_", &TEXT[6..], "whsec_AAAA", "whsec_?", &TEXT.replace("whsec", "whsk")] {
        assert_eq!(bad.parse::<WebhookSecret>().map(|_| ()), Err(VaultError::NotAWebhookSecret), "{bad}");
    }
    assert_eq!(*secret().to_text(), TEXT);
    assert!(!format!("{:?}", secret()).contains("MfKQ"));
    let made = WebhookSecret::generate().expect("random");
    assert_eq!(made.to_text().parse::<WebhookSecret>().expect("reads back").as_bytes(), made.as_bytes());
}

fn independent(secret: &WebhookSecret) -> standardwebhooks::Webhook {
    standardwebhooks::Webhook::new(&secret.to_text()).expect("their parser takes our text")
}

/// Their verifier reads the clock itself, so ours has to be right, too.
fn headers(id: &str, at: i64, signature: &str) -> http::HeaderMap {
    let named = [("webhook-id", id.to_owned()), ("webhook-timestamp", at.to_string()), ("webhook-signature", signature.to_owned())];
    named.into_iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().expect("a header value"))).collect()
}

fn clock_secs() -> i64 {
    let since = std::time::UNIX_EPOCH.elapsed().expect("after 1970");
    i64::try_from(since.as_secs()).expect("fits")
}

proptest! {
    #[test]
    fn an_independent_verifier_accepts_what_we_sign(key in proptest::collection::vec(any::<u8>(), 24..=64), id in "[a-zA-Z0-9_-]{1,40}", body in "\\PC{0,200}") {
        let secret = WebhookSecret::from_bytes(&key).expect("24 to 64 bytes");
        let now = clock_secs();
        let signature = secret.sign(&id, now, body.as_bytes());
        let theirs = independent(&secret);
        prop_assert!(theirs.verify(body.as_bytes(), &headers(&id, now, &signature)).is_ok());
        let changed = [body.as_bytes(), b" "].concat();
        prop_assert!(theirs.verify(&changed, &headers(&id, now, &signature)).is_err());
    }

    #[test]
    fn we_accept_what_an_independent_signer_signs(key in proptest::collection::vec(any::<u8>(), 24..=64), id in "[a-zA-Z0-9_-]{1,40}", body in "\\PC{0,200}", at in any::<i32>()) {
        let secret = WebhookSecret::from_bytes(&key).expect("24 to 64 bytes");
        let at = i64::from(at);
        let signature = independent(&secret).sign(&id, at, body.as_bytes()).expect("signs");
        prop_assert_eq!(secret.verify(&id, &at.to_string(), &signature, body.as_bytes(), at, 0), Ok(()));
    }

    #[test]
    fn hostile_headers_never_panic_and_never_pass(id in "\\PC{0,20}", timestamp in "\\PC{0,20}", signature in "(v1,)?\\PC{0,80}") {
        prop_assert!(secret().verify(&id, &timestamp, &signature, BODY, AT, i64::MAX).is_err());
    }

    #[test]
    fn hostile_secret_text_never_panics(text in "(whsec_)?\\PC{0,90}") {
        let _ = text.parse::<WebhookSecret>();
    }
}
