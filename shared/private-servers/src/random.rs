//! Where do passwords and names that nobody else has come from? From the system's random source.

use std::io::Read;

/// `bytes` random bytes as lower-case hexadecimal digits.
///
/// # Panics
/// When the system has no `/dev/urandom`, which then has no private servers either.
pub fn random_hex(bytes: usize) -> String {
    let mut random = vec![0; bytes];
    let read = std::fs::File::open("/dev/urandom").and_then(|mut source| source.read_exact(&mut random));
    assert!(read.is_ok(), "`/dev/urandom` cannot be read");
    random.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_are_never_the_same() {
        assert_eq!(random_hex(16).len(), 32);
        assert_ne!(random_hex(16), random_hex(16));
    }
}
