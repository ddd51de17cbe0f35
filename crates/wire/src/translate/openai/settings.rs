//! Settings of a request that both dialects have, read and written.

use super::words;
use crate::translate::effort;
use crate::translate::json::{Fields, Json};
use crate::translate::losses::{Losses, Malformed};
use crate::translate::model::{Delivery, Effort, Field, Raw, ServiceTier, Thinking, ThinkingMode};
use std::borrow::Cow;

/// How the answer is delivered and accounted for.
pub(in crate::translate) fn delivery<'a>(
    fields: &mut Fields<'a>,
    losses: &mut Losses,
) -> Result<Delivery<'a>, Malformed> {
    let mut wants_usage = false;
    let mut obfuscation = None;
    if let Some(mut options) = fields.object("stream_options")? {
        wants_usage = options.truth("include_usage")?.is_some_and(|wants| wants.value);
        obfuscation = options.truth("include_obfuscation")?;
        options.finish(losses);
    }
    Ok(Delivery {
        is_stream: fields.truth("stream")?.is_some_and(|stream| stream.value),
        wants_usage,
        obfuscation,
        service_tier: fields.text("service_tier")?.map(|tier| tier.map(words::service_tier)),
        store: fields.truth("store")?,
        metadata: fields.raw("metadata"),
        user: fields.text("user")?,
        safety_identifier: fields.text("safety_identifier")?,
        prompt_cache_key: fields.text("prompt_cache_key")?,
        prompt_cache_retention: fields.text("prompt_cache_retention")?,
    })
}

/// What an effort tells of thinking; `none` is no effort but a mode.
pub(in crate::translate) fn thinking(told: &Field<Cow<'_, str>>, losses: &mut Losses) -> Thinking {
    let at = told.at;
    if told.value == "none" {
        let mode = Some(Field { value: ThinkingMode::Off, at });
        return Thinking { mode, ..Thinking::default() };
    }
    let Some(effort) = words::effort(&told.value) else {
        losses.unknown(at);
        return Thinking::default();
    };
    // Who sets how hard a model reasons wants it to reason.
    Thinking {
        mode: Some(Field { value: ThinkingMode::Adaptive, at }),
        effort: Some(Field { value: effort, at }),
        is_shown: None,
    }
}

/// The effort that says how to think, if any has to be said.
pub(in crate::translate) fn effort_of_thinking(
    mode: Option<Field<ThinkingMode>>,
    effort: Option<Field<Effort>>,
    max_tokens: Option<Field<u64>>,
    losses: &mut Losses,
) -> Option<&'static str> {
    let word = match (mode.map(|mode| mode.value), effort) {
        (Some(ThinkingMode::Off), effort) => {
            if let Some(effort) = effort {
                losses.note(effort.at, "without reasoning there is no effort to set");
            }
            Some("none")
        }
        (_, Some(effort)) => Some(words::effort_word(effort.value)),
        (Some(ThinkingMode::Budget(budget)), None) => {
            Some(words::effort_word(effort::nearest(budget, max_tokens.map(|most| most.value))))
        }
        (Some(ThinkingMode::Adaptive) | None, None) => None,
    };
    if let Some(Field { value: ThinkingMode::Budget(_), at }) = mode {
        losses.note(at, "reasoning is limited by effort only; the nearest is sent");
    }
    word
}

/// At what price, for whom and under which labels: spelled alike in both dialects.
pub(in crate::translate) struct Accounting<'a> {
    pub(in crate::translate) service_tier: Option<Field<ServiceTier<'a>>>,
    pub(in crate::translate) metadata: Option<Field<Raw<'a>>>,
    pub(in crate::translate) user: Option<Field<Cow<'a, str>>>,
    pub(in crate::translate) safety_identifier: Option<Field<Cow<'a, str>>>,
    pub(in crate::translate) prompt_cache_key: Option<Field<Cow<'a, str>>>,
    pub(in crate::translate) prompt_cache_retention: Option<Field<Cow<'a, str>>>,
}

impl Accounting<'_> {
    pub(in crate::translate) fn put(self, json: &mut Json, losses: &mut Losses) {
        let Self {
            service_tier,
            metadata,
            user,
            safety_identifier,
            prompt_cache_key,
            prompt_cache_retention,
        } = self;
        if let Some(tier) = service_tier {
            json.key("service_tier").string(match &tier.value {
                ServiceTier::Auto => "auto",
                ServiceTier::Standard => "default",
                ServiceTier::Named(name) => name,
            });
        }
        if let Some(metadata) = metadata {
            json.key("metadata").raw(metadata.value.text());
        }
        put_id(json, "user", user, losses);
        put_id(json, "safety_identifier", safety_identifier, losses);
        put_id(json, "prompt_cache_key", prompt_cache_key, losses);
        if let Some(retention) = prompt_cache_retention {
            json.key("prompt_cache_retention").string(&retention.value);
        }
    }
}

fn put_id(json: &mut Json, name: &str, id: Option<Field<Cow<'_, str>>>, losses: &mut Losses) {
    const LONGEST: usize = 64;
    let Some(id) = id else { return };
    if id.value.chars().count() > LONGEST {
        losses.note(id.at, "an id has at most 64 characters");
    } else {
        json.key(name).string(&id.value);
    }
}
