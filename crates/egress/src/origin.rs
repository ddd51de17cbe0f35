//! Where a request goes: scheme, host and port, in one canonical form.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::net::IpAddr;
use std::sync::Arc;

use http::HeaderValue;
use http::uri::{Authority, PathAndQuery, Uri};
use rustls::pki_types::ServerName;
use url::{Host, Url};

use crate::error::{EgressError, UrlFault};

/// A scheme, host and port; cheap to clone, and equal exactly when its canonical text is.
///
/// Parsing says nothing about whether policy lets anyone go there.
#[derive(Clone)]
pub struct Origin(Arc<Parts>);

struct Parts {
    scheme: Scheme,
    host: Place,
    port: u16,
    text: String,
    authority: Authority,
    host_header: HeaderValue,
    server_name: ServerName<'static>,
}

/// A host as the connector needs it: something to resolve, or an address that needs no resolver.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    Name(String),
    Address(IpAddr),
}

impl Origin {
    /// Reads the origin of a URL; path and query are ignored.
    ///
    /// # Errors
    /// [`EgressError::InvalidUrl`] when it is not an `http` or `https` URL with a host, or has a user name.
    pub fn parse(url: &str) -> Result<Self, EgressError> {
        Self::of(&read(url)?)
    }

    pub(crate) fn of(url: &Url) -> Result<Self, EgressError> {
        let scheme = match url.scheme() {
            "https" => Scheme::Https,
            "http" => Scheme::Http,
            _ => return Err(UrlFault::Scheme.into()),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::UserInfo.into());
        }
        let host = match url.host().ok_or(UrlFault::Unreadable)? {
            // A final dot names the same host; keeping it would make two origins of one.
            Host::Domain(name) => Place::Name(name.strip_suffix('.').unwrap_or(name).to_owned()),
            Host::Ipv4(ip) => Place::Address(ip.into()),
            Host::Ipv6(ip) => Place::Address(ip.into()),
        };
        let port = url.port().unwrap_or(scheme.default_port());
        if port == 0 {
            return Err(UrlFault::Port.into());
        }
        Self::build(scheme, host, port).ok_or(UrlFault::Unreadable.into())
    }

    fn build(scheme: Scheme, host: Place, port: u16) -> Option<Self> {
        let (host_text, server_name) = match &host {
            Place::Name(name) => (name.clone(), ServerName::try_from(name.clone()).ok()?),
            Place::Address(ip @ IpAddr::V4(_)) => (ip.to_string(), ServerName::from(*ip)),
            Place::Address(ip @ IpAddr::V6(_)) => (format!("[{ip}]"), ServerName::from(*ip)),
        };
        let authority_text =
            if port == scheme.default_port() { host_text } else { format!("{host_text}:{port}") };
        Some(Self(Arc::new(Parts {
            text: format!("{scheme}://{authority_text}"),
            authority: Authority::try_from(authority_text.as_str()).ok()?,
            host_header: HeaderValue::try_from(authority_text).ok()?,
            server_name,
            scheme,
            host,
            port,
        })))
    }

    /// The canonical text, such as `https://api.openai.com`; the default port is left out.
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// Encrypted or not.
    pub fn scheme(&self) -> Scheme {
        self.0.scheme
    }

    /// The port, also where the text leaves it out.
    pub fn port(&self) -> u16 {
        self.0.port
    }

    /// Host and port as a URI's authority.
    pub fn authority(&self) -> &Authority {
        &self.0.authority
    }

    /// Host and port as the `Host` header carries them.
    pub fn host_header(&self) -> &HeaderValue {
        &self.0.host_header
    }

    pub(crate) fn place(&self) -> &Place {
        &self.0.host
    }

    pub(crate) fn server_name(&self) -> &ServerName<'static> {
        &self.0.server_name
    }
}

impl PartialEq for Origin {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for Origin {}

impl Hash for Origin {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.text.hash(state);
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// Encrypted or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scheme {
    /// TLS, the rule.
    Https,
    /// Plain text, where an allow rule says so.
    Http,
}

impl Scheme {
    /// The port that a URL of this scheme need not name.
    pub const fn default_port(self) -> u16 {
        match self {
            Self::Https => 443,
            Self::Http => 80,
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Https => "https",
            Self::Http => "http",
        })
    }
}

/// An origin and the path under which an API lives there, such as `https://api.openai.com/v1`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BaseUrl {
    origin: Origin,
    /// Empty, or begins with a slash and does not end with one.
    prefix: String,
}

impl BaseUrl {
    /// Reads a base URL; says nothing about policy, which
    /// [`EgressPolicy::check_base_url`](crate::EgressPolicy::check_base_url) adds.
    ///
    /// # Errors
    /// [`EgressError::InvalidUrl`], also for a query or a fragment.
    pub fn parse(url: &str) -> Result<Self, EgressError> {
        let url = read(url)?;
        let origin = Origin::of(&url)?;
        if url.query().is_some() || url.fragment().is_some() {
            return Err(UrlFault::QueryOrFragment.into());
        }
        let prefix = url.path().trim_end_matches('/');
        if has_dot_segments(prefix) {
            return Err(UrlFault::Path.into());
        }
        Ok(Self { origin, prefix: prefix.to_owned() })
    }

    /// The origin, which is all that policy and the pool look at.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The path before every request's own; empty at the root.
    pub fn path_prefix(&self) -> &str {
        &self.prefix
    }

    /// The origin-form URI of a path (with an optional query) under this base.
    ///
    /// # Errors
    /// [`UrlFault::Path`] when it does not begin with a slash, could climb out of the prefix by dot segments
    /// (plain or percent-encoded), or has characters that a request line can't carry.
    pub fn join(&self, path_and_query: &str) -> Result<Uri, EgressError> {
        let path = path_and_query.split('?').next().unwrap_or_default();
        if !path.starts_with('/') || has_dot_segments(path) {
            return Err(UrlFault::Path.into());
        }
        let joined = if self.prefix.is_empty() {
            PathAndQuery::try_from(path_and_query)
        } else {
            PathAndQuery::try_from([self.prefix.as_str(), path_and_query].concat())
        };
        joined.map(Uri::from).map_err(|_| UrlFault::Path.into())
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin, self.prefix)
    }
}

pub(crate) fn read(url: &str) -> Result<Url, EgressError> {
    // The WHATWG reader drops spaces, tabs and newlines silently; a text that needs that is not what
    // its writer sees.
    if url.bytes().any(|byte| byte <= b' ' || byte == 0x7f || byte == b'\\') {
        return Err(UrlFault::Unreadable.into());
    }
    Url::parse(url).map_err(|_| UrlFault::Unreadable.into())
}

/// Whether a server that decodes before it resolves could climb out of the path.
fn has_dot_segments(path: &str) -> bool {
    if !path.contains('.') && !path.contains('%') {
        return false;
    }
    let decoded = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace("%5c", "/");
    decoded.split(['/', '\\']).any(|segment| {
        // Some servers cut path parameters off first.
        let name = segment.split(';').next().unwrap_or(segment);
        name == "." || name == ".."
    })
}
