//! How does a server get its place to listen, or a sentence why not?

use std::net::{Ipv4Addr, SocketAddr};

use settings::{ListenAddress, Reader, vars};
use tokio::net::TcpListener;

/// The address cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error(
    "could not listen on {address}: {why}\n  hint: if another process listens there, stop it or choose another address with {how} (port 0 takes any free one)"
)]
pub struct ListenError {
    address: SocketAddr,
    how: &'static str,
    why: std::io::Error,
}

/// Takes the address; `how` says where a person chooses another one.
pub async fn listen(address: SocketAddr, how: &'static str) -> Result<TcpListener, ListenError> {
    TcpListener::bind(address).await.map_err(|why| ListenError { address, how, why })
}

/// Where a role without an API answers, on this machine and `port` unless a setting says otherwise.
pub fn admin_listen(reader: &mut Reader<'_>, port: u16) -> SocketAddr {
    admin_listen_if_set(reader).unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

/// Where a role with an API answers besides, if a setting says so.
pub fn admin_listen_if_set(reader: &mut Reader<'_>) -> Option<SocketAddr> {
    let given: Option<ListenAddress> = reader.optional(&vars::ADMIN_LISTEN);
    given.map(|given| given.0)
}
