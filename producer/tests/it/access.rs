//! Keys, endpoints, the audit log, and what every response carries.

use serde_json::json;
use store::Scopes;

use crate::bench::{Bench, EVERYTHING};

#[tokio::test]
async fn a_key_works_until_it_is_revoked() {
    let b = Bench::new().await;
    let made = b.post("/v1/api_keys", r#"{"name":"ci","scopes":["submit","read"]}"#).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    let made = made.json();
    let key = made["key"].as_str().expect("shown once").to_owned();
    let who = b.get("/v1/whoami").key(&key).send().await;
    assert_eq!(who.json(), json!({ "tenant": "default", "key": "ci", "scopes": ["submit", "read"] }));
    let listed = b.get("/v1/api_keys").send().await;
    assert!(listed.text().contains("\"ci\"") && !listed.text().contains(&key), "the secret is never shown again");
    let path = format!("/v1/api_keys/{}", made["id"].as_str().expect("an id"));
    assert_eq!(b.call("DELETE", &path).send().await.status, 204);
    let refused = b.get("/v1/whoami").key(&key).send().await;
    assert_eq!((refused.status.as_u16(), refused.code().as_str()), (401, "unauthorized"), "at once, although it was just used");
    assert_eq!(b.call("DELETE", &path).send().await.status, 204, "twice is no error");
}

#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let b = Bench::new().await;
    let (head, last) = b.key.split_at(b.key.len() - 2);
    let forged = format!("{head}{}", if last == "AA" { "BB" } else { "AA" });
    let values =
        ["Bearer", "Bearer ", "Basic x", "Bearer flt_", "Bearer x", &format!("Bearer {forged}"), &format!("Token {}", b.key), "\u{e9}"];
    for value in values {
        let answer = b.get("/v1/whoami").without_key().header("authorization", value).send().await;
        assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, "Bearer"), "{value}");
        assert!(!answer.text().contains(&forged));
    }
    let answer = b.get("/v1/whoami").without_key().header("authorization", &format!("bearer {}", b.key)).send().await;
    assert_eq!(answer.status, 200, "the scheme's case does not matter");
}

