//! What can be said: by one dialect, or by two. A dialect's own file of facts for the generators of
//! [`model`](crate::model): each thing that not all dialects have, with those that have it.

use topdog_wire::translate::Dialect;
use topdog_wire::translate::model::Maker;

/// What can be said: all that one dialect has, or only what two have.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scope {
    pub(crate) dialect: Dialect,
    pub(crate) maker: Maker,
    other: Option<Dialect>,
}

impl Scope {
    pub(crate) fn of(dialect: Dialect) -> Self {
        let maker = match dialect {
            Dialect::OpenAiChat => Maker::OpenAi,
            Dialect::Anthropic => Maker::Anthropic,
            Dialect::BedrockConverse => Maker::Bedrock,
        };
        Self { dialect, maker, other: None }
    }

    /// What both can say, in the first one's words.
    pub(crate) fn shared_by(dialect: Dialect, other: Dialect) -> Self {
        Self { other: Some(other), ..Self::of(dialect) }
    }

    /// Are all dialects of the scope among these, which have something?
    fn is_among(self, those: &[Dialect]) -> bool {
        those.contains(&self.dialect) && self.other.is_none_or(|other| those.contains(&other))
    }

    /// May it say what only its own maker understands?
    pub(crate) fn is_own(self) -> bool {
        self.other.is_none()
    }

    /// Can instructions stand in between?
    pub(crate) fn has_late_instructions(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
    }

    /// May it say what only chat has?
    pub(crate) fn has_chats(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat])
    }

    /// May it say what only Messages has?
    pub(crate) fn has_claudes(self) -> bool {
        self.is_among(&[Dialect::Anthropic])
    }

    /// Does reasoning come with seals, which return byte for byte?
    pub(crate) fn has_seals(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic, Dialect::BedrockConverse])
    }

    /// Can reasoning without a seal be sent back?
    pub(crate) fn has_bare_reasoning(self) -> bool {
        self.is_among(&[])
    }

    /// Is there a place for a summary of reasoning, between what is said and what is called?
    pub(crate) fn has_plans(self) -> bool {
        self.is_among(&[])
    }

    pub(crate) fn has_cache_marks(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic, Dialect::BedrockConverse])
    }

    pub(crate) fn has_files(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic, Dialect::BedrockConverse])
    }

    /// Is each tool strict or not for itself?
    pub(crate) fn has_strict_tools(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic, Dialect::BedrockConverse])
    }

    /// May the choice of a tool be left to the model in so many words, and be one function?
    pub(crate) fn has_every_choice(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic, Dialect::BedrockConverse])
    }

    /// Has it choices of a tool that only its maker understands?
    pub(crate) fn has_own_choices(self) -> bool {
        self.is_own() && self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic, Dialect::BedrockConverse])
    }

    pub(crate) fn has_json_objects(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat])
    }

    pub(crate) fn has_efforts(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic, Dialect::BedrockConverse])
    }

    /// Can a model be told to think as long as it sees fit, without an effort?
    pub(crate) fn has_bare_thinking(self) -> bool {
        self.is_among(&[])
    }

    /// Can a model be told how many tokens to think?
    pub(crate) fn has_budgets(self) -> bool {
        self.is_among(&[])
    }

    pub(crate) fn has_top_k(self) -> bool {
        self.is_among(&[Dialect::Anthropic])
    }

    pub(crate) fn has_seeds(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat])
    }

    pub(crate) fn has_penalties(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat])
    }

    pub(crate) fn has_logprobs(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat])
    }

    pub(crate) fn has_service_tiers(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
    }

    pub(crate) fn has_users(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
    }

    /// Does the body name the model, and say whether a stream is wanted, rather than the path?
    pub(crate) fn has_all_in_body(self) -> bool {
        !self.has_converse()
    }

    /// Does another maker take back what a maker withheld?
    pub(crate) fn has_withheld_reasoning(self) -> bool {
        self.is_own() || !self.has_converse()
    }

    /// Can a mark of what to cache be on anything, and for five minutes or an hour?
    pub(crate) fn has_claudes_marks(self) -> bool {
        self.is_among(&[Dialect::Anthropic, Dialect::BedrockConverse])
    }

    /// Can the parts of a tool's result be marked, each for itself?
    pub(crate) fn has_marks_in_results(self) -> bool {
        !self.has_converse()
    }

    pub(crate) fn has_failed_results(self) -> bool {
        self.is_among(&[Dialect::Anthropic, Dialect::BedrockConverse])
    }

    /// Are images fetched from addresses, files kept, and given any name?
    pub(crate) fn has_addresses(self) -> bool {
        !self.has_converse()
    }

    /// Can calls be kept to one at a time?
    pub(crate) fn has_parallel_calls(self) -> bool {
        !self.has_converse()
    }

    /// May a conversation hold calls though no tools are offered?
    pub(crate) fn has_calls_without_tools(self) -> bool {
        !self.has_converse()
    }

    /// Is any side Converse?
    fn has_converse(self) -> bool {
        self.dialect == Dialect::BedrockConverse || self.other == Some(Dialect::BedrockConverse)
    }
}
