//! What can be said: by one dialect, or by two. The facts that the generators of [`model`](crate::model)
//! go by: each thing that not all dialects have, with those that have it.

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
            Dialect::OpenAiResponses => Maker::OpenAiResponses,
            Dialect::Cohere => Maker::Cohere,
            Dialect::BedrockConverse => Maker::Bedrock,
            Dialect::Gemini => Maker::Gemini,
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
        self.is_among(&[Dialect::OpenAiResponses, Dialect::OpenAiChat, Dialect::Anthropic, Dialect::Cohere])
    }

    /// Whose files can be named?
    pub(crate) fn keeper(self) -> Maker {
        match self.maker {
            Maker::OpenAiResponses => Maker::OpenAi,
            maker => maker,
        }
    }

    /// Is reasoning sealed by OpenAI, and told in summaries?
    pub(crate) fn has_summaries(self) -> bool {
        self.has_responses() && self.is_among(&[Dialect::OpenAiChat, Dialect::OpenAiResponses])
    }

    /// Are there tools that take free text, and a choice among some tools?
    pub(crate) fn has_custom_tools(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::OpenAiResponses])
    }

    /// Must an answer's schema have a label?
    pub(crate) fn has_labels(self) -> bool {
        matches!(self.dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses)
    }

    /// Can what the model said be marked to be cached?
    pub(crate) fn has_marks_on_answers(self) -> bool {
        !self.has_responses()
    }

    /// Is a tool that isn't strict told from one of which nothing is said?
    pub(crate) fn has_lax_tools(self) -> bool {
        !self.has_responses()
    }

    /// Can texts end an answer?
    pub(crate) fn has_stop_texts(self) -> bool {
        !self.has_responses()
    }

    /// Does an answer tell when it was made?
    pub(crate) fn has_dates(self) -> bool {
        matches!(self.dialect, Dialect::OpenAiChat | Dialect::OpenAiResponses)
    }

    /// Is any side Responses?
    fn has_responses(self) -> bool {
        self.dialect == Dialect::OpenAiResponses || self.other == Some(Dialect::OpenAiResponses)
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
            || self.is_geminis()
    }

    /// Is it all Gemini's own, which takes back no other maker's reasoning?
    pub(crate) fn is_geminis(self) -> bool {
        self.is_own() && self.has_gemini()
    }

    /// Can reasoning without a seal be sent back?
    pub(crate) fn has_bare_reasoning(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Cohere])
    }

    /// Is there a place for a summary of reasoning, between what is said and what is called?
    pub(crate) fn has_plans(self) -> bool {
        self.is_among(&[Dialect::Cohere])
    }

    pub(crate) fn has_cache_marks(self) -> bool {
        self.is_among(&[
            Dialect::OpenAiResponses,
            Dialect::OpenAiChat,
            Dialect::Anthropic,
            Dialect::BedrockConverse,
        ])
    }

    pub(crate) fn has_files(self) -> bool {
        self.is_among(&[
            Dialect::OpenAiResponses,
            Dialect::OpenAiChat,
            Dialect::Anthropic,
            Dialect::BedrockConverse,
            Dialect::Gemini,
        ])
    }

    /// Is each tool strict or not for itself?
    pub(crate) fn has_strict_tools(self) -> bool {
        self.is_among(&[
            Dialect::OpenAiResponses,
            Dialect::OpenAiChat,
            Dialect::Anthropic,
            Dialect::BedrockConverse,
        ])
    }

    /// May the choice of a tool be left to the model in so many words, and be one function?
    pub(crate) fn has_every_choice(self) -> bool {
        self.is_among(&[
            Dialect::OpenAiResponses,
            Dialect::OpenAiChat,
            Dialect::Anthropic,
            Dialect::BedrockConverse,
            Dialect::Gemini,
        ])
    }

    /// Has it choices of a tool that only its maker understands?
    pub(crate) fn has_own_choices(self) -> bool {
        self.is_own()
            && self.is_among(&[
                Dialect::OpenAiResponses,
                Dialect::OpenAiChat,
                Dialect::Anthropic,
                Dialect::BedrockConverse,
            ])
    }

    pub(crate) fn has_json_objects(self) -> bool {
        self.is_among(&[Dialect::OpenAiResponses, Dialect::OpenAiChat, Dialect::Cohere, Dialect::Gemini])
    }

    pub(crate) fn has_efforts(self) -> bool {
        self.is_among(&[
            Dialect::OpenAiResponses,
            Dialect::OpenAiChat,
            Dialect::Anthropic,
            Dialect::BedrockConverse,
            Dialect::Gemini,
        ])
    }

    /// Can a model be told to think as long as it sees fit, without an effort?
    pub(crate) fn has_bare_thinking(self) -> bool {
        self.is_among(&[Dialect::Anthropic, Dialect::Cohere])
    }

    /// Can a model be told how many tokens to think?
    pub(crate) fn has_budgets(self) -> bool {
        self.is_among(&[Dialect::Cohere, Dialect::Gemini])
    }

    pub(crate) fn has_top_k(self) -> bool {
        self.is_among(&[Dialect::Anthropic, Dialect::Cohere, Dialect::Gemini])
    }

    pub(crate) fn has_seeds(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Cohere])
    }

    pub(crate) fn has_penalties(self) -> bool {
        self.is_among(&[Dialect::OpenAiChat, Dialect::Cohere, Dialect::Gemini])
    }

    pub(crate) fn has_logprobs(self) -> bool {
        self.is_among(&[Dialect::OpenAiResponses, Dialect::OpenAiChat, Dialect::Cohere, Dialect::Gemini])
    }

    pub(crate) fn has_service_tiers(self) -> bool {
        self.is_among(&[Dialect::OpenAiResponses, Dialect::OpenAiChat, Dialect::Anthropic])
    }

    pub(crate) fn has_users(self) -> bool {
        self.is_among(&[Dialect::OpenAiResponses, Dialect::OpenAiChat, Dialect::Anthropic])
    }

    /// Does the body name the model, and say whether a stream is wanted, rather than the path?
    pub(crate) fn has_all_in_body(self) -> bool {
        !self.has_converse() && !self.has_gemini()
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
        self.is_among(&[Dialect::Anthropic, Dialect::BedrockConverse, Dialect::Gemini])
    }

    /// Are images fetched from addresses, files kept, and given any name?
    pub(crate) fn has_addresses(self) -> bool {
        !self.has_converse()
    }

    /// Can calls be kept to one at a time?
    pub(crate) fn has_parallel_calls(self) -> bool {
        !self.has_converse() && !self.has_cohere() && !self.has_gemini()
    }

    /// May a conversation hold calls though no tools are offered?
    pub(crate) fn has_calls_without_tools(self) -> bool {
        !self.has_converse()
    }

    /// Does an answer name its model?
    pub(crate) fn has_models_in_answers(self) -> bool {
        self.has_all_in_body() && !self.has_cohere()
    }

    /// Are tokens told apart that are reasoned, and those that are written to a cache?
    pub(crate) fn has_fine_usage(self) -> bool {
        !self.has_cohere()
    }

    /// Is any side Cohere?
    fn has_cohere(self) -> bool {
        self.dialect == Dialect::Cohere || self.other == Some(Dialect::Cohere)
    }

    /// Is any side Gemini?
    fn has_gemini(self) -> bool {
        self.dialect == Dialect::Gemini || self.other == Some(Dialect::Gemini)
    }

    /// Is any side Converse?
    fn has_converse(self) -> bool {
        self.dialect == Dialect::BedrockConverse || self.other == Some(Dialect::BedrockConverse)
    }
}
