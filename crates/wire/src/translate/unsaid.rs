//! What several dialects have no words for, noted once for all of them.

use super::losses::Losses;
use super::model::{Field, Raw};
use std::borrow::Cow;

/// How tokens are chosen, as far as only a few dialects can say it.
pub(crate) struct Unsaid<'a> {
    pub(crate) seed: Option<Field<i64>>,
    pub(crate) frequency_penalty: Option<Field<f64>>,
    pub(crate) presence_penalty: Option<Field<f64>>,
    pub(crate) n: Option<Field<u64>>,
    pub(crate) logprobs: Option<Field<bool>>,
    pub(crate) top_logprobs: Option<Field<u64>>,
    pub(crate) logit_bias: Option<Field<Raw<'a>>>,
}

pub(crate) fn note_sampling(unsaid: Unsaid<'_>, losses: &mut Losses) {
    let Unsaid { seed, frequency_penalty, presence_penalty, n, logprobs, top_logprobs, logit_bias } = unsaid;
    if let Some(seed) = seed {
        losses.note(seed.at, "answers can't be made the same again");
    }
    for penalty in [frequency_penalty, presence_penalty].into_iter().flatten() {
        if penalty.value != 0.0 {
            losses.note(penalty.at, "repetition can't be penalised");
        }
    }
    if let Some(n) = n.filter(|n| n.value != 1) {
        losses.note(n.at, "one request gets one answer");
    }
    if let Some(logprobs) = logprobs.filter(|logprobs| logprobs.value) {
        losses.note(logprobs.at, "probabilities of tokens are not told");
    }
    if let Some(top) = top_logprobs.filter(|top| top.value > 0) {
        losses.note(top.at, "probabilities of tokens are not told");
    }
    if let Some(bias) = logit_bias.filter(|bias| bias.value.text() != "{}") {
        losses.note(bias.at, "tokens can't be made likelier or less so");
    }
}

/// How wordy an answer is, and in what kinds of media: not to be set where answers are text.
pub(crate) fn note_form(
    verbosity: Option<Field<Cow<'_, str>>>,
    modalities: Option<Field<Raw<'_>>>,
    losses: &mut Losses,
) {
    if let Some(verbosity) = verbosity.filter(|verbosity| verbosity.value != "medium") {
        losses.note(verbosity.at, "how wordy an answer is can't be set");
    }
    if let Some(modalities) = modalities {
        let told: String = modalities.value.text().split_ascii_whitespace().collect();
        if told != r#"["text"]"# {
            losses.note(modalities.at, "answers are text only");
        }
    }
}

/// How an answer is padded and kept, and a prompt cached unmarked.
pub(crate) struct Kept<'a> {
    pub(crate) obfuscation: Option<Field<bool>>,
    pub(crate) store: Option<Field<bool>>,
    pub(crate) prompt_cache_key: Option<Field<Cow<'a, str>>>,
    pub(crate) prompt_cache_retention: Option<Field<Cow<'a, str>>>,
}

pub(crate) fn note_kept(kept: Kept<'_>, losses: &mut Losses) {
    let Kept { obfuscation, store, prompt_cache_key, prompt_cache_retention } = kept;
    if let Some(obfuscation) = obfuscation.filter(|obfuscation| obfuscation.value) {
        losses.note(obfuscation.at, "streams are not padded");
    }
    if let Some(store) = store.filter(|store| store.value) {
        losses.note(store.at, "answers are not kept");
    }
    for hint in [prompt_cache_key, prompt_cache_retention].into_iter().flatten() {
        losses.note(hint.at, "a prompt is cached where it is marked, and not by this");
    }
}