#[tokio::test]
async fn wrong_keys_are_not_made() {
    let b = Bench::new().await;
    let rows = [
        (r#"{"name":"x"}"#, "/scopes"),
        (r#"{"name":"x","scopes":[]}"#, "/scopes"),
        (r#"{"name":"x","scopes":["root"]}"#, "/scopes"),
        (r#"{"name":"x","scopes":"read"}"#, "/scopes"),
        (r#"{"scopes":["read"]}"#, "/name"),
        (r#"{"name":"","scopes":["read"]}"#, "/name"),
        (r#"{"name":"x","scopes":["read"],"tenant":"No Name"}"#, "/tenant"),
        (r#"{"name":"x","scopes":["read"],"admin":true}"#, "/admin"),
    ];
    for (body, pointer) in rows {
        let answer = b.post("/v1/api_keys", body).send().await;
        assert_eq!((answer.status.as_u16(), answer.pointers()[0].as_str()), (422, pointer), "{body} {}", answer.text());
    }
}

#[tokio::test]
async fn an_admin_may_name_another_tenant_and_nobody_else() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    let made = b.post("/v1/api_keys", r#"{"name":"theirs","scopes":["read"],"tenant":"other"}"#).send().await.json();
    let theirs = made["key"].as_str().expect("a key");
    assert_eq!(b.get("/v1/whoami").key(theirs).send().await.json()["tenant"], "other");
    let answer = b.get("/v1/jobs?tenant=default").key(theirs).send().await;
    assert_eq!((answer.status.as_u16(), answer.code().as_str()), (403, "forbidden"));
    let admin = b.mint_key("other", EVERYTHING).await;
    let listed = b.get("/v1/jobs?tenant=default").key(&admin).send().await;
    assert!(listed.text().contains(&job.to_string()));
    let path = format!("/v1/api_keys/{}", made["id"].as_str().expect("an id"));
    assert_eq!(b.call("DELETE", &path).send().await.status, 404);
    assert_eq!(b.call("DELETE", &format!("{path}?tenant=other")).send().await.status, 204);
}

#[tokio::test]
async fn endpoints_keep_their_secret_sealed() {
    let b = Bench::new().await;
    let made = b.post("/v1/webhook_endpoints", r#"{"name":"orders","url":"https://example.com/hook"}"#).send().await;
    assert_eq!(made.status, 201, "{}", made.text());
    let secret = made.json()["secret"].as_str().expect("shown").to_owned();
    assert!(secret.starts_with("whsec_"));
    let again = b.post("/v1/webhook_endpoints", r#"{"name":"orders","url":"https://example.com/hook"}"#).send().await;
    assert_eq!((again.status.as_u16(), again.json().get("secret")), (200, None));
    let other = b.post("/v1/webhook_endpoints", r#"{"name":"orders"}"#).send().await;
    assert_eq!((other.status.as_u16(), other.code().as_str()), (409, "endpoint_exists"));
    assert_eq!(b.get("/v1/webhook_endpoints/orders/secret").send().await.json()["secret"], secret.as_str());
    assert!(!b.get("/v1/webhook_endpoints").send().await.text().contains(&secret));
    let off = b.post("/v1/webhook_endpoints/orders/disable", r#"{"reason":"moved"}"#).send().await.json();
    assert_eq!((off["disabled_reason"].as_str(), off["disabled_at"].is_string()), (Some("moved"), true));
    let on = b.call("POST", "/v1/webhook_endpoints/orders/enable").send().await.json();
    assert_eq!((&on["disabled_reason"], &on["disabled_at"]), (&json!(null), &json!(null)));
    for bad in [r#"{"name":"Orders"}"#, r#"{"name":"x","url":"ftp://x"}"#, r#"{"url":"https://x"}"#, r#"{"name":"x","secret":"y"}"#] {
        assert_eq!(b.post("/v1/webhook_endpoints", bad).send().await.status, 422, "{bad}");
    }
    assert_eq!(b.call("POST", "/v1/webhook_endpoints/none/enable").send().await.status, 404);
}

/// I12: who did what can be read.
#[tokio::test]
async fn actions_are_audited_with_the_request() {
    let b = Bench::new().await;
    let job = b.submitted().await;
    b.call("POST", &format!("/v1/jobs/{job}/cancel")).header("x-request-id", "req-77").send().await;
    let audit = b.get("/v1/audit?limit=1").send().await.json();
    let row = &audit["audit"][0];
    assert_eq!((row["request_id"].as_str(), row["target"].as_str()), (Some("req-77"), Some(job.to_string().as_str())), "{audit}");
}

#[tokio::test]
async fn request_ids_are_taken_if_they_are_fit_to_be_logged() {
    let b = Bench::new().await;
    let given = b.get("/health/live").header("x-request-id", "Abc_1-2").send().await;
    assert_eq!(given.header("x-request-id"), "Abc_1-2");
    for bad in ["", "a b", "a\"b", &"x".repeat(65), "é"] {
        let minted = b.get("/health/live").header("x-request-id", bad).send().await;
        assert_eq!((minted.header("x-request-id").len(), minted.header("x-request-id") == bad), (36, false), "{bad}");
    }
}

#[tokio::test]
async fn requests_are_counted_by_their_route() {
    let b = Bench::new().await;
    let reader = b.mint_key("default", Scopes::READ).await;
    let job = b.submitted().await;
    b.get(&format!("/v1/jobs/{job}")).key(&reader).send().await;
    b.get("/v1/secret-path").send().await;
    let text = b.get("/metrics").without_key().send().await;
    assert!(text.header("content-type").starts_with("text/plain"));
    for line in [
        r#"flotilla_http_requests_total{method="GET",route="/v1/jobs/{id}",status="200"} 1"#,
        r#"flotilla_http_requests_total{method="POST",route="/v1/jobs",status="202"} 1"#,
        r#"flotilla_http_requests_total{method="GET",route="none",status="404"} 1"#,
        r#"flotilla_jobs_accepted_total{kind="demo.any",queue="demo"} 1"#,
        r#"flotilla_queue_depth{priority="normal",queue="demo"} 1"#,
    ] {
        assert!(text.text().contains(line), "{line} is not in\n{}", text.text());
    }
    assert!(!text.text().contains(&job.to_string()) && !text.text().contains("secret-path"));
    b.run(job).await;
    let text = b.get("/metrics").send().await;
    assert!(text.text().contains(r#"flotilla_queue_depth{priority="normal",queue="demo"} 0"#), "an emptied class shows 0");
}
