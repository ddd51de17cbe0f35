//! A request, written.

use super::read_request::is_known_to_chat;
use super::settings::{put_include, put_reasoning, put_text};
use super::tools::{put_choice, put_tool};
use super::write_input::put_turns;
use crate::translate::codec::Target;
use crate::translate::json::Json;
use crate::translate::losses::Losses;
use crate::translate::model::{Delivery, Field, Maker, Native, Request, Sampling};
use crate::translate::openai::settings::Accounting;
use crate::translate::unsaid::{Unsaid, note_form, note_sampling};

pub(super) fn write(request: Request<'_>, target: &Target<'_>, losses: &mut Losses) -> Vec<u8> {
    let Request {
        model: _,
        turns,
        tools,
        tool_choice,
        parallel_tool_calls,
        format,
        max_tokens,
        verbosity,
        modalities,
        thinking,
        sampling,
        delivery,
        natives,
    } = request;
    let mut json = Json::with_capacity(2048);
    json.open('{').key("model").string(target.model);
    put_turns(&mut json, turns, target.traits, losses);
    let has_tools = !tools.is_empty();
    if has_tools {
        json.key("tools").open('[');
        for tool in tools {
            put_tool(&mut json, tool, losses);
        }
        json.close(']');
    }
    if let Some(choice) = tool_choice {
        put_choice(&mut json, choice, has_tools, losses);
    }
    if let Some(parallel) = parallel_tool_calls {
        json.key("parallel_tool_calls").bool(parallel.value);
    }
    put_text(&mut json, (format, verbosity));
    put_limit(&mut json, max_tokens, losses);
    note_form(None, modalities, losses);
    put_reasoning(&mut json, thinking, max_tokens, losses);
    let wants_logprobs = put_sampling(&mut json, sampling, losses);
    put_delivery(&mut json, delivery, losses);
    for native in put_include(&mut json, wants_logprobs, natives) {
        let Native { owner, name, value, at } = native;
        let is_known = owner == Maker::OpenAi && is_known_to_chat(&name);
        if is_known || owner == Maker::OpenAiResponses {
            json.key(&name).raw(value.text());
        } else {
            losses.note(at, "it has no counterpart");
        }
    }
    json.close('}');
    json.into_bytes()
}

fn put_limit(json: &mut Json, max_tokens: Option<Field<u64>>, losses: &mut Losses) {
    const LEAST: u64 = 16;
    let Some(most) = max_tokens else { return };
    if most.value < LEAST {
        losses.note(most.at, "an answer may take 16 tokens at least; it is sent as 16");
    }
    json.key("max_output_tokens").count(most.value.max(LEAST));
}

/// Says whether probabilities of tokens are to be included.
fn put_sampling(json: &mut Json, sampling: Sampling<'_>, losses: &mut Losses) -> bool {
    let Sampling {
        temperature,
        top_p,
        top_k,
        seed,
        frequency_penalty,
        presence_penalty,
        stop,
        n,
        logprobs,
        top_logprobs,
        logit_bias,
    } = sampling;
    for (name, number) in [("temperature", temperature), ("top_p", top_p)] {
        if let Some(number) = number {
            json.key(name).number(number.value);
        }
    }
    if let Some(top) = top_logprobs {
        json.key("top_logprobs").count(top.value);
    }
    if let Some(top_k) = top_k {
        losses.note(top_k.at, "tokens can't be limited to the likeliest few");
    }
    for text in stop {
        losses.note(text.at, "no text can end an answer");
    }
    let unsaid = Unsaid {
        seed,
        frequency_penalty,
        presence_penalty,
        n,
        logprobs: None,
        top_logprobs: None,
        logit_bias,
    };
    note_sampling(unsaid, losses);
    logprobs.is_some_and(|logprobs| logprobs.value)
}

fn put_delivery(json: &mut Json, delivery: Delivery<'_>, losses: &mut Losses) {
    let Delivery {
        is_stream,
        // Always told, at the end of a stream too.
        wants_usage: _,
        obfuscation,
        service_tier,
        store,
        metadata,
        user,
        safety_identifier,
        prompt_cache_key,
        prompt_cache_retention,
    } = delivery;
    if is_stream {
        json.key("stream").bool(true);
        if let Some(obfuscation) = obfuscation {
            json.key("stream_options").open('{');
            json.key("include_obfuscation").bool(obfuscation.value).close('}');
        }
    }
    // Left out, the provider would keep what was said; elsewhere it doesn't.
    json.key("store").bool(store.is_some_and(|store| store.value));
    let accounting = Accounting {
        service_tier,
        metadata,
        user,
        safety_identifier,
        prompt_cache_key,
        prompt_cache_retention,
    };
    accounting.put(json, losses);
}
