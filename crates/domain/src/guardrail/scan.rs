//! How a text is judged by rules, whole or as it comes: either way the same is found.

use super::decision::{BlockCause, GuardrailBlock, Tally};
use super::document::Action;
use super::finder::Tail;
use super::rules::SideRules;
use std::borrow::Cow;
use std::sync::Arc;

/// Bytes behind a match that tell whether it ends there: one character.
const LOOK_AHEAD: usize = 4;
/// Bytes that are kept of what is decided, for the character before the next match.
const LOOK_BEHIND: usize = 8;

/// One text on its way through rules. It is fed in pieces; what is *decided* of it can be taken again, redacted, in
/// pieces of any size. Places are bytes from the text's beginning.
///
/// Whatever the pieces are, the result is that of the whole: whether a match begins at a place depends on no more than a
/// character before it and [`Finder::longest`](super::finder::Finder::longest) bytes and a character behind it, and no
/// place is decided before these are there.
#[derive(Debug)]
pub struct Scan {
    rules: Arc<SideRules>,
    /// The text from `base` on.
    buffer: String,
    base: usize,
    has_ended: bool,
    /// One for each finder.
    cursors: Vec<Cursor>,
    /// What is redacted and not taken yet, in no order.
    spans: Vec<Span>,
    /// Up to where it has been taken.
    taken: usize,
    /// Up to where a redaction that has begun reaches; what is covered needs no second replacement.
    covered: usize,
    tally: Tally,
    blocked: Option<GuardrailBlock>,
    /// Where the first thing begins that keeps the text back.
    blocked_at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Cursor {
    /// All before it is decided.
    at: usize,
    /// The match that runs on at `at`.
    tail: Tail,
}

#[derive(Debug, Clone, Copy)]
struct Span {
    start: usize,
    end: usize,
    rule: usize,
    /// Is it what runs on of a match, which has its replacement already?
    goes_on: bool,
}

impl Scan {
    /// A scan at the beginning of a text.
    #[must_use]
    pub fn new(rules: &Arc<SideRules>) -> Self {
        Self {
            buffer: String::new(),
            base: 0,
            has_ended: false,
            cursors: vec![Cursor { at: 0, tail: Tail::None }; rules.finders().len()],
            spans: Vec::new(),
            taken: 0,
            covered: 0,
            tally: Tally::default(),
            blocked: None,
            blocked_at: usize::MAX,
            rules: rules.clone(),
        }
    }

    /// Takes the next piece of the text.
    pub fn feed(&mut self, piece: &str) {
        self.buffer.push_str(piece);
        self.decide();
    }

    /// The text has ended: all of it is decided.
    pub fn finish(&mut self) {
        self.has_ended = true;
        self.decide();
    }

    /// Bytes from the text's beginning that may go on: they are decided, and stand before all that keeps the text back.
    #[must_use]
    pub fn allowed(&self) -> usize {
        self.decided().min(self.blocked_at)
    }

    /// Bytes from the text's beginning that are decided.
    #[must_use]
    pub fn decided(&self) -> usize {
        self.cursors.iter().map(|cursor| cursor.at).min().unwrap_or(self.end())
    }

    /// What keeps the text back, where a rule does.
    #[must_use]
    pub const fn blocked(&self) -> Option<&GuardrailBlock> {
        self.blocked.as_ref()
    }

