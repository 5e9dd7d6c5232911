//! `rediss://`: an encrypted connection to whom we trust, or none.

use coordination::Feed;
use coordination_redis::RedisOptions;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use testkit::servers::{Extras, PrivateRedis, free_port};
use testkit::within;

use crate::bench::{Bench, LONG, NOT_INSTALLED, job, output};

/// An authority, and what it certified for these names.
struct Certified {
    authority: String,
    certificate: String,
    key: String,
}

fn certified(names: &[&str]) -> Certified {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let certificate = CertificateParams::new(names).expect("parameters").signed_by(&key, &authority).expect("signed");
    Certified { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// A Redis that speaks TLS on a second port.
struct Encrypted {
    server: PrivateRedis,
    port: u16,
    authority: String,
}

impl Encrypted {
    async fn start(names: &[&str]) -> Option<Self> {
        let port = free_port().expect("a free port");
        let Certified { authority, certificate, key } = certified(names);
        let settings = [
            &format!("tls-port {port}"),
            "tls-auth-clients no",
            r#"tls-cert-file "{dir}/certificate.pem""#,
            r#"tls-key-file "{dir}/key.pem""#,
        ];
        let files = vec![("certificate.pem".to_owned(), certificate), ("key.pem".to_owned(), key)];
        let server = PrivateRedis::start_with(Extras { settings: settings.map(str::to_owned).to_vec(), files }).await?;
        Some(Self { server, port, authority })
    }

    fn bench(&self, host: &str, trust: Option<&str>) -> Bench {
        rediss(&self.server, host, self.port, trust)
    }
}

fn rediss(server: &PrivateRedis, host: &str, port: u16, trust: Option<&str>) -> Bench {
    let url = server.url().replace("redis://", "rediss://").replace(&format!("127.0.0.1:{}", server.port()), &format!("{host}:{port}"));
    Bench::with(RedisOptions { trust: trust.map(|pem| pem.as_bytes().to_vec()), ..RedisOptions::new(url) })
}

async fn refusal(bench: Bench) -> String {
    let error = within("an error", LONG, bench.process.ping()).await.expect_err("refused");
    telemetry::chain(&error)
}

#[tokio::test]
async fn whom_we_trust_is_talked_to() {
    let Some(server) = Encrypted::start(&["localhost", "127.0.0.1"]).await else { testkit::skip!("redis", NOT_INSTALLED) };
    for (n, host) in [(1, "localhost"), (2, "127.0.0.1")] {
        let bench = server.bench(host, Some(&server.authority));
        bench.process.ping().await.unwrap_or_else(|error| panic!("{host}: {}", telemetry::chain(&error)));
        let following = within("an event", LONG, bench.process.follow(job(n), None, 10));
        let (page, appended) = tokio::join!(following, bench.process.append(job(n), output(1)));
        appended.expect("appended");
        assert_eq!(page.expect("read").entries, vec![output(1)]);
    }
}

#[tokio::test]
async fn whom_we_do_not_trust_is_refused() {
    let Some(server) = Encrypted::start(&["localhost"]).await else { testkit::skip!("redis", NOT_INSTALLED) };
    let stranger = certified(&[]).authority;
    let cases = [
        ("this machine does not know the authority", "localhost", None),
        ("another authority", "localhost", Some(stranger.as_str())),
        ("a certificate for another name", "127.0.0.1", Some(server.authority.as_str())),
    ];
    for (case, host, trust) in cases {
        let text = refusal(server.bench(host, trust)).await;
        assert!(text.contains("invalid peer certificate"), "{case}: {text}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_refused() {
    let Some(server) = PrivateRedis::start().await else { testkit::skip!("redis", NOT_INSTALLED) };
    let text = refusal(rediss(&server, "127.0.0.1", server.port(), None)).await;
    assert!(text.ends_with("does this port speak TLS?"), "{text}");
    Bench::on(&server.url()).process.ping().await.expect("without TLS it answers");
}
