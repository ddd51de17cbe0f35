//! Where requests may go.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;

use http::uri::PathAndQuery;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use rustls::pki_types::CertificateDer;

use crate::address::{canonical, is_metadata, is_special};
use crate::error::{EgressError, Forbidden, UrlFault};
use crate::origin::{BaseUrl, Origin, Place, Scheme, read};

/// What the operator lets this process reach; the default is the public internet over TLS, and nothing else.
#[derive(Debug, Clone, Default)]
pub struct EgressPolicy {
    allow: Vec<AllowRule>,
    own_listeners: Vec<SocketAddr>,
    extra_roots: Vec<CertificateDer<'static>>,
}

/// An exception that the operator makes, usually for self-hosted models on a private network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AllowRule {
    /// The addresses.
    pub net: IpNet,
    /// The ports; every port where there is none.
    pub ports: Option<RangeInclusive<u16>>,
    /// Whether unencrypted HTTP is let through as well.
    pub plain_http: bool,
}

impl EgressPolicy {
    /// Public addresses over TLS only.
    pub fn new() -> Self {
        Self::default()
    }

    /// Everything but metadata services, also without TLS: for the operator's own command line reaching its
    /// own server; never for a target that a customer can influence.
    pub fn operator() -> Self {
        let everywhere = [IpNet::V4(Ipv4Net::default()), IpNet::V6(Ipv6Net::default())];
        everywhere
            .into_iter()
            .fold(Self::new(), |policy, net| policy.allow(AllowRule { net, ports: None, plain_http: true }))
    }

    /// Adds an exception; metadata services and own listeners stay refused.
    #[must_use]
    pub fn allow(mut self, rule: AllowRule) -> Self {
        self.allow.push(rule);
        self
    }

    /// Refuses an address that this process listens on; an unspecified one (`0.0.0.0`, `::`) means the port
    /// on every address of this machine.
    #[must_use]
    pub fn deny_listener(mut self, address: SocketAddr) -> Self {
        self.own_listeners.push(address);
        self
    }

