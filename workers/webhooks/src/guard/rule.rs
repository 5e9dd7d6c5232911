//! An operator's exception: `address[/prefix][:port]`, with brackets around IPv6 when a port follows.

use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;

/// Addresses, and perhaps one port, that may be reached although they are not public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AllowRule {
    net: IpNet,
    /// `None`: any.
    port: Option<u16>,
}

/// The text is no such exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not of the form address[/prefix][:port], such as 127.0.0.1:9000, 10.0.0.0/8 or [::1]:9000 (names are not allowed here)")]
pub struct RuleError;

impl AllowRule {
    pub fn covers(&self, ip: IpAddr, port: u16) -> bool {
        self.covers_port(port) && self.net.contains(&ip)
    }

    pub fn covers_port(&self, port: u16) -> bool {
        self.port.is_none_or(|only| only == port)
    }
}

impl FromStr for AllowRule {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let (net_text, port_text) = split(text).ok_or(RuleError)?;
        let port = port_text.map(|digits| digits.parse::<u16>().ok().filter(|port| *port > 0).ok_or(RuleError));
        Ok(Self { net: net_of(&net_text).ok_or(RuleError)?, port: port.transpose()? })
    }
}

/// Cuts the port off. Without brackets, an IPv6 address has none: its last group would look like one.
fn split(text: &str) -> Option<(String, Option<&str>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']')?;
        let (prefix, port) = rest.split_once(':').map_or((rest, None), |(prefix, port)| (prefix, Some(port)));
        return Some((format!("{address}{prefix}"), port));
    }
    match text.split_once(':') {
        Some((net, port)) if !port.contains(':') && net.contains('.') => Some((net.to_owned(), Some(port))),
        _ => Some((text.to_owned(), None)),
    }
}

fn net_of(text: &str) -> Option<IpNet> {
    let net = if text.contains('/') { text.parse::<IpNet>().ok()? } else { IpNet::from(text.parse::<IpAddr>().ok()?) };
    // Addresses are compared in canonical form: a rule in mapped form would never match.
    match (net.addr().to_canonical(), net) {
        (IpAddr::V4(v4), IpNet::V6(v6)) => ipnet::Ipv4Net::new(v4, v6.prefix_len().checked_sub(96)?).ok().map(IpNet::V4),
        _ => Some(net),
    }
}
