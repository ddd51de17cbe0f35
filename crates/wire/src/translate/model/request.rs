//! What is asked.

use super::{AssistantPart, Content, Field, Native, Raw, Spot, Text, Tool, ToolChoice, ToolResult};
use std::borrow::Cow;

/// A request for a chat answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Request<'a> {
    /// The model as the body named it; empty where the dialect names it elsewhere. Writers write the name
    /// that their target gives instead.
    pub model: Cow<'a, str>,
    /// The conversation, instructions included, in its order.
    pub turns: Vec<Turn<'a>>,
    /// What the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Which of them.
    pub tool_choice: Option<Field<ToolChoice<'a>>>,
    /// May it call several at once?
    pub parallel_tool_calls: Option<Field<bool>>,
    /// How the answer is formed.
    pub format: Option<Field<OutputFormat<'a>>>,
    /// The most tokens that it may take, reasoning included.
    pub max_tokens: Option<Field<u64>>,
    /// How wordy it is to be: `low`, `medium`, `high`.
    pub verbosity: Option<Field<Cow<'a, str>>>,
    /// What kinds of answer are wanted, such as `["text","audio"]`.
    pub modalities: Option<Field<Raw<'a>>>,
    /// How the model is to think.
    pub thinking: Thinking,
    /// How tokens are chosen.
    pub sampling: Sampling<'a>,
    /// How the answer is delivered and accounted for.
    pub delivery: Delivery<'a>,
    /// Fields of the body that no other dialect has, unknown ones included.
    pub natives: Vec<Native<'a>>,
}

/// One turn of a conversation.
#[derive(Debug, Clone, PartialEq)]
pub enum Turn<'a> {
    /// Instructions, at the beginning or anywhere later.
    Instructions {
        /// Whose.
        authority: Authority,
        /// What they say.
        parts: Vec<Text<'a>>,
        /// The participant's name.
        name: Option<Field<Cow<'a, str>>>,
        /// Where the turn stood.
        at: Field<()>,
    },
    /// What the user says.
    User {
        /// What it says.
        parts: Vec<Content<'a>>,
        /// The participant's name.
        name: Option<Field<Cow<'a, str>>>,
        /// Where the turn stood.
        at: Field<()>,
    },
    /// What the model said.
    Assistant {
        /// What it said.
        parts: Vec<AssistantPart<'a>>,
        /// The participant's name.
        name: Option<Field<Cow<'a, str>>>,
        /// Where the turn stood.
        at: Field<()>,
    },
    /// What tools gave: all results that came together, in a turn of their own before what the user adds.
    Tools(Vec<ToolResult<'a>>),
}

/// Whose instructions they are. Where a dialect has one kind only, both are that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Authority {
    /// `system`
    System,
    /// `developer`
    Developer,
}

/// How the answer is formed.
#[derive(Debug, Clone, PartialEq)]
pub enum OutputFormat<'a> {
    /// Plain text.
    Text,
    /// Any JSON object.
    JsonObject,
    /// JSON of a schema.
    Schema(SchemaFormat<'a>),
}

/// JSON of a schema.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaFormat<'a> {
    /// The schema's label. Dialects that demand one are given `response` where there is none; dialects
    /// without it need none.
    pub name: Option<Cow<'a, str>>,
    /// What it is for.
    pub description: Option<Field<Cow<'a, str>>>,
    /// The schema, as it stands.
    pub schema: Option<Raw<'a>>,
    /// Must the model keep to it exactly? None: the dialect's default.
    pub strict: Option<Field<bool>>,
}

/// How the model is to think.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Thinking {
    /// Whether, and by what measure.
    pub mode: Option<Field<ThinkingMode>>,
    /// How hard.
    pub effort: Option<Field<Effort>>,
    /// Is what it thinks to be shown? None: the dialect's default.
    pub is_shown: Option<Field<bool>>,
}

/// Whether a model thinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ThinkingMode {
    /// It must not.
    Off,
    /// As long as it sees fit.
    Adaptive,
    /// At most so many tokens.
    Budget(u64),
}

/// How hard a model is to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effort {
    /// `minimal`
    Minimal,
    /// `low`
    Low,
    /// `medium`
    Medium,
    /// `high`
    High,
    /// `xhigh`
    XHigh,
    /// `max`
    Max,
}

/// How tokens are chosen.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sampling<'a> {
    /// 0 to 2, or 0 to 1 in some dialects.
    pub temperature: Option<Field<f64>>,
    /// Only the likeliest tokens that make up this share.
    pub top_p: Option<Field<f64>>,
    /// Only so many of the likeliest tokens.
    pub top_k: Option<Field<u64>>,
    /// For the same answer again.
    pub seed: Option<Field<i64>>,
    /// -2 to 2.
    pub frequency_penalty: Option<Field<f64>>,
    /// -2 to 2.
    pub presence_penalty: Option<Field<f64>>,
    /// Texts that end the answer.
    pub stop: Vec<Field<Cow<'a, str>>>,
    /// How many answers.
    pub n: Option<Field<u64>>,
    /// Are the tokens' probabilities wanted?
    pub logprobs: Option<Field<bool>>,
    /// And of how many alternatives?
    pub top_logprobs: Option<Field<u64>>,
    /// Tokens made likelier or less so, by their number in one tokenizer.
    pub logit_bias: Option<Field<Raw<'a>>>,
}

/// How the answer is delivered and accounted for.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Delivery<'a> {
    /// Is it to be streamed?
    pub is_stream: bool,
    /// Does the caller want usage in the stream? Always so where a dialect always tells it.
    pub wants_usage: bool,
    /// Are the deltas to be padded against eavesdroppers?
    pub obfuscation: Option<Field<bool>>,
    /// At which speed and price.
    pub service_tier: Option<Field<ServiceTier<'a>>>,
    /// Is the answer to be kept at the provider?
    pub store: Option<Field<bool>>,
    /// The caller's own labels, an object of texts.
    pub metadata: Option<Field<Raw<'a>>>,
    /// The caller's own id of its end user.
    pub user: Option<Field<Cow<'a, str>>>,
    /// The same, for abuse detection only.
    pub safety_identifier: Option<Field<Cow<'a, str>>>,
    /// Requests with the same key share a prompt cache.
    pub prompt_cache_key: Option<Field<Cow<'a, str>>>,
    /// How long the provider keeps a prompt cache: `in_memory`, `24h`.
    pub prompt_cache_retention: Option<Field<Cow<'a, str>>>,
}

/// At which speed and price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServiceTier<'a> {
    /// The better one while there is room in it.
    Auto,
    /// The usual one, always.
    Standard,
    /// One that only some provider has, by its name there.
    Named(Cow<'a, str>),
}

impl<'a> Turn<'a> {
    /// Where it stood.
    #[must_use]
    pub fn at(&self) -> Spot {
        match self {
            Self::Instructions { at, .. } | Self::User { at, .. } | Self::Assistant { at, .. } => at.at,
            Self::Tools(results) => results.first().map_or(Spot::NOWHERE, |result| result.at),
        }
    }
}
