//! Step 7: every admitted request settles exactly once, at its end or at its drop.

use crate::arrive::Trail;
use crate::entitle::{Entitled, Route};
use crate::forward::now;
use crate::record;
use crate::reserve::Reservation;
use crate::share::Share;
use crate::worker::Worker;
use std::borrow::Cow;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use topdog_domain::Refusal;
use topdog_domain::catalogue::Price;
use topdog_domain::directory::OrgView;
use topdog_domain::guardrail::Tally;
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

struct Open {
    worker: Rc<Worker>,
    share: Share,
    reservation: Reservation,
    stage: Stage,
    facts: Facts,
}

/// What an answer has told of its tokens.
pub(crate) struct Learnt {
    /// What the provider told last; none where it told nothing.
    pub(crate) tokens: Option<TokenUsage>,
    /// How much text of the model's went out, bytes.
    pub(crate) text_bytes: u64,
    /// How much of it went out behind what the provider told, in a stream that did not end.
    pub(crate) untold_text_bytes: u64,
}

impl Learnt {
    pub(crate) const fn of_whole(tokens: Option<TokenUsage>, text_bytes: u64) -> Self {
        Self { tokens, text_bytes, untold_text_bytes: 0 }
    }
}

/// Everything that the record will say, filled in as it becomes known.
pub(crate) struct Facts {
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
    delivered_text_bytes: u64,
    /// Those of them that `tokens` does not count.
    untold_text_bytes: u64,
    pub(crate) bytes_in: u64,
    pub(crate) bytes_out: u64,
    pub(crate) waited: Duration,
    /// Since when something is waited for that is not in `waited` yet.
    waiting_since: Option<Instant>,
    pub(crate) first_byte: Option<Duration>,
    pub(crate) error_code: Option<Cow<'static, str>>,
    /// How long its answer may take, where a policy says so.
    pub(crate) patience: Option<Box<Patience>>,
    /// What guardrails have found; none where there are none.
    pub(crate) judged: Option<Box<Tally>>,
}

/// How long an answer may take.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    /// The longest pause.
    pub(crate) idle: Duration,
    /// When it must be over.
    pub(crate) deadline: Option<Instant>,
}

/// nginx's number for a client that closed; only ever in records.
const CLIENT_CLOSED: u16 = 499;

impl Settlement {
    pub(crate) fn new(
        worker: &Rc<Worker>,
        trail: &Trail,
        entitled: &Entitled,
        reservation: Reservation,
        share: Share,
    ) -> Self {
        let caller = &entitled.caller;
        let facts = Facts {
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
            model_requested: entitled.model_requested.clone(),
            model: entitled.route.model.clone(),
            price: entitled.route.price,
            key_use: None,
            status: CLIENT_CLOSED,
            tokens: None,
            delivered_text_bytes: 0,
            untold_text_bytes: 0,
            bytes_in: entitled.outgoing.len() as u64,
            bytes_out: 0,
            waited: entitled.client_wait,
            waiting_since: None,
            first_byte: None,
            error_code: None,
            patience: None,
            judged: entitled.guard.as_ref().map(|guard| Box::new(guard.tally.clone())),
        };
        Self(Some(Box::new(Open {
            worker: worker.clone(),
            share,
            reservation,
            stage: Stage::Reserved,
            facts,
        })))
    }

    /// The provider key that is about to be used.
    pub(crate) fn key_opened(&mut self, key_use: KeyUse) {
        self.change(|open| open.facts.key_use = Some(key_use));
    }

    /// From now on a provider may be working on the request.
    pub(crate) fn sent(&mut self) {
        self.change(|open| open.stage = Stage::Sent);
    }

    /// An attempt is over, and another may follow: has the provider perhaps worked on it?
    pub(crate) fn attempt_failed(&mut self, may_have_cost: bool) {
        self.change(|open| open.stage = if may_have_cost { Stage::Sent } else { Stage::Rejected });
    }

