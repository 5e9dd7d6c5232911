//! Requests that are framed oddly: halves, several at once, and heads that try to confuse.

use domain::bounds::{HTTP_HEAD_BYTES_MAX, HTTP_HEADERS_MAX};

use super::Served;

/// A caller that says all it has to say and shuts its half still gets its answer.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_half_closed_caller_is_answered() {
    let served = Served::new().await;
    let mut client = served.connect().await;
    client.send(served.submission()).await;
    client.half_close().await;
    assert_eq!(client.reply().await.status, 202);
    assert_eq!(client.rest().await, "");
    assert_eq!(served.bench.jobs().await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_ends_early_writes_nothing() {
    let served = Served::new().await;
    let whole = served.submission();
    let head_only = &whole[..whole.find("\r\n\r\n").expect("a head") + 4];
    for part in [head_only, &whole[..whole.len() - 1]] {
        let mut client = served.connect().await;
        client.send(part).await;
        client.half_close().await;
        let text = client.rest().await;
        assert!(text.starts_with("HTTP/1.1 400") && text.contains("broken_body"), "{text}");
    }
    let mut vanishing = served.connect().await;
    vanishing.send(head_only).await;
    drop(vanishing);
    assert_eq!(served.bench.jobs().await, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn pipelined_requests_are_answered_in_their_order() {
    let served = Served::new().await;
    let mut client = served.connect().await;
    let mut text = String::new();
    for n in 0..50 {
        text += &format!("GET /health/live HTTP/1.1\r\nhost: x\r\nx-request-id: r-{n}\r\n\r\n");
        text += &served.submission().replace("host: x\r\n", &format!("host: x\r\nx-request-id: s-{n}\r\n"));
    }
    client.send(text).await;
    for n in 0..50 {
        let (first, second) = (client.reply().await, client.reply().await);
        assert!(first.status == 200 && first.head.contains(&format!("x-request-id: r-{n}\r\n")), "{n} {first:?}");
        assert!(second.status == 202 && second.head.contains(&format!("x-request-id: s-{n}\r\n")), "{n} {second:?}");
    }
    assert_eq!(served.bench.jobs().await, 50);
}

/// What is no HTTP gets a bare `4xx` and the end of the connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn heads_that_are_no_http_end_the_connection() {
    let served = Served::new().await;
    let many = (0..=HTTP_HEADERS_MAX).map(|n| format!("x-{n}: 1\r\n")).collect::<String>();
    let long = "z".repeat(HTTP_HEAD_BYTES_MAX);
    let rows: Vec<(&str, Vec<u8>, &[&str])> = vec![
        ("a long header", format!("GET / HTTP/1.1\r\nhost: x\r\nx-long: {long}\r\n\r\n").into_bytes(), &["431"]),
        ("a long header that never ends", format!("GET / HTTP/1.1\r\nx-long: {}", long.repeat(8)).into_bytes(), &["431"]),
        ("a long path", format!("GET /{} HTTP/1.1\r\nhost: x\r\n\r\n", long.repeat(8)).into_bytes(), &["414", "431"]),
        ("many headers", format!("GET / HTTP/1.1\r\nhost: x\r\n{many}\r\n").into_bytes(), &["431"]),
        ("no HTTP at all", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03hello".to_vec(), &["400"]),
        ("a path with NUL", b"GET /v1/\0jobs HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), &["400"]),
        ("a header with NUL", b"GET /health/live HTTP/1.1\r\nhost: x\r\nx-a: a\0b\r\n\r\n".to_vec(), &["400"]),
        ("a method with blanks", b"GE T /health/live HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), &["400"]),
        ("another protocol", b"GET /health/live HTTP/9.9\r\nhost: x\r\n\r\n".to_vec(), &["400", "505"]),
        ("no version", b"GET /health/live\r\n\r\n".to_vec(), &["400"]),
        ("a blank before the colon", b"GET /health/live HTTP/1.1\r\nhost : x\r\n\r\n".to_vec(), &["400"]),
        ("a folded header", b"GET /health/live HTTP/1.1\r\nx-a: 1\r\n 2\r\nhost: x\r\n\r\n".to_vec(), &["400"]),
        ("two lengths", b"POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}".to_vec(), &["400"]),
        ("a length with a sign", b"POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: +2\r\n\r\n{}".to_vec(), &["400"]),
        (
            "a length beyond numbers",
            b"POST /v1/jobs HTTP/1.1\r\nhost: x\r\ncontent-length: 99999999999999999999\r\n\r\n{}".to_vec(),
            &["400"],
        ),
        (
            "a coding that is not the last",
            b"POST /v1/jobs HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\n".to_vec(),
            &["400"],
        ),
        ("chunks in HTTP/1.0", b"POST /v1/jobs HTTP/1.0\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n".to_vec(), &["400"]),
    ];
    for (name, bytes, statuses) in rows {
        let mut client = served.connect().await;
        // It may be refused before all of it was taken.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut client.0, &bytes).await;
        let text = client.rest().await;
        let status = text.split(' ').nth(1).unwrap_or_default();
        assert!(statuses.contains(&status), "{name}: {text:.300}");
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{name}: one answer, and that was all: {text:.300}");
    }
    assert_eq!(served.bench.jobs().await, 0);
}

/// What is HTTP, but odd, is answered like any other request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn odd_targets_and_methods_are_answered_in_the_usual_way() {
    let served = Served::new().await;
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\nhost: x\r\n\r\n").into_bytes();
    let rows: Vec<(Vec<u8>, u16)> = vec![
        (get("http://elsewhere.example/health/live"), 200),
        (get("/health/live?x=%00%ff&&=&"), 200),
        (get("/%00"), 404),
        (get("/v1/%2e%2e/jobs"), 404),
        (get("/health/../health/live"), 404),
        (get("/%ff%fe"), 404),
        ([b"GET /".as_slice(), "é".as_bytes(), b" HTTP/1.1\r\nhost: x\r\n\r\n"].concat(), 404),
        ([b"GET /".as_slice(), &[0xff, 0xfe], b" HTTP/1.1\r\nhost: x\r\n\r\n"].concat(), 400),
        (b"get /health/live HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 405),
        (b"TRACE /health/live HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 405),
        (b"OPTIONS * HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 404),
        (b"CONNECT x:80 HTTP/1.1\r\nhost: x:80\r\n\r\n".to_vec(), 404),
        (b"GET /health/live HTTP/1.1\r\nhost: x\r\nx-request-id: \xff\xfe\r\n\r\n".to_vec(), 200),
        (b"GET /v1/jobs HTTP/1.1\r\nhost: x\r\nauthorization: Bearer \xff\xfe\r\n\r\n".to_vec(), 401),
        (b"GET /health/live HTTP/1.1\r\n\r\n".to_vec(), 200),
        (b"GET /health/live HTTP/1.0\r\n\r\n".to_vec(), 200),
        (b"\r\n\r\nGET /health/live HTTP/1.1\r\nhost: x\r\n\r\n".to_vec(), 200),
    ];
    for (bytes, status) in rows {
        let mut client = served.connect().await;
        client.send(&bytes).await;
        client.half_close().await;
        let text = client.rest().await;
        assert!(text.split(' ').nth(1) == Some(&status.to_string()), "{}: {text:.300}", String::from_utf8_lossy(&bytes));
    }
}

/// Two ways to say where a body ends must not give two requests: the chunks count, and the connection ends behind them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_smuggled_behind_a_body() {
    let served = Served::new().await;
    let hidden = served.submission();
    for framing in ["content-length: 4\r\ntransfer-encoding: chunked\r\n", "transfer-encoding: chunked\r\ncontent-length: 4\r\n"] {
        let mut client = served.connect().await;
        client.send(format!("{}0\r\n\r\n{hidden}", served.head("/v1/jobs", framing))).await;
        let text = client.rest().await;
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{framing}: {text}");
    }
    let mut client = served.connect().await;
    client.send(served.head("/v1/jobs", "transfer-encoding: chunked\r\n") + "zz\r\n{}\r\n0\r\n\r\n" + &hidden).await;
    let text = client.rest().await;
    assert!(text.starts_with("HTTP/1.1 400") && text.matches("HTTP/1.1").count() == 1, "{text}");
    assert_eq!(served.bench.jobs().await, 0, "the hidden request was not seen");
}
