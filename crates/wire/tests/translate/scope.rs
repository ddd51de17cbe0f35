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
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
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
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
    }

    pub(crate) fn has_files(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
    }

    /// Is each tool strict or not for itself?
    pub(crate) fn has_strict_tools(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
    }

    /// May the choice of a tool be left to the model in so many words, and be one function?
    pub(crate) fn has_every_choice(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
    }

    /// Has it choices of a tool that only its maker understands?
    pub(crate) fn has_own_choices(self) -> bool {
        self.is_own() && self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
    }

    pub(crate) fn has_json_objects(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat])
    }

    pub(crate) fn has_efforts(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Anthropic])
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
}