    /// That is where the answer comes from, by that key, and how long it may take.
    pub(crate) fn went_to(&mut self, route: &Route, key_use: Option<KeyUse>, patience: Patience) {
        self.change(|open| {
            let facts = &mut open.facts;
            facts.provider = route.provider.clone();
            facts.model = route.model.clone();
            facts.price = route.price;
            facts.key_use = key_use;
            facts.patience = Some(Box::new(patience));
        });
    }

    /// How long the answer may take, where that is not as configured.
    pub(crate) fn patience(&self) -> Option<Patience> {
        self.facts().and_then(|facts| facts.patience.as_deref().copied())
    }

    /// What the request takes of the node, for as long as it is not settled.
    pub(crate) fn share(&mut self) -> Option<&mut Share> {
        self.0.as_mut().map(|open| &mut open.share)
    }

    /// The provider has answered with that status. What it was sent is held no longer.
    pub(crate) fn answered(&mut self, status: u16) {
        self.change(|open| {
            open.share.let_go();
            open.facts.status = status;
            open.stage = if status < 400 { Stage::Accepted } else { Stage::Rejected };
        });
    }

    /// No provider has taken the request, or none has answered it.
    pub(crate) fn rejected(&mut self, refusal: &Refusal) {
        self.told(refusal);
        self.change(|open| open.stage = Stage::Rejected);
    }

    /// The client is told that, whatever the provider has answered.
    pub(crate) fn told(&mut self, refusal: &Refusal) {
        self.change(|open| {
            open.facts.status = refusal.status();
            open.facts.error_code = Some(refusal.code().into());
        });
    }

    /// The client is told that status, which says the same in its dialect as the provider's did.
    pub(crate) fn told_status(&mut self, status: u16) {
        self.change(|open| open.facts.status = status);
    }

    /// That many bytes go to the client, having been waited for that long.
    pub(crate) fn relayed(&mut self, bytes: usize, waited: Duration) {
        self.change(|open| {
            let facts = &mut open.facts;
            facts.bytes_out += bytes as u64;
            facts.waited += waited;
            if facts.first_byte.is_none() {
                facts.first_byte = Some(facts.started.elapsed());
            }
        });
    }

    /// So long was waited for the provider or the client.
    pub(crate) fn waited(&mut self, waited: Duration) {
        self.change(|open| open.facts.waited += waited);
    }

    /// From now on, or from the moment that it gives, the provider is waited for. A request that ends meanwhile has
    /// waited until then.
    pub(crate) fn waits(&mut self) -> Instant {
        let now = now();
        self.0.as_mut().map_or(now, |open| *open.facts.waiting_since.get_or_insert(now))
    }

    /// What was waited for has come, or will not.
    pub(crate) fn waits_no_more(&mut self) {
        self.change(|open| open.facts.waits_no_more());
    }

    /// Holds so many bytes of the answer in memory from now on, if there is room for them.
    #[must_use]
    pub(crate) fn hold(&mut self, bytes: usize) -> bool {
        self.0.as_mut().is_some_and(|open| open.share.hold(bytes as u64).is_ok())
    }

    /// Holds nothing of the answer any more.
    pub(crate) fn let_go(&mut self) {
        self.change(|open| open.share.let_go());
    }

    /// That is known of the tokens by now.
    pub(crate) fn learnt(&mut self, Learnt { tokens, text_bytes, untold_text_bytes }: Learnt) {
        self.change(|open| {
            open.facts.tokens = tokens.map(TokenUsage::believable).or(open.facts.tokens);
            open.facts.delivered_text_bytes = text_bytes;
            open.facts.untold_text_bytes = untold_text_bytes;
        });
    }

    /// What went wrong, in a word of the API.
    pub(crate) fn failed(&mut self, code: impl Into<Cow<'static, str>>) {
        self.change(|open| open.facts.error_code = Some(code.into()));
    }

    /// Guardrails have found that in the answer.
    pub(crate) fn judged(&mut self, found: Option<Tally>) {
        if let Some(found) = found {
            self.change(|open| open.facts.judged.get_or_insert_default().extend(&found));
        }
    }