    /// Trusts more roots than the public ones; see [`roots_from_pem`](crate::roots_from_pem).
    #[must_use]
    pub fn trust_roots(mut self, roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Self {
        self.extra_roots.extend(roots);
        self
    }

    pub(crate) fn extra_roots(&self) -> &[CertificateDer<'static>] {
        &self.extra_roots
    }

    /// Reads a URL and refuses what its text alone shows to be forbidden; names are judged again, by their
    /// addresses, when a connection is made.
    ///
    /// # Errors
    /// [`EgressError::InvalidUrl`] or [`EgressError::Forbidden`].
    pub fn check_url(&self, url: &str) -> Result<Origin, EgressError> {
        self.check_target(url).map(|(origin, _)| origin)
    }

    /// [`check_url`](Self::check_url) for a whole target such as a webhook: also yields path and query.
    ///
    /// # Errors
    /// As `check_url`.
    pub fn check_target(&self, url: &str) -> Result<(Origin, PathAndQuery), EgressError> {
        let url = read(url)?;
        let origin = Origin::of(&url)?;
        let path = match url.query() {
            Some(query) => PathAndQuery::try_from([url.path(), "?", query].concat()),
            None => PathAndQuery::try_from(url.path()),
        };
        self.check_origin(&origin)?;
        Ok((origin, path.map_err(|_| UrlFault::Path)?))
    }

    /// [`check_url`](Self::check_url) for the base of an API: no query, no fragment.
    ///
    /// # Errors
    /// As `check_url`.
    pub fn check_base_url(&self, url: &str) -> Result<BaseUrl, EgressError> {
        let base = BaseUrl::parse(url)?;
        self.check_origin(base.origin())?;
        Ok(base)
    }

    /// What can be said of an origin without resolving its name.
    ///
    /// # Errors
    /// [`EgressError::Forbidden`].
    pub fn check_origin(&self, origin: &Origin) -> Result<(), EgressError> {
        match origin.place() {
            Place::Address(ip) => self.check_addr(SocketAddr::new(*ip, origin.port()), origin.scheme()),
            Place::Name(name) => {
                let needs_rule = NameClass::of(name)? == NameClass::Private;
                if needs_rule && self.allow.is_empty() {
                    return Err(Forbidden::Name.into());
                }
                let mut rules = self.allow.iter().filter(|rule| rule.covers_port(origin.port())).peekable();
                if rules.peek().is_none() && !is_public_port(origin.port()) {
                    return Err(Forbidden::Port.into());
                }
                if origin.scheme() == Scheme::Http && !rules.any(|rule| rule.plain_http) {
                    return Err(Forbidden::PlainHttp.into());
                }
                Ok(())
            }
        }
    }

    /// Judges one address.
    ///
    /// # Errors
    /// [`EgressError::Forbidden`].
    pub fn check_addr(&self, addr: SocketAddr, scheme: Scheme) -> Result<(), EgressError> {
        self.judge(addr, scheme, NameClass::Public)
    }

    /// Judges what a name resolved to; one forbidden answer refuses the lookup, because a resolver that an
    /// attacker feeds would otherwise be asked until it says what he wants.
    pub(crate) fn check_answers(&self, origin: &Origin, answers: &[SocketAddr]) -> Result<(), EgressError> {
        let class = match origin.place() {
            Place::Name(name) => NameClass::of(name)?,
            Place::Address(_) => NameClass::Public,
        };
        answers.iter().try_for_each(|addr| self.judge(*addr, origin.scheme(), class))
    }

    /// Judges an open connection, whose local address also tells whether it ended on this very machine.
    pub(crate) fn check_connected(
        &self,
        local: SocketAddr,
        peer: SocketAddr,
        origin: &Origin,
    ) -> Result<(), EgressError> {
        self.check_answers(origin, &[peer])?;
        let stays_here = canonical(local.ip()) == canonical(peer.ip());
        let port_is_ours = |own: &SocketAddr| own.ip().is_unspecified() && own.port() == peer.port();
        if stays_here && self.own_listeners.iter().any(port_is_ours) {
            return Err(Forbidden::OwnListener.into());
        }
        Ok(())
    }

    fn judge(&self, addr: SocketAddr, scheme: Scheme, class: NameClass) -> Result<(), EgressError> {
        if is_metadata(addr.ip()) {
            return Err(Forbidden::Metadata.into());
        }
        let ip = canonical(addr.ip());
        if self.own_listeners.iter().any(|own| listens_at(own, ip, addr.port())) {
            return Err(Forbidden::OwnListener.into());
        }
        let mut rules = self.allow.iter().filter(|rule| rule.covers(ip, addr.port())).peekable();
        if rules.peek().is_none() {
            if is_special(ip) {
                return Err(Forbidden::Address.into());
            }
            if class == NameClass::Private {
                return Err(Forbidden::Name.into());
            }
            if !is_public_port(addr.port()) {
                return Err(Forbidden::Port.into());
            }
        }
        if scheme == Scheme::Http && !rules.any(|rule| rule.plain_http) {
            return Err(Forbidden::PlainHttp.into());
        }
        Ok(())
    }
}

/// Mail, file and login services live below; HTTP does only on these.
const FIRST_USER_PORT: u16 = 1024;
const PUBLIC_SYSTEM_PORTS: [u16; 2] = [80, 443];

fn is_public_port(port: u16) -> bool {
    port >= FIRST_USER_PORT || PUBLIC_SYSTEM_PORTS.contains(&port)
}

impl AllowRule {
    fn covers(&self, ip: IpAddr, port: u16) -> bool {
        self.net.contains(&ip) && self.covers_port(port)
    }

    fn covers_port(&self, port: u16) -> bool {
        self.ports.as_ref().is_none_or(|ports| ports.contains(&port))
    }
}

fn listens_at(own: &SocketAddr, ip: IpAddr, port: u16) -> bool {
    // Connecting to the unspecified address reaches loopback.
    let target_is_this_machine = ip.is_unspecified() || ip.is_loopback();
    own.port() == port
        && (canonical(own.ip()) == ip
            || ip.is_unspecified()
            || (own.ip().is_unspecified() && target_is_this_machine))
}

/// What a host name says before it is resolved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum NameClass {
    Public,
    /// This machine or its private network, whatever it resolves to: needs an allow rule.
    Private,
}

impl NameClass {
    /// Expects the canonical host of an [`Origin`]: lower case, no final dot.
    fn of(name: &str) -> Result<Self, Forbidden> {
        if METADATA_NAMES.contains(&name) {
            return Err(Forbidden::Metadata);
        }
        let top = name.rsplit('.').next().unwrap_or(name);
        Ok(if PRIVATE_TOPS.contains(&top) { Self::Private } else { Self::Public })
    }
}

const METADATA_NAMES: [&str; 5] =
    ["metadata.google.internal", "metadata.goog", "metadata.tencentyun.com", "metadata", "instance-data"];

const PRIVATE_TOPS: [&str; 5] = ["localhost", "local", "internal", "localdomain", "intranet"];
