//! Sealed values open for whom they were sealed, unchanged, and for nobody else.

use domain::{EndpointName, TenantId};
use proptest::prelude::*;
use vault::{ServerSecret, Vault, VaultError};

use crate::{secret_of, vault_of};

fn tenant(name: &'static str) -> TenantId {
    TenantId::of(name)
}

#[test]
fn a_sealed_value_opens_for_its_tenant_purpose_and_name_only() {
    let vault = vault_of(7);
    let sealed = vault.seal(&tenant("acme"), "smtp", "orders", b"hunter2").expect("seals");
    assert_eq!(vault.open(&tenant("acme"), "smtp", "orders", &sealed).expect("opens").as_slice(), b"hunter2");
    let others = [("acme2", "smtp", "orders"), ("acme", "smtps", "orders"), ("acme", "smtp", "order"), ("acme", "smt", "porders")];
    for (name, purpose, of) in others {
        let opened = vault.open(&tenant(name), purpose, of, &sealed);
        assert_eq!(opened.map(|_| ()), Err(VaultError::Damaged), "{name}/{purpose}/{of}");
    }
}

#[test]
fn a_wrong_server_secret_is_said_as_such() {
    let sealed = vault_of(1).seal(&tenant("acme"), "p", "n", b"x").expect("seals");
    assert_eq!(vault_of(2).open(&tenant("acme"), "p", "n", &sealed).map(|_| ()), Err(VaultError::OtherKey));
}

#[test]
fn a_later_layout_is_said_as_such() {
    let vault = vault_of(1);
    let mut sealed = vault.seal(&tenant("acme"), "p", "n", b"x").expect("seals");
    sealed[0] = 2;
    assert_eq!(vault.open(&tenant("acme"), "p", "n", &sealed).map(|_| ()), Err(VaultError::UnknownLayout));
}

#[test]
fn every_flipped_bit_and_every_cut_is_noticed() {
    let vault = vault_of(9);
    let open = |sealed: &[u8]| vault.open(&tenant("acme"), "p", "n", sealed).map(|_| ());
    let sealed = vault.seal(&tenant("acme"), "p", "n", b"secret").expect("seals");
    for bit in 0..sealed.len() * 8 {
        let mut changed = sealed.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        assert!(open(&changed).is_err(), "bit {bit}");
    }
    for len in 0..sealed.len() {
        assert!(open(&sealed[..len]).is_err(), "cut at {len}");
    }
    assert!(open(&[sealed.as_slice(), &[0]].concat()).is_err(), "a byte more");
}

#[test]
fn the_same_value_seals_differently_each_time() {
    let vault = vault_of(3);
    let seal = || vault.seal(&tenant("acme"), "p", "n", b"same").expect("seals");
    assert_ne!(seal(), seal());
}

/// A value sealed by the first release: it must open for ever.
#[test]
fn the_first_release_can_still_be_opened() {
    let sealed = hex::decode(GOLDEN).expect("hex");
    assert_eq!(vault_of(0x2a).open(&tenant("acme"), "purpose", "name", &sealed).expect("opens").as_slice(), b"golden");
}

const GOLDEN: &str = "01b785b01824f56c3cdbdebc67aa03efa0331ae0aca9468f48d653b3c9422686bef8f0b7efeb2a";

#[test]
fn an_endpoint_secret_survives_sealing_and_belongs_to_its_endpoint() {
    let vault = vault_of(5);
    let (orders, other) = (EndpointName::of("orders"), EndpointName::of("other"));
    let (sealed, secret) = vault.seal_webhook_secret(&tenant("acme"), &orders).expect("seals");
    let opened = vault.open_webhook_secret(&tenant("acme"), &orders, &sealed).expect("opens");
    assert_eq!(opened.as_bytes(), secret.as_bytes());
    assert!(vault.open_webhook_secret(&tenant("acme"), &other, &sealed).is_err());
    assert!(vault.open_webhook_secret(&tenant("evil"), &orders, &sealed).is_err());
}

#[test]
fn a_server_secret_is_read_as_written_and_never_shown() {
    let secret = ServerSecret::generate().expect("random");
    let text = secret.to_hex();
    assert_eq!(*text.parse::<ServerSecret>().expect("valid").to_hex(), *text);
    let shown = format!("{secret:?} {:?}", Vault::new(secret.clone()));
    assert!(shown.contains("***") && !shown.contains(&text[..8]), "{shown}");
    assert_ne!(*ServerSecret::generate().expect("random").to_hex(), *text);
}

#[test]
fn a_bad_server_secret_is_refused_without_being_repeated() {
    let long = "ab".repeat(33);
    for bad in ["", "deadbeef", "zz", long.as_str(), &"g".repeat(64)] {
        let error = bad.parse::<ServerSecret>().map(|_| ()).expect_err("bad");
        assert!(error.to_string().contains("64 hex digits"), "{error}");
        assert!(bad.len() < 4 || !error.to_string().contains(bad), "{error}");
    }
    assert_eq!(*secret_of(0xab).to_hex(), *"AB".repeat(32).parse::<ServerSecret>().expect("upper case").to_hex());
}

proptest! {
    #[test]
    fn any_value_opens_as_it_was_sealed(plain in proptest::collection::vec(any::<u8>(), 0..400), purpose in "\\PC{0,20}", name in "\\PC{0,20}") {
        let vault = vault_of(4);
        let sealed = vault.seal(&tenant("t"), &purpose, &name, &plain).expect("seals");
        let opened = vault.open(&tenant("t"), &purpose, &name, &sealed).expect("opens");
        prop_assert_eq!(opened.as_slice(), plain.as_slice());
    }

    #[test]
    fn hostile_bytes_never_panic_and_never_open(sealed in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(vault_of(4).open(&tenant("t"), "p", "n", &sealed).is_err());
    }
}