    /// Time in Top Dog so far: what was not waited for client or provider.
    pub(crate) fn overhead(&self) -> Duration {
        let overhead = |open: &Open| open.facts.started.elapsed().saturating_sub(open.facts.waited);
        self.0.as_deref().map_or(Duration::ZERO, overhead)
    }

    /// What is known of the request, for as long as it is not settled.
    pub(crate) fn facts(&self) -> Option<&Facts> {
        self.0.as_deref().map(|open| &open.facts)
    }

    /// Whose request it is, for as long as it is not settled.
    pub(crate) fn org(&self) -> Option<&OrgView> {
        self.0.as_deref().map(|open| open.reservation.caller().org.as_ref())
    }

    /// The provider that it was sent to.
    pub(crate) fn provider(&self) -> ProviderName {
        self.facts().map_or_else(ProviderName::test, |facts| facts.provider.clone())
    }

    /// Settles: what was reserved becomes fact or is given back, and the record goes into the spool. Yields the
    /// request's share of the node, for an answer that is still to be sent.
    pub(crate) fn settle(mut self, outcome: Outcome) -> Option<Share> {
        self.close(outcome)
    }

    /// Settles a request that ends before its answer does: its client has gone, or the node could wait no longer.
    pub(crate) fn abandoned(mut self) {
        self.break_off();
    }

    fn change(&mut self, change: impl FnOnce(&mut Open)) {
        if let Some(open) = &mut self.0 {
            change(open);
        }
    }

    fn break_off(&mut self) {
        let is_ours = self.0.as_deref().is_some_and(|open| open.worker.cutoff.has_come());
        let is_begun = self.facts().is_some_and(|facts| facts.first_byte.is_some());
        if is_ours {
            self.failed(Refusal::ShuttingDown.code());
        }
        if !is_begun {
            let status = if is_ours { Refusal::ShuttingDown.status() } else { CLIENT_CLOSED };
            self.change(|open| open.facts.status = status);
        }
        self.close(if is_ours { Outcome::InternalError } else { Outcome::ClientGone });
    }

    fn close(&mut self, outcome: Outcome) -> Option<Share> {
        let Open { worker, share, reservation, stage, mut facts } = *self.0.take()?;
        facts.waits_no_more();
        let is_counted = matches!(stage, Stage::Sent | Stage::Accepted);
        let source = match facts.tokens {
            Some(_) if facts.untold_text_bytes == 0 || !is_counted => UsageSource::Provider,
            _ if is_counted && facts.operation.is_understood() => UsageSource::Estimated,
            _ => UsageSource::None,
        };
        if is_counted {
            reservation.keep(|| {
                let tokens = facts.tokens_from(source);
                (tokens, facts.price.and_then(|price| worker.parts().catalogue.cost(price, &tokens)))
            });
        }
        record::record(&worker, facts, outcome, is_counted, source);
        Some(share)
    }
}

impl Facts {
    fn waits_no_more(&mut self) {
        self.waited += self.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// The tokens to record: the provider's, else an estimate of four bytes a token, of all or of what came behind those
    /// that it told, else none.
    pub(crate) fn tokens_from(&self, source: UsageSource) -> TokenUsage {
        match source {
            UsageSource::Provider => self.tokens.unwrap_or_default(),
            UsageSource::Estimated if let Some(told) = self.tokens => {
                TokenUsage { output: told.output.saturating_add(self.untold_text_bytes.div_ceil(4)), ..told }
            }
            UsageSource::Estimated => TokenUsage {
                input: topdog_wire::usage::estimate_input(
                    usize::try_from(self.bytes_in).unwrap_or(usize::MAX),
                ),
                output: self.delivered_text_bytes.div_ceil(4),
                ..TokenUsage::default()
            },
            UsageSource::None | UsageSource::Cache => TokenUsage::default(),
        }
    }
}

impl Drop for Settlement {
    fn drop(&mut self) {
        self.break_off();
    }
}
