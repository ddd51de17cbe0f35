//! Every way in which going out can fail.

use std::fmt;

/// Why a target was not reached or its answer not taken.
///
/// The texts are for operators' logs; a customer is shown [`public_reason`](Self::public_reason) only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EgressError {
    /// The text of the URL itself is not acceptable, wherever it would lead.
    #[error("unacceptable target url: {0}")]
    InvalidUrl(UrlFault),
    /// Policy refuses this target.
    #[error("target forbidden by the egress policy: {reason}")]
    Forbidden {
        /// Which rule refused it.
        reason: Forbidden,
    },
    /// The name has no address, or the resolver did not answer.
    #[error("target name does not resolve; check the name and the resolver of this machine")]
    Unresolvable,
    /// No address of the target accepted a connection.
    #[error("target refused the connection; check that it listens there")]
    ConnectFailed,
    /// Resolving, connecting or the TLS handshake took too long.
    #[error("target did not accept a connection in time; check its address and any firewall between")]
    ConnectTimeout,
    /// The TLS handshake failed, or the certificate is not trusted.
    #[error("tls handshake with the target failed; check its certificate and the trusted roots")]
    Tls,
    /// The target does not speak HTTP as it should.
    #[error("target broke the http protocol: {0}")]
    Protocol(Lost),
    /// The answer is larger than the caller's limit.
    #[error("answer of the target is larger than the limit")]
    BodyTooLarge,
    /// The whole exchange took longer than the caller's limit.
    #[error("target did not answer in time")]
    Timeout,
    /// The trusted roots given by the configuration can't be read.
    #[error("trusted roots are not readable; give PEM certificates")]
    InvalidRoots,
}

impl EgressError {
    /// What a customer may hear.
    ///
    /// Forbidden, closed, silent and broken targets all read the same, so that an answer tells nothing about
    /// the network behind the gateway.
    pub fn public_reason(&self) -> &'static str {
        match self {
            Self::InvalidUrl(fault) => fault.as_str(),
            Self::BodyTooLarge => "the target's answer is too large",
            _ => "the target could not be reached; check its address, or ask the operator to allow it",
        }
    }
}

/// What is wrong with the text of a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UrlFault {
    /// Not a URL, or one without a host.
    Unreadable,
    /// Neither `https` nor `http`.
    Scheme,
    /// It carries a user name or password.
    UserInfo,
    /// A base URL carries a query or a fragment.
    QueryOrFragment,
    /// Port 0.
    Port,
    /// A path that is not absolute, leaves its prefix by dot segments, or has illegal characters.
    Path,
}

impl UrlFault {
    /// The fault in words that may be shown to anyone.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "not a url with a host; write it like https://api.example.com/v1",
            Self::Scheme => "scheme is not https; use an https url",
            Self::UserInfo => "url carries a user name or password; remove it",
            Self::QueryOrFragment => "base url carries a query or fragment; remove it",
            Self::Port => "port 0 is not a target; name the real port",
            Self::Path => "path is not absolute, has dot segments or illegal characters; write it out",
        }
    }
}

impl fmt::Display for UrlFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which rule of the policy refused a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forbidden {
    /// An address that is not of the public internet, and no allow rule covers it.
    Address,
    /// A cloud's metadata service: credentials of the machine; no rule can allow it.
    Metadata,
    /// A port that this very process listens on.
    OwnListener,
    /// Unencrypted HTTP where no allow rule says so.
    PlainHttp,
    /// A system port other than 443 of a public address.
    Port,
    /// A host name that means this machine or its private network.
    Name,
}

impl fmt::Display for Forbidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Address => "not a public address; add an egress allow rule if it is meant",
            Self::Metadata => "a cloud metadata service; no rule can allow it",
            Self::OwnListener => "a listener of this server itself",
            Self::PlainHttp => "plain http; use https, or an egress allow rule with plain http",
            Self::Port => "a system port other than 443; add an egress allow rule if it is meant",
            Self::Name => "a private host name; add an egress allow rule for its address if it is meant",
        })
    }
}

impl From<Forbidden> for EgressError {
    fn from(reason: Forbidden) -> Self {
        Self::Forbidden { reason }
    }
}

impl From<UrlFault> for EgressError {
    fn from(fault: UrlFault) -> Self {
        Self::InvalidUrl(fault)
    }
}

/// Why a request of the data plane has no response head.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// Policy or the URL's text refuses the target; nothing was sent, and trying again won't help.
    #[error(transparent)]
    Refused(EgressError),
    /// No connection: name, port, TLS or time; nothing was sent.
    #[error(transparent)]
    Connect(EgressError),
    /// The connection ended before the response head; the target may have acted on the request.
    #[error("upstream ended before its response head: {0}")]
    BeforeHead(Lost),
    /// No response head in time; the target may have acted on the request.
    #[error("upstream sent no response head in time")]
    HeadTimeout,
}

impl SendError {
    /// Whether a byte of the request may have reached the target.
    pub const fn may_have_been_sent(&self) -> bool {
        matches!(self, Self::BeforeHead(_) | Self::HeadTimeout)
    }

    /// What a customer may hear; see [`EgressError::public_reason`].
    pub fn public_reason(&self) -> &'static str {
        match self {
            Self::Refused(error) | Self::Connect(error) => error.public_reason(),
            Self::BeforeHead(_) => "the provider closed the connection before it answered",
            Self::HeadTimeout => "the provider did not answer in time",
        }
    }
}

impl From<EgressError> for SendError {
    fn from(error: EgressError) -> Self {
        match error {
            EgressError::Forbidden { .. } | EgressError::InvalidUrl(_) | EgressError::InvalidRoots => {
                Self::Refused(error)
            }
            _ => Self::Connect(error),
        }
    }
}

/// The response body broke off; what came before it is not the whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("upstream body broke off: {0}")]
pub struct BodyError(pub Lost);

/// How an established connection failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// The peer closed or reset it.
    Closed,
    /// The peer has not read our request for too long.
    Stalled,
    /// The peer sent something that is not HTTP, or a head over the limits.
    Malformed,
    /// Our own request body failed: the client that feeds it is at fault, not the peer.
    RequestBody,
}

impl Lost {
    pub(crate) fn of(error: &hyper::Error) -> Self {
        if error.is_user() {
            Self::RequestBody
        } else if error.is_parse() || error.is_parse_status() {
            Self::Malformed
        } else {
            Self::Closed
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Closed => "connection closed",
            Self::Stalled => "request not read in time",
            Self::Malformed => "malformed message",
            Self::RequestBody => "request body failed",
        })
    }
}
