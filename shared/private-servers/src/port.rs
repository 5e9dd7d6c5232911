//! On which port does a server listen? On one that is free, and that no outgoing connection will take meanwhile.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use crate::random::random_hex;

/// Below the ports that Linux gives to outgoing connections (32768 and up). A server that is stopped and started again
/// must find its port free, so ports given by the system (`:0`) will not do.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;
const TRIES_MAX: usize = 200;

/// Given away by this process, perhaps to a server that does not listen yet.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A free port of the loopback interface; a different one at each call.
///
/// # Errors
/// When none of many was free.
pub fn free_port() -> io::Result<u16> {
    for _ in 0..TRIES_MAX {
        let random = u16::from_str_radix(&random_hex(2), 16).unwrap_or_default();
        let port = FIRST + random % COUNT;
        let is_new = GIVEN.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        if is_new && TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    Err(io::Error::other("no free port was found"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_given_once() {
        let ports: Vec<u16> = (0..50).map(|_| free_port().expect("a port")).collect();
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), 50);
        assert!(ports.iter().all(|port| (FIRST..FIRST + COUNT).contains(port)));
    }
}