    /// What was found so far.
    #[must_use]
    pub const fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Takes the next piece, which must be decided: as it is to go on, which is as it was where nothing in it is
    /// redacted.
    pub fn take<'t>(&mut self, piece: &'t str) -> Cow<'t, str> {
        let (start, end) = (self.taken, self.taken + piece.len());
        self.taken = end;
        if self.covered <= start && self.spans.is_empty() {
            return Cow::Borrowed(piece);
        }
        self.spans.sort_by_key(|span| (span.start, span.rule));
        let within = self.spans.partition_point(|span| span.start < end);
        if within == 0 && self.covered <= start {
            return Cow::Borrowed(piece);
        }
        let mut kept = String::with_capacity(piece.len());
        let mut at = start;
        for span in self.spans.drain(..within) {
            if span.start >= self.covered.max(at) {
                let from = self.covered.max(at);
                kept.push_str(piece.get(from - start..span.start - start).unwrap_or_default());
                at = span.start;
                if !span.goes_on
                    && let Some(rule) = self.rules.rules().get(span.rule)
                {
                    kept.push_str(&rule.replacement);
                }
            }
            self.covered = self.covered.max(span.end);
        }
        let from = self.covered.max(at);
        kept.push_str(piece.get(from.saturating_sub(start)..).unwrap_or_default());
        Cow::Owned(kept)
    }

    fn end(&self) -> usize {
        self.base + self.buffer.len()
    }

    fn decide(&mut self) {
        let rules = self.rules.clone();
        for (place, (rule, finder)) in rules.finders().iter().enumerate() {
            let Some(mut cursor) = self.cursors.get(place).copied() else { continue };
            self.run_on(&mut cursor, *rule);
            // Places from here on are not decided yet.
            let limit = match self.has_ended {
                true => self.end(),
                false => self.floor(self.end().saturating_sub(finder.longest() + LOOK_AHEAD)),
            };
            while cursor.at < limit && matches!(cursor.tail, Tail::None) {
                let found = finder.find(&self.buffer, cursor.at - self.base);
                let Some(found) = found.filter(|found| self.base + found.span.start < limit) else {
                    cursor.at = limit;
                    break;
                };
                let (start, end) = (self.base + found.span.start, self.base + found.span.end);
                self.note(*rule, Span { start, end, rule: *rule, goes_on: false });
                cursor = Cursor { at: end, tail: found.tail };
                self.run_on(&mut cursor, *rule);
            }
            if let Some(slot) = self.cursors.get_mut(place) {
                *slot = cursor;
            }
        }
        self.forget();
    }

    /// Follows a match that runs on, as far as the text has come.
    fn run_on(&mut self, cursor: &mut Cursor, rule: usize) {
        if matches!(cursor.tail, Tail::None) {
            return;
        }
        let rest = self.buffer.get(cursor.at - self.base..).unwrap_or_default();
        let length = rest.find(|c| !cursor.tail.takes(c));
        let end = cursor.at + length.unwrap_or(rest.len());
        if end > cursor.at && self.acts(rule, Action::Redact) {
            self.spans.push(Span { start: cursor.at, end, rule, goes_on: true });
        }
        cursor.at = end;
        if length.is_some() || self.has_ended {
            cursor.tail = Tail::None;
        }
    }

    fn note(&mut self, place: usize, span: Span) {
        let rules = self.rules.clone();
        let Some(rule) = rules.rules().get(place) else { return };
        self.tally.add(&rule.name, rule.action, rules.side(), 1);
        match rule.action {
            Action::Flag => {}
            Action::Redact => self.spans.push(span),
            Action::Block => {
                self.blocked_at = self.blocked_at.min(span.start);
                self.blocked.get_or_insert_with(|| rules.block(rule, BlockCause::Found));
            }
        }
    }

    fn acts(&self, place: usize, action: Action) -> bool {
        self.rules.rules().get(place).is_some_and(|rule| rule.action == action)
    }

    /// The last place up to there where a character begins.
    fn floor(&self, place: usize) -> usize {
        let mut within = place.saturating_sub(self.base);
        while !self.buffer.is_char_boundary(within) {
            within -= 1;
        }
        self.base + within
    }

    /// Lets go of what no finder will look at any more.
    fn forget(&mut self) {
        let needed = self.floor(self.decided().saturating_sub(LOOK_BEHIND));
        let within = needed - self.base;
        // Not for each few bytes: what is behind has to be moved.
        if within >= 1024 || within == self.buffer.len() {
            self.buffer.drain(..within);
            self.base = needed;
        }
    }
}
