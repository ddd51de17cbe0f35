use super::breaker::{Admission, BreakerRules, Ticket};
use super::failure::{Failure, FailureSet};
use super::order::Balance;
use super::retries::Retries;
use std::time::{Duration, Instant};

/// What a route says of attempts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Rules {
    /// Which of several targets comes first.
    pub balance: Balance,
    /// Which failures another attempt is made after.
    pub on: FailureSet,
    /// How often the same place is asked again; none: never.
    pub retries: Option<Retries>,
    /// How long is waited.
    pub timeouts: Timeouts,
    /// When a place is left alone; none: never.
    pub breaker: Option<BreakerRules>,
    /// After how long without an answer a second attempt joins the first; none: never.
    pub hedge_after: Option<Duration>,
}

/// How long is waited; none: as long as the node's configuration says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Timeouts {
    /// For an attempt's head.
    pub attempt: Option<Duration>,
    /// For the first piece of an attempt's answer, from its sending on.
    pub first_token: Option<Duration>,
    /// For each further piece of an answer.
    pub idle: Option<Duration>,
    /// For everything, from when the request has come whole to the answer's end.
    pub total: Option<Duration>,
}

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Ask that target, by its place in the order.
    Send {
        /// Its place.
        target: usize,
        /// Goes back with how it went.
        ticket: Ticket,
    },
    /// Wait until then, and ask again what to do.
    WaitUntil(Instant),
    /// There is nothing left to try.
    GiveUp,
}

/// One request's way through its targets. It is asked what to do [`next`](Self::next), and told how that ended.
#[derive(Debug)]
pub struct Attempts {
    rules: Rules,
    /// How many targets there are, in the order that they are tried in.
    targets: usize,
    /// The one that is tried now.
    current: usize,
    retries: u32,
    due: Option<Instant>,
    deadline: Option<Instant>,
    made: u32,
    hedged: Option<usize>,
}

impl Attempts {
    /// The attempts for a request that is whole since `started`, beginning with target number `first`.
    #[must_use]
    pub fn new(rules: Rules, targets: usize, first: usize, started: Instant) -> Self {
        let deadline = rules.timeouts.total.and_then(|total| started.checked_add(total));
        Self { rules, targets, current: first, retries: 0, due: None, deadline, made: 0, hedged: None }
    }

    /// What to do now. `admit` says whether a target may be asked; one that may not is passed over.
    pub fn next(&mut self, now: Instant, mut admit: impl FnMut(usize) -> Admission) -> Step {
        if self.is_late(now) {
            return Step::GiveUp;
        }
        if let Some(due) = self.due.filter(|due| now < *due) {
            return Step::WaitUntil(due);
        }
        self.due = None;
        while self.current < self.targets {
            if let Admission::Yes(ticket) = admit(self.current) {
                self.made += 1;
                return Step::Send { target: self.current, ticket };
            }
            self.pass_on();
        }
        Step::GiveUp
    }

    /// A second attempt beside the one that is under way, where the rules want one: at the next target that may be asked,
    /// or at the same one if it is the last. One a request, and `may_cost` says whether there is a retry left for it.
    pub fn hedge(
        &mut self,
        now: Instant,
        mut admit: impl FnMut(usize) -> Admission,
        may_cost: impl FnOnce() -> bool,
    ) -> Option<(usize, Ticket)> {
        if self.rules.hedge_after.is_none() || self.hedged.is_some() || self.is_late(now) {
            return None;
        }
        // Whatever comes of it, it is not asked for again.
        self.hedged = Some(self.current);
        if !may_cost() {
            return None;
        }
        let others = (self.current + 1..self.targets).chain([self.current]);
        let mut admitted = others.filter_map(|target| match admit(target) {
            Admission::Yes(ticket) => Some((target, ticket)),
            Admission::OpenUntil(_) => None,
        });
        let (target, ticket) = admitted.next()?;
        self.hedged = Some(target);
        self.made += 1;
        Some((target, ticket))
    }

    /// The attempt at the present target failed, and so has the one beside it, if there was one. `told` is how long the
    /// place has asked to be left alone; `may_cost` takes a retry from what is left of them.
    pub fn failed(
        &mut self,
        failure: Failure,
        told: Option<Duration>,
        now: Instant,
        random: u64,
        may_cost: impl FnOnce() -> bool,
    ) {
        if !self.rules.on.has(failure) {
            self.current = self.targets;
            return;
        }
        if let Some(hedged) = self.hedged.filter(|hedged| *hedged > self.current) {
            self.current = hedged;
            return self.pass_on();
        }
        let wait = self.rules.retries.filter(|_| failure.may_pass());
        let wait = wait.and_then(|retries| retries.wait(self.retries, told, random));
        let due = wait.and_then(|wait| now.checked_add(wait)).filter(|due| !self.is_late(*due));
        match due {
            Some(due) if may_cost() => {
                self.retries += 1;
                self.due = Some(due);
            }
            _ => self.pass_on(),
        }
    }

    /// The present target can't be asked at all: it is passed over, and was no attempt.
    pub fn unusable(&mut self) {
        self.made = self.made.saturating_sub(1);
        self.pass_on();
    }

    /// How many attempts were made.
    #[must_use]
    pub const fn made(&self) -> u32 {
        self.made
    }

    /// The rules.
    #[must_use]
    pub const fn rules(&self) -> &Rules {
        &self.rules
    }

    /// When everything must be over.
    #[must_use]
    pub const fn deadline(&self) -> Option<Instant> {
        self.deadline
    }

    /// May there be another attempt after this one, so that the request must be kept?
    #[must_use]
    pub fn may_try_again(&self) -> bool {
        self.current + 1 < self.targets || self.rules.retries.is_some() || self.rules.hedge_after.is_some()
    }

    fn is_late(&self, now: Instant) -> bool {
        self.deadline.is_some_and(|deadline| now >= deadline)
    }

    fn pass_on(&mut self) {
        self.current += 1;
        self.retries = 0;
        self.due = None;
    }
}
