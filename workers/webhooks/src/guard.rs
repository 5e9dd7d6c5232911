//! Which addresses a delivery may reach: public ones, and those an operator allowed. Tenants' data cannot widen it.
//!
//! Two checks, both needed. Before a request, [`GuardPolicy::check_url`] judges what the URL itself says; it is the only
//! one that sees literal addresses, because reqwest asks no resolver about them. While connecting, [`GuardedResolver`]
//! judges every address that a name resolves to, at the moment it is used: what it hands out is what is connected to, so
//! an answer that changes later (DNS rebinding) is judged like the first.

mod address;
mod resolver;
mod rule;

use std::net::IpAddr;

use url::{Host, Url};

pub use address::is_public;
pub use resolver::{GuardedResolver, Lookup, LookupError, SystemLookup};
pub use rule::{AllowRule, RuleError};

/// What an operator allows; read from the settings only.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GuardPolicy {
    /// Addresses allowed although they are not public, on their ports, also by plain http.
    pub allow: Vec<AllowRule>,
    /// Whether plain http to public addresses is allowed.
    pub http_public: bool,
    /// Ports of public addresses that may be reached.
    pub ports: Vec<u16>,
}

/// How a request enters its host. What a name may resolve to depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Door {
    pub plain_http: bool,
    pub port: u16,
}

/// A URL whose own words were checked; what its name resolves to was not, yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    pub url: Url,
    pub door: Door,
}

/// Why an address may not be reached. Says nothing about what a name resolved to: that is an operator's knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the URL's scheme is neither https nor http")]
    Scheme,
    #[error("the URL has no host")]
    NoHost,
    #[error("the URL holds a user name or password")]
    Userinfo,
    #[error("the URL's host is not a public address, or resolves to one that is not")]
    NotPublic,
    #[error("port {0} may not be reached")]
    Port(u16),
    #[error("plain http may not be used")]
    PlainHttp,
}

impl Refusal {
    /// What the operator or the tenant can do about it.
    pub const fn hint(self) -> &'static str {
        match self {
            Self::Scheme | Self::NoHost => "use a URL such as https://example.com/hooks",
            Self::Userinfo => "put credentials into the `authorization` header",
            Self::NotPublic => "an operator can allow addresses with FLOTILLA_WEBHOOKS_ALLOW",
            Self::Port(_) => "an operator can allow ports with FLOTILLA_WEBHOOKS_PORTS",
            Self::PlainHttp => "use https, or let an operator set FLOTILLA_WEBHOOKS_HTTP",
        }
    }
}

impl GuardPolicy {
    /// Judges scheme, userinfo and port, and the host if it is an address in any notation (the parser has normalized it).
    pub fn check_url(&self, url: &Url) -> Result<Target, Refusal> {
        let plain_http = match url.scheme() {
            "https" => false,
            "http" => true,
            _ => return Err(Refusal::Scheme),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refusal::Userinfo);
        }
        let door = Door { plain_http, port: url.port_or_known_default().ok_or(Refusal::Scheme)? };
        match url.host().ok_or(Refusal::NoHost)? {
            Host::Ipv4(ip) => self.check_address(ip.into(), door)?,
            Host::Ipv6(ip) => self.check_address(ip.into(), door)?,
            Host::Domain(_) => self.check_door(door)?,
        }
        let mut url = url.clone();
        url.set_fragment(None);
        Ok(Target { url, door })
    }

    /// Judges one address to be connected to.
    pub fn check_address(&self, ip: IpAddr, door: Door) -> Result<(), Refusal> {
        let ip = ip.to_canonical();
        if self.allow.iter().any(|rule| rule.covers(ip, door.port)) {
            return Ok(());
        }
        if is_public(ip) { self.check_public_door(door) } else { Err(Refusal::NotPublic) }
    }

    /// Refuses what no address behind this door could make right, so that no name is looked up for it.
    fn check_door(&self, door: Door) -> Result<(), Refusal> {
        if self.allow.iter().any(|rule| rule.covers_port(door.port)) { Ok(()) } else { self.check_public_door(door) }
    }

    fn check_public_door(&self, door: Door) -> Result<(), Refusal> {
        if !self.ports.contains(&door.port) {
            return Err(Refusal::Port(door.port));
        }
        if door.plain_http && !self.http_public { Err(Refusal::PlainHttp) } else { Ok(()) }
    }
}
