//! `amqps:` is an encrypted connection to whom we trust, or none; and whoever mixes the ports up is told.

use std::sync::Arc;

use broker::{Broker, Publisher, Subscription};
use broker_rabbitmq::{AddressError, CheckError, QueueType, RabbitBroker, check};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use telemetry::chain;
use testkit::servers::{self, Extras, PrivateRabbit, free_port};

use crate::bench::{Told, drain, emissions, ids, normal, options, queue};

/// An authority, and what it certified for `localhost`.
struct Certified {
    authority: String,
    certificate: String,
    key: String,
}

fn certified() -> Certified {
    let mut authority = CertificateParams::new(Vec::new()).expect("parameters");
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().expect("a key")).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let names = vec!["localhost".to_owned()];
    let certificate = CertificateParams::new(names).expect("parameters").signed_by(&key, &authority).expect("signed");
    Certified { authority: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// Why it cannot be asked.
async fn refusal(url: &str, extra_ca: Option<String>) -> String {
    match check(url, extra_ca, QueueType::Quorum, &[]).await {
        Err(error @ CheckError::Unreachable(_)) => chain(&error),
        other => panic!("it answered: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_connections_are_to_whom_we_trust() {
    let Certified { authority, certificate, key } = certified();
    let port = free_port().expect("a free port");
    let settings = [
        format!("listeners.ssl.default = 127.0.0.1:{port}"),
        "ssl_options.cacertfile = {dir}/authority.pem".to_owned(),
        "ssl_options.certfile = {dir}/certificate.pem".to_owned(),
        "ssl_options.keyfile = {dir}/key.pem".to_owned(),
        "ssl_options.verify = verify_none".to_owned(),
    ];
    let files = [("authority.pem", authority.clone()), ("certificate.pem", certificate), ("key.pem", key)];
    let files = files.map(|(name, text)| (name.to_owned(), text)).to_vec();
    let Some(server) = PrivateRabbit::start_with(Extras { settings: settings.to_vec(), files }).await else {
        testkit::skip!("rabbitmq", servers::HOW)
    };
    let plain = server.url().replace("127.0.0.1", "localhost");
    let encrypted = servers::through(&plain, port).replace("amqp:", "amqps:");

    let told = Arc::<Told>::default();
    let mut trusting = options(encrypted.clone(), &told);
    trusting.extra_ca = Some(authority.clone());
    let broker = RabbitBroker::open(trusting).expect("a good URL");
    broker.declare(&[queue()]).await.expect("declared");
    let subscriber = broker.subscribe(Subscription::All, 10).await.expect("subscribed");
    broker.publish(&emissions(&normal(), 0..4, 4)).await.expect("published");
    assert_eq!(drain(&*subscriber, 4).await, ids(0..4));
    broker.close().await;
    let found = check(&encrypted, Some(authority.clone()), QueueType::Quorum, &[]).await.expect("it answers");
    assert!(found.version.is_some(), "{found:?}");

    let unknown = refusal(&encrypted, None).await;
    assert!(unknown.contains("invalid peer certificate"), "this machine does not know the authority: {unknown}");
    let other = refusal(&encrypted, Some(certified().authority)).await;
    assert!(other.contains("invalid peer certificate"), "another authority: {other}");
    let named = refusal(&encrypted.replace("localhost", "127.0.0.1"), Some(authority.clone())).await;
    assert!(named.contains("invalid peer certificate"), "a certificate for another name: {named}");
    let unencrypted = refusal(&servers::through(&plain, port), None).await;
    assert!(unencrypted.contains("is it a TLS port?"), "plain to the encrypted port: {unencrypted}");
    let to_plain = refusal(&plain.replace("amqp:", "amqps:"), Some(authority)).await;
    assert!(to_plain.contains("does this port speak TLS?"), "encrypted to the plain port: {to_plain}");
    let no_pem = check(&encrypted, Some("no certificate".to_owned()), QueueType::Quorum, &[]).await;
    assert!(matches!(no_pem, Err(CheckError::Address(AddressError::NoCertificate))), "{no_pem:?}");
}
