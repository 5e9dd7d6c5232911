//! API keys: the text opens the door, a changed text does not, the text is never repeated.

use domain::KeyId;
use proptest::prelude::*;
use vault::{PresentedKey, VaultError};

use crate::vault_of;

const ID: KeyId = KeyId::from_bytes([0xa1; 16]);

#[test]
fn a_minted_key_matches_its_hash_and_no_other() {
    let vault = vault_of(1);
    let (text, hash) = vault.mint_api_key(ID).expect("mints");
    let (_, other_hash) = vault.mint_api_key(ID).expect("mints");
    let presented: PresentedKey = text.parse().expect("a key");
    assert_eq!(presented.id, ID);
    assert!(vault.matches(&presented, &hash));
    assert!(!vault.matches(&presented, &other_hash));
    assert!(!vault_of(2).matches(&presented, &hash), "another server");
}

#[test]
fn the_text_has_its_documented_shape() {
    let (text, _) = vault_of(1).mint_api_key(ID).expect("mints");
    let (head, secret) = text.split_at(4 + 32 + 1);
    assert_eq!(head, format!("flt_{}_", "a1".repeat(16)));
    assert_eq!(secret.len(), 43);
}

#[test]
fn a_secret_under_another_id_does_not_match() {
    let vault = vault_of(1);
    let (text, hash) = vault.mint_api_key(ID).expect("mints");
    let moved = text.replace(&"a1".repeat(16), &"a2".repeat(16));
    assert!(!vault.matches(&moved.parse().expect("a key"), &hash));
}

#[test]
fn every_changed_character_is_noticed() {
    let vault = vault_of(1);
    let (text, hash) = vault.mint_api_key(ID).expect("mints");
    for at in 0..text.len() {
        let swapped = if text.as_bytes()[at] == b'0' { "1" } else { "0" };
        let changed = format!("{}{swapped}{}", &text[..at], &text[at + 1..]);
        assert!(changed.parse().is_ok_and(|key| vault.matches(&key, &hash)).eq(&false), "character {at}");
    }
}

#[test]
fn what_is_no_key_is_refused_and_what_is_one_is_not_shown() {
    let (text, _) = vault_of(1).mint_api_key(ID).expect("mints");
    for bad in ["", "flt_", "flt__", &text[1..], &text[..text.len() - 1], &format!("{text}A"), &text.to_uppercase()] {
        assert_eq!(bad.parse::<PresentedKey>().map(|_| ()), Err(VaultError::NotAnApiKey), "{bad}");
    }
    let shown = format!("{:?}", text.parse::<PresentedKey>().expect("a key"));
    assert!(!shown.contains(&text[37..]), "{shown}");
}

proptest! {
    #[test]
    fn hostile_text_never_panics(text in "(flt_)?\\PC{0,90}") {
        let _ = text.parse::<PresentedKey>();
    }
}
