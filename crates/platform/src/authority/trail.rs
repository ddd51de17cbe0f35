use crate::edge::RequestTag;
use std::fmt;
use std::net::IpAddr;
use topdog_domain::audit::{Actor, AuditDraft};
use topdog_domain::{OrgId, RequestId, Timestamp};

/// What every audit entry of a request says: who, what, when, from where, in which request.
#[derive(Debug, Clone)]
pub(crate) struct Trail {
    /// When the request came.
    pub(crate) at: Timestamp,
    /// Who makes it.
    pub(crate) actor: Actor,
    /// Its id.
    pub(crate) request: Option<RequestId>,
    action: &'static str,
    ip: Option<IpAddr>,
    client_request: Option<String>,
}

impl Trail {
    /// A trail of the operator's; see [`Trail::of_actor`].
    pub(super) fn new(
        at: Timestamp,
        action: &'static str,
        ip: Option<IpAddr>,
        tag: Option<&RequestTag>,
    ) -> Self {
        let is_theirs = |tag: &&RequestTag| tag.shown() != tag.id.to_string();
        Self {
            at,
            actor: Actor::Operator,
            request: tag.map(|tag| tag.id),
            action,
            ip,
            client_request: tag.filter(is_theirs).map(|tag| tag.shown().to_owned()),
        }
    }

    pub(super) fn of_actor(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    /// An entry in that organisation's chain: the route's own action, done to `target`.
    pub(crate) fn draft(&self, org: OrgId, target: impl fmt::Display) -> AuditDraft {
        let mut draft = AuditDraft::new(self.at, org, self.actor.clone(), self.action, target);
        draft.request = self.request;
        draft.ip = self.ip.map(|ip| ip.to_string());
        match &self.client_request {
            Some(name) => draft.with("client_request_id", name),
            None => draft,
        }
    }

    /// Who calls, in one word: what idempotency keys are scoped to.
    pub(crate) fn caller(&self) -> String {
        match &self.actor {
            Actor::ApiKey(id) => id.clone(),
            Actor::Operator | Actor::System => "operator".to_owned(),
        }
    }
}
