//! Which URLs and addresses the guard lets through.

use std::net::IpAddr;

use proptest::prelude::*;
use url::Url;
use webhooks_worker::guard::{AllowRule, Door, GuardPolicy, Refusal, is_public};

const HTTPS: Door = Door { plain_http: false, port: 443 };

fn policy() -> GuardPolicy {
    GuardPolicy { ports: vec![443, 80], ..GuardPolicy::default() }
}

fn allowing(rules: &[&str]) -> GuardPolicy {
    GuardPolicy { allow: rules.iter().map(|rule| rule.parse().expect("a rule")).collect(), ..policy() }
}

fn check(policy: &GuardPolicy, url: &str) -> Result<(), Refusal> {
    policy.check_url(&url.parse::<Url>().expect("a URL")).map(|_| ())
}

fn ip(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

#[test]
fn public_addresses_are_public() {
    let v4 = ["1.1.1.1", "8.8.8.8", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "172.15.255.255", "172.32.0.0"];
    let more = ["126.255.255.255", "128.0.0.0", "169.253.255.255", "192.0.1.0", "198.17.255.255", "198.20.0.0", "223.255.255.255"];
    let v6 = ["2606:4700:4700::1111", "2a00:1450:4001:80b::200e", "2001:200::1", "64:ff9b::8.8.8.8", "2002:808:808::1", "::ffff:8.8.8.8"];
    for text in v4.into_iter().chain(more).chain(v6) {
        assert!(is_public(ip(text)), "{text}");
    }
}

/// The first and last address of each block of providers.md 5.3.2.
#[test]
fn special_addresses_are_not_public() {
    let v4 = [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("168.63.129.16", "168.63.129.16"),
        ("169.254.0.0", "169.254.169.254"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "239.255.255.255"),
        ("240.0.0.0", "255.255.255.255"),
    ];
    let v6 = ["::", "::1", "::7f00:1", "::127.0.0.1", "fc00::1", "fdff::1", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1", "3fff::1"];
    let carrying = ["::ffff:127.0.0.1", "::ffff:a9fe:a9fe", "64:ff9b::10.0.0.1", "64:ff9b:1::8.8.8.8", "2002:7f00:1::1", "2002:a00:1::"];
    let tunnels =
        ["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:2::1", "2001:10::1", "2001:20::1", "100::1", "5f00::1", "4000::1"];
    let pairs = v4.iter().flat_map(|(first, last)| [*first, *last]);
    for text in pairs.chain(v6).chain(carrying).chain(tunnels) {
        assert!(!is_public(ip(text)), "{text}");
    }
}

#[test]
fn loopback_in_every_notation_is_refused() {
    let hosts = [
        "127.0.0.1",
        "127.0.0.1.",
        "2130706433",
        "0x7f.1",
        "0x7f000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::]",
        "１２７.０.０.１",
        "①②⑦.0.0.1",
        "127。0。0。1",
        "%31%32%37.0.0.1",
        "169.254.169.254",
        "[fe80::1]",
        "0xa9fea9fe",
        "[fd00:ec2::254]",
    ];
    for host in hosts {
        for scheme in ["https", "http"] {
            assert_eq!(check(&policy(), &format!("{scheme}://{host}/")), Err(Refusal::NotPublic), "{scheme}://{host}");
        }
    }
}

#[test]
fn names_pass_for_the_resolver_to_judge() {
    for host in ["example.com", "localhost", "localhost.", "example.com.", "127.0.0.1.nip.io", "bücher.example"] {
        assert_eq!(check(&policy(), &format!("https://{host}/")), Ok(()), "{host}");
    }
}

#[test]
fn scheme_userinfo_and_port_are_judged_before_anything_is_looked_up() {
    let rows = [
        ("ftp://example.com/", Refusal::Scheme),
        ("file:///etc/passwd", Refusal::Scheme),
        ("gopher://example.com:70/", Refusal::Scheme),
        ("https://user@example.com/", Refusal::Userinfo),
        ("https://:secret@example.com/", Refusal::Userinfo),
        ("https://example.com:22/", Refusal::Port(22)),
        ("https://example.com:6379/", Refusal::Port(6379)),
        ("https://8.8.8.8:8443/", Refusal::Port(8443)),
        ("http://example.com/", Refusal::PlainHttp),
        ("http://8.8.8.8/", Refusal::PlainHttp),
        ("https://example.com:0/", Refusal::Port(0)),
    ];
    for (url, refusal) in rows {
        assert_eq!(check(&policy(), url), Err(refusal), "{url}");
    }
    let open = GuardPolicy { http_public: true, ..policy() };
    assert_eq!(check(&open, "http://example.com/"), Ok(()));
    assert_eq!(check(&open, "http://10.0.0.1/"), Err(Refusal::NotPublic), "http to public addresses only");
}

#[test]
fn a_rule_opens_its_addresses_on_its_port_and_nothing_else() {
    let policy = allowing(&["127.0.0.1:9000", "10.1.0.0/16", "[::1]:9000"]);
    for url in
        ["http://127.0.0.1:9000/", "https://127.1:9000/", "http://[::1]:9000/", "http://[::ffff:127.0.0.1]:9000/", "http://10.1.2.3:22/"]
    {
        assert_eq!(check(&policy, url), Ok(()), "{url}");
    }
    for url in ["http://127.0.0.1:9001/", "http://127.0.0.2:9000/", "https://[::2]:9000/", "https://10.2.0.1/", "https://127.0.0.1/"] {
        assert_eq!(check(&policy, url), Err(Refusal::NotPublic), "{url}");
    }
    assert_eq!(check(&policy, "https://u@127.0.0.1:9000/"), Err(Refusal::Userinfo));
    assert_eq!(
        policy.check_address(ip("8.8.8.8"), Door { plain_http: true, port: 9000 }),
        Err(Refusal::Port(9000)),
        "public ones keep their ports"
    );
    assert_eq!(policy.check_address(ip("8.8.8.8"), HTTPS), Ok(()));
}

#[test]
fn rules_are_read_in_every_form_and_nonsense_is_refused() {
    let covering = [
        ("10.0.0.0/8", "10.9.9.9", 1),
        ("10.0.0.0/8:8080", "10.9.9.9", 8080),
        ("127.0.0.1", "127.0.0.1", 65_535),
        ("127.0.0.1:80", "127.0.0.1", 80),
        ("::1", "::1", 80),
        ("[::1]", "::1", 80),
        ("[::1]:8080", "::1", 8080),
        ("fd00::/8", "fd12::1", 80),
        ("[fd00::]/8:443", "fd12::1", 443),
        ("[fd00::/8]:443", "fd12::1", 443),
        ("::ffff:10.0.0.0/104", "10.1.2.3", 80),
        ("0.0.0.0/0", "1.2.3.4", 1),
    ];
    for (text, address, port) in covering {
        let rule: AllowRule = text.parse().expect(text);
        assert!(rule.covers(ip(address), port), "{text} covers {address}:{port}");
    }
    assert!(!"10.0.0.0/8:8080".parse::<AllowRule>().expect("a rule").covers(ip("10.0.0.1"), 80));
    let nonsense = [
        "",
        "localhost",
        "localhost:80",
        "10.0.0.0/33",
        "10.0.0.1:0",
        "10.0.0.1:65536",
        "10.0.0.1:",
        "[::1",
        "[::1]:",
        "::1/129",
        "*",
        "10.0.0.1:80:80",
    ];
    for text in nonsense {
        assert!(text.parse::<AllowRule>().is_err(), "{text}");
    }
}

#[test]
fn a_checked_url_keeps_its_query_and_loses_its_fragment() {
    let url: Url = "https://example.com/a?b=c#d".parse().expect("a URL");
    assert_eq!(policy().check_url(&url).expect("passes").url.as_str(), "https://example.com/a?b=c");
}

proptest! {
    #[test]
    fn every_ipv4_address_is_as_public_as_its_ipv6_disguises(bits in any::<u32>()) {
        let v4 = std::net::Ipv4Addr::from_bits(bits);
        let [a, b, c, d] = v4.octets();
        let disguises = [format!("::ffff:{v4}"), format!("64:ff9b::{v4}"), format!("2002:{:02x}{:02x}:{:02x}{:02x}::1", a, b, c, d)];
        for disguise in disguises {
            prop_assert_eq!(is_public(ip(&disguise)), is_public(v4.into()), "{}", disguise);
        }
    }

    #[test]
    fn every_loopback_number_is_refused(low in 0_u32..=0x00ff_ffff) {
        let number = 0x7f00_0000 | low;
        for host in [number.to_string(), format!("0x{number:x}"), format!("0{number:o}")] {
            prop_assert_eq!(check(&policy(), &format!("https://{host}/")), Err(Refusal::NotPublic));
        }
    }

    #[test]
    fn hostile_rules_never_panic(text in "[0-9a-f:./\\[\\]x]{0,40}") {
        let _ = text.parse::<AllowRule>();
    }
}
