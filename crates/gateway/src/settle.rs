//! Step 7: every admitted request settles exactly once, at its end or at its drop.

use crate::arrive::Trail;
use crate::entitle::Entitled;
use crate::record;
use crate::reserve::Reservation;
use crate::worker::Worker;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use topdog_domain::catalogue::Price;
use topdog_domain::labels::Labels;
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::usage::{KeyUse, Outcome, TokenUsage, UsageSource};
use topdog_domain::{ApiKeyId, OrgId, RequestId, Timestamp, WorkspaceId};

/// How far a request has come; decides whether it counts where it breaks off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    /// Nothing has left for a provider.
    Reserved,
    /// The provider may have begun to work on it.
    Sent,
    /// The provider answered with a success.
    Accepted,
    /// The provider answered with an error, or can't be reached.
    Rejected,
}

/// An admitted request on its way to being settled. Dropped, it settles as one whose client has gone.
pub(crate) struct Settlement(Option<Box<Open>>);

/// Everything that the record will say, filled in as it becomes known.
pub(crate) struct Open {
    pub(crate) worker: Rc<Worker>,
    reservation: Reservation,
    stage: Stage,
    pub(crate) request: RequestId,
    pub(crate) at: Timestamp,
    pub(crate) started: Instant,
    pub(crate) labels: Labels,
    pub(crate) org: OrgId,
    pub(crate) workspace: Option<WorkspaceId>,
    pub(crate) api_key: ApiKeyId,
    pub(crate) client_ip: IpAddr,
    pub(crate) operation: Operation,
    pub(crate) is_stream: bool,
    pub(crate) provider: ProviderName,
    pub(crate) model_requested: Arc<str>,
    pub(crate) model: Arc<str>,
    pub(crate) price: Option<Price>,
    pub(crate) key_use: Option<KeyUse>,
    pub(crate) status: u16,
    pub(crate) tokens: Option<TokenUsage>,
    pub(crate) delivered_text_bytes: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) waited: Duration,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) error_code: Option<&'static str>,
}

/// nginx's number for a client that closed; only ever in records.
const CLIENT_CLOSED: u16 = 499;

impl Settlement {
    pub(crate) fn new(
        worker: &Rc<Worker>,
        trail: &Trail,
        entitled: &Entitled,
        reservation: Reservation,
    ) -> Self {
        let caller = &entitled.caller;
        worker.parts().metrics.in_flight.inc();
        Self(Some(Box::new(Open {
            worker: worker.clone(),
            reservation,
            stage: Stage::Reserved,
            request: trail.request,
            at: trail.at,
            started: trail.started,
            labels: trail.labels.get(),
            org: caller.key.org,
            workspace: caller.key.workspace,
            api_key: caller.key.id,
            client_ip: entitled.client_ip,
            operation: entitled.operation,
            is_stream: entitled.is_stream,
            provider: entitled.route.provider.clone(),
            model_requested: entitled.route.model_requested.clone(),
            model: entitled.route.model.clone(),
            price: entitled.route.price,
            key_use: None,
            status: CLIENT_CLOSED,
            tokens: None,
            delivered_text_bytes: 0,
            bytes_in: entitled.outgoing.len() as u64,
            bytes_out: 0,
            waited: entitled.client_wait,
            first_byte: None,
            error_code: None,
        })))
    }

    /// The provider key that is about to be used.
    pub(crate) fn key_opened(&mut self, key_use: KeyUse) {
        self.change(|open| open.key_use = Some(key_use));
    }

    /// From now on a provider may be working on the request.
    pub(crate) fn sent(&mut self) {
        self.change(|open| open.stage = Stage::Sent);
    }

    /// The provider has answered with that status, after that wait.
    pub(crate) fn answered(&mut self, status: u16, waited: Duration) {
        self.change(|open| {
            open.status = status;
            open.waited += waited;
            open.stage = if status < 400 { Stage::Accepted } else { Stage::Rejected };
        });
    }

    /// No provider has taken the request, or none has answered it.
    pub(crate) fn rejected(&mut self, status: u16, code: &'static str) {
        self.change(|open| {
            open.status = status;
            open.error_code = Some(code);
            open.stage = Stage::Rejected;
        });
    }

    /// That many bytes go to the client, having been waited for that long.
    pub(crate) fn relayed(&mut self, bytes: usize, waited: Duration) {
        self.change(|open| {
            open.bytes_out += bytes as u64;
            open.waited += waited;
            if open.first_byte.is_none() {
                open.first_byte = Some(open.started.elapsed());
            }
        });
    }

    /// So long was waited for the provider or the client.
    pub(crate) fn waited(&mut self, waited: Duration) {
        self.change(|open| open.waited += waited);
    }

    /// What is known of the tokens by now: what the provider told, and how much text went out.
    pub(crate) fn learnt(&mut self, tokens: Option<TokenUsage>, delivered_text_bytes: u64) {
        self.change(|open| {
            open.tokens = tokens.or(open.tokens);
            open.delivered_text_bytes = delivered_text_bytes;
        });
    }

    /// What went wrong, in a word of the API.
    pub(crate) fn failed(&mut self, code: &'static str) {
        self.change(|open| open.error_code = Some(code));
    }

    /// Time in Top Dog so far: what was not waited for client or provider.
    pub(crate) fn overhead(&self) -> Duration {
        self.0.as_ref().map_or(Duration::ZERO, |open| open.started.elapsed().saturating_sub(open.waited))
    }

    /// The provider that it was sent to.
    pub(crate) fn provider(&self) -> ProviderName {
        self.0.as_ref().map_or_else(ProviderName::test, |open| open.provider.clone())
    }

    /// Settles: what was reserved becomes fact or is given back, and the record goes into the spool.
    pub(crate) fn settle(mut self, outcome: Outcome) {
        self.close(outcome);
    }

    fn change(&mut self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = &mut self.0 {
            change(open);
        }
    }

    fn close(&mut self, outcome: Outcome) {
        let Some(open) = self.0.take() else { return };
        let Open { stage, .. } = *open;
        let is_counted = matches!(stage, Stage::Sent | Stage::Accepted);
        let source = open.source(stage);
        record::record(&open, outcome, is_counted, source);
        open.worker.parts().metrics.in_flight.dec();
        if is_counted {
            open.reservation.keep();
        } else {
            open.reservation.keep_api_call();
        }
    }
}

impl Open {
    fn source(&self, stage: Stage) -> UsageSource {
        match (self.tokens, stage) {
            (Some(_), _) => UsageSource::Provider,
            (None, Stage::Sent | Stage::Accepted) => UsageSource::Estimated,
            (None, Stage::Reserved | Stage::Rejected) => UsageSource::None,
        }
    }

    /// The tokens to record: the provider's, else an estimate of four bytes a token, else none.
    pub(crate) fn tokens_from(&self, source: UsageSource) -> TokenUsage {
        match source {
            UsageSource::Provider => self.tokens.unwrap_or_default(),
            UsageSource::Estimated => TokenUsage {
                input: topdog_wire::usage::estimate_input(
                    usize::try_from(self.bytes_in).unwrap_or(usize::MAX),
                ),
                output: self.delivered_text_bytes.div_ceil(4),
                ..TokenUsage::default()
            },
            UsageSource::None => TokenUsage::default(),
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        self.close(Outcome::ClientGone);
    }
}
