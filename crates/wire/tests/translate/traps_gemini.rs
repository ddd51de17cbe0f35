//! Gemini's requests, answers and errors: the facts that are got wrong, one test each.

use crate::given::{CONTEXT, answer, lenient, refused, strict, target, try_request};
use serde_json::{Value, json};
use std::time::Duration;
use topdog_domain::usage::TokenUsage;
use topdog_wire::translate::Dialect::{Anthropic, Gemini, OpenAiChat};
use topdog_wire::translate::{self, Mode, ModelTraits, Target, ThinkingStyle, prove};

fn gemini(parts: Value) -> String {
    json!({"contents": [{"role": "user", "parts": [{"text": "go"}]}, {"role": "model", "parts": parts}]})
        .to_string()
}

fn gemini_with(fields: Value) -> String {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn chat_with(fields: Value) -> String {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn said(parts: Value, finish: &str) -> String {
    json!({"candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": finish}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, "totalTokenCount": 2}})
    .to_string()
}

fn function() -> Value {
    json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}])
}

#[test]
fn names_in_snake_case_and_single_values_are_read() {
    let body = json!({"system_instruction": {"parts": {"text": "s"}}, "contents": {"parts": {"text": "u"}},
        "generation_config": {"max_output_tokens": 5, "stop_sequences": "END", "top_p": 0.5}});
    let sent = strict(Gemini, OpenAiChat, &body.to_string());
    let expected = json!([{"role": "system", "content": "s"}, {"role": "user", "content": "u"}]);
    assert_eq!(sent["messages"], expected);
    assert_eq!((&sent["max_completion_tokens"], &sent["stop"]), (&json!(5), &json!(["END"])));
    let body =
        json!({"contents": [{"parts": [{"text": "u", "no_such": 1}]}], "generation_config": {"odd_one": 1}});
    let paths = refused(Gemini, OpenAiChat, &body.to_string());
    assert_eq!(paths, ["contents[0].parts[0].no_such", "generation_config.odd_one"]);
}

#[test]
fn calls_without_ids_are_paired_with_their_results_by_name_and_order() {
    let body = json!({"contents": [
        {"role": "model", "parts": [
            {"functionCall": {"name": "a", "args": {"n": 1}}}, {"functionCall": {"name": "b"}},
            {"functionCall": {"name": "a", "args": {"n": 2}}}]},
        {"role": "user", "parts": [
            {"functionResponse": {"name": "b", "response": {"output": "of b"}}},
            {"functionResponse": {"name": "a", "response": {"output": "of first a"}}},
            {"functionResponse": {"name": "a", "response": {"output": "of second a"}}}]}]});
    let sent = strict(Gemini, OpenAiChat, &body.to_string());
    let calls = sent["messages"][0]["tool_calls"].as_array().unwrap();
    let id = |name: &str, arguments: &str| {
        let is =
            |call: &&Value| call["function"]["name"] == name && call["function"]["arguments"] == arguments;
        calls.iter().find(is).unwrap()["id"].clone()
    };
    let result = |position: usize| {
        let message = &sent["messages"][position];
        (message["tool_call_id"].clone(), message["content"].as_str().unwrap())
    };
    assert_eq!(result(1), (id("b", "{}"), "of b"));
    assert_eq!(result(2), (id("a", "{\"n\":1}"), "of first a"));
    assert_eq!(result(3), (id("a", "{\"n\":2}"), "of second a"));
}

#[test]
fn results_carry_the_name_of_the_function_that_gave_them() {
    let body = chat_with(json!({"messages": [
        {"role": "assistant", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "r"}, {"role": "user", "content": "and?"}]}));
    let sent = strict(OpenAiChat, Gemini, &body);
    let expected = json!({"role": "user", "parts": [
        {"functionResponse": {"id": "1", "name": "f", "response": {"output": "r"}}}, {"text": "and?"}]});
    assert_eq!(sent["contents"][1], expected);
}

#[test]
fn what_a_tool_gave_survives_there_and_back_whatever_it_is() {
    for text in [
        "plain",
        "",
        "{}",
        "{\"a\": 1}",
        "{\"output\":\"x\"}",
        "{\"error\": \"x\"}",
        "[1]",
        "{\n\"a\": 1}",
        " {\"a\":1}",
        "{\"a\": 1",
    ] {
        let body = chat_with(json!({"messages": [{"role": "tool", "tool_call_id": "1", "content": text}]}));
        let sent = try_request(OpenAiChat, Gemini, Mode::Strict, &body).unwrap();
        let sent = std::str::from_utf8(&sent.body).unwrap();
        let told: Value = serde_json::from_str(sent).unwrap();
        let response = &told["contents"][0]["parts"][0]["functionResponse"]["response"];
        assert!(response.is_object(), "{response}");
        assert_eq!(strict(Gemini, OpenAiChat, sent)["messages"][0]["content"], text);
    }
    let failed = json!({"max_tokens": 1, "messages": [{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "1", "is_error": true, "content": "no"}]}]});
    let sent = strict(Anthropic, Gemini, &failed.to_string());
    assert_eq!(sent["contents"][0]["parts"][0]["functionResponse"]["response"], json!({"error": "no"}));
    let back = strict(Gemini, Anthropic, &sent.to_string());
    assert_eq!(back["messages"], failed["messages"]);
}

/// BerriAI/litellm#25322: `thoughtSignature` may be on any part, and Gemini 3 refuses a call without it.
#[test]
fn signatures_return_on_the_parts_on_which_they_came_byte_for_byte() {
    let parts = json!([
        {"text": "**Plan**", "thought": true, "thoughtSignature": "OfThought+/=="},
        {"text": "Look: é", "thoughtSignature": "OfText+/="},
        {"text": "unsigned"},
        {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "OfCall+/="},
        {"functionCall": {"id": "2", "name": "f", "args": {}}},
    ]);
    for client in [OpenAiChat, Anthropic] {
        let told = answer(Gemini, client, &said(parts.clone(), "STOP"));
        let message = match client {
            OpenAiChat => told["choices"][0]["message"].clone(),
            _ => json!({"role": "assistant", "content": told["content"]}),
        };
        let body = json!({"max_tokens": 9, "messages": [{"role": "user", "content": "go"}, message]});
        let sent = strict(client, Gemini, &body.to_string());
        let mut back = sent["contents"][1]["parts"].clone();
        if client == OpenAiChat {
            // Chat has one text.
            assert_eq!(back[1]["text"], "Look: éunsigned");
            back[1]["text"] = json!("Look: é");
            back.as_array_mut().unwrap().insert(2, json!({"text": "unsigned"}));
        }
        assert_eq!(back, parts, "{client:?}");
    }
}

#[test]
fn a_signature_without_a_text_keeps_its_place() {
    let parts = json!([{"functionCall": {"id": "1", "name": "f", "args": {}}, "thoughtSignature": "A+/="},
        {"text": "", "thoughtSignature": "B+/="}]);
    let told = answer(Gemini, Anthropic, &said(parts.clone(), "STOP"));
    let body = json!({"max_tokens": 9, "messages": [{"role": "assistant", "content": told["content"]}]});
    assert_eq!(strict(Anthropic, Gemini, &body.to_string())["contents"][0]["parts"], parts);
}

#[test]
fn a_call_of_another_model_is_signed_as_the_manual_says_where_signatures_are_demanded() {
    let call = |id: &str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = chat_with(json!({"messages": [{"role": "assistant", "tool_calls": [call("1"), call("2")]}]}));
    let sent = strict(OpenAiChat, Gemini, &body);
    let parts = &sent["contents"][0]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts[1].get("thoughtSignature"), None);
    let back = strict(Gemini, OpenAiChat, &sent.to_string());
    assert_eq!(back["messages"][0]["tool_calls"], json!([call("1"), call("2")]));

    let traits = ModelTraits { thinking: ThinkingStyle::Budget, ..target().traits };
    let older = Target { traits, ..target() };
    let sent = translate::request(OpenAiChat, Gemini, body.as_bytes(), Mode::Strict, &older).unwrap();
    assert!(!String::from_utf8_lossy(&sent.body).contains("thoughtSignature"));
}

#[test]
fn seals_of_other_makers_pass_through_a_gemini_client_in_either_alphabet() {
    let claude = json!({"id": "m", "content": [
        {"type": "thinking", "thinking": "hm", "signature": "Ab+/=="}, {"type": "redacted_thinking", "data": "Em?>+/="},
        {"type": "text", "text": "x"}], "stop_reason": "end_turn", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let told = answer(Anthropic, Gemini, &claude.to_string());
    let mut content = told["candidates"][0]["content"].clone();
    for part in content["parts"].as_array_mut().unwrap() {
        if let Some(signature) = part.get("thoughtSignature").and_then(Value::as_str) {
            // As Google's Python SDK returns it.
            part["thoughtSignature"] = signature.replace('+', "-").replace('/', "_").into();
        }
    }
    let body = json!({"contents": [{"role": "user", "parts": [{"text": "go"}]}, content]});
    let sent = strict(Gemini, Anthropic, &body.to_string());
    assert_eq!(sent["messages"][1]["content"], claude["content"]);
}

#[test]
fn reasoning_of_another_maker_is_not_sent_to_gemini() {
    let body = json!({"max_tokens": 1, "messages": [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}]}]});
    assert_eq!(refused(Anthropic, Gemini, &body.to_string()), ["messages[0].content[0]"]);
}

#[test]
fn googles_own_schemas_become_json_schema() {
    let own = json!({"type": "OBJECT", "properties": {
        "type": {"type": "STRING", "nullable": true, "maxLength": "8", "enum": ["A"]},
        "list": {"type": "ARRAY", "min_items": 1, "items": {"any_of": [{"type": "INTEGER"}, {"type": "NUMBER"}]}}},
        "required": ["type"], "propertyOrdering": ["type", "list"]});
    let expected = json!({"type": "object", "properties": {
        "type": {"type": ["string", "null"], "maxLength": 8, "enum": ["A"]},
        "list": {"type": "array", "minItems": 1, "items": {"anyOf": [{"type": "integer"}, {"type": "number"}]}}},
        "required": ["type"]});
    let body = gemini_with(json!({"tools": {"functionDeclarations": {"name": "f", "parameters": own}},
        "generationConfig": {"responseMimeType": "application/json", "responseSchema": own}}));
    let sent = strict(Gemini, OpenAiChat, &body);
    assert_eq!(sent["tools"][0]["function"]["parameters"], expected);
    assert_eq!(sent["response_format"]["json_schema"]["schema"], expected);
}

#[test]
fn json_schemas_are_sent_as_they_are() {
    let schema = json!({"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string"}}});
    let body = chat_with(json!({
        "tools": [{"type": "function", "function": {"name": "f", "parameters": schema}}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": schema, "strict": true}}}));
    let sent = strict(OpenAiChat, Gemini, &body);
    assert_eq!(sent["tools"][0]["functionDeclarations"][0]["parametersJsonSchema"], schema);
    let config = json!({"responseMimeType": "application/json", "responseJsonSchema": schema});
    assert_eq!(sent["generationConfig"], config);
}

#[test]
fn choices_of_tools_map_both_ways() {
    let named = |names: Value| json!({"mode": "ANY", "allowedFunctionNames": names});
    let several = |mode: &str| {
        let name = |name: &str| json!({"type": "function", "function": {"name": name}});
        json!({"type": "allowed_tools", "allowed_tools": {"mode": mode, "tools": [name("f"), name("g")]}})
    };
    for (chat, own) in [
        (json!("auto"), json!({"mode": "AUTO"})),
        (json!("none"), json!({"mode": "NONE"})),
        (json!("required"), json!({"mode": "ANY"})),
        (json!({"type": "function", "function": {"name": "f"}}), named(json!(["f"]))),
        (several("required"), named(json!(["f", "g"]))),
        (several("auto"), json!({"mode": "VALIDATED", "allowedFunctionNames": ["f", "g"]})),
    ] {
        let body = chat_with(json!({"tools": function(), "tool_choice": chat}));
        let sent = strict(OpenAiChat, Gemini, &body);
        assert_eq!(sent["toolConfig"]["functionCallingConfig"], own);
        assert_eq!(strict(Gemini, OpenAiChat, &sent.to_string())["tool_choice"], chat);
    }
}

#[test]
fn strict_functions_are_a_mode_of_all() {
    let mut tools = function();
    tools[0]["function"]["strict"] = json!(true);
    let sent = strict(OpenAiChat, Gemini, &chat_with(json!({"tools": tools})));
    assert_eq!(sent["toolConfig"]["functionCallingConfig"], json!({"mode": "VALIDATED"}));
    assert_eq!(strict(Gemini, OpenAiChat, &sent.to_string())["tools"], tools);
}

#[test]
fn thinking_is_a_level_or_a_number_of_tokens_and_never_both() {
    let config = |body: &str, thinking| {
        let target = Target { traits: ModelTraits { thinking, ..target().traits }, ..target() };
        let sent = translate::request(OpenAiChat, Gemini, body.as_bytes(), Mode::Lenient, &target).unwrap();
        serde_json::from_slice::<Value>(&sent.body).unwrap()["generationConfig"]["thinkingConfig"].take()
    };
    let high = chat_with(json!({"reasoning_effort": "high"}));
    assert_eq!(config(&high, ThinkingStyle::Effort), json!({"thinkingLevel": "HIGH"}));
    assert_eq!(config(&high, ThinkingStyle::Budget), json!({"thinkingBudget": 24576}));
    assert_eq!(config(&high, ThinkingStyle::None), Value::Null);
    let off = chat_with(json!({"reasoning_effort": "none"}));
    assert_eq!(config(&off, ThinkingStyle::Budget), json!({"thinkingBudget": 0}));
    let claude = json!({"max_tokens": 9000, "messages": [{"role": "user", "content": "x"}],
        "thinking": {"type": "enabled", "budget_tokens": 2000}});
    let sent = strict(Anthropic, Gemini, &claude.to_string());
    assert_eq!(sent["generationConfig"]["thinkingConfig"], json!({"thinkingBudget": 2000}));
    let dynamic = gemini_with(json!({"generationConfig": {"thinkingConfig": {"thinkingBudget": -1}}}));
    assert_eq!(strict(Gemini, Anthropic, &dynamic)["thinking"], json!({"type": "adaptive"}));
}

#[test]
fn what_gemini_has_no_place_for_is_named() {
    let body = chat_with(json!({"user": "u", "logit_bias": {"1": 2}, "parallel_tool_calls": false,
        "tools": function(), "seed": 5_000_000_000_u64, "verbosity": "low"}));
    let paths = refused(OpenAiChat, Gemini, &body);
    assert_eq!(paths, ["logit_bias", "parallel_tool_calls", "seed", "user", "verbosity"]);
    let body =
        gemini_with(json!({"safetySettings": [], "cachedContent": "c", "tools": [{"googleSearch": {}}]}));
    assert_eq!(refused(Gemini, OpenAiChat, &body), ["cachedContent", "safetySettings", "tools[0]"]);
}

#[test]
fn files_that_google_keeps_are_no_addresses() {
    let file = |uri: &str| json!([{"role": "user", "parts": [{"fileData": {"mimeType": "image/png", "fileUri": uri}}]}]);
    let kept = json!({"contents": file("https://generativelanguage.googleapis.com/v1beta/files/a")});
    assert_eq!(refused(Gemini, OpenAiChat, &kept.to_string()), ["contents[0].parts[0]"]);
    let kept = json!({"contents": file("gs://bucket/a.png")});
    assert_eq!(refused(Gemini, Anthropic, &kept.to_string()), ["contents[0].parts[0]"]);
    let sent = strict(Gemini, OpenAiChat, &json!({"contents": file("https://e.com/a.png")}).to_string());
    assert_eq!(sent["messages"][0]["content"][0]["image_url"]["url"], "https://e.com/a.png");
}

#[test]
fn an_answer_that_calls_is_not_said_to_be_over() {
    let call = json!([{"functionCall": {"name": "f", "args": {}}}]);
    let told = answer(Gemini, OpenAiChat, &said(call.clone(), "STOP"));
    assert_eq!(told["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!(told["choices"][0]["message"]["tool_calls"][0]["id"], "call_req1_1");
    assert_eq!(answer(Gemini, Anthropic, &said(call, "STOP"))["stop_reason"], "tool_use");
    for (from, to) in [
        ("STOP", "stop"),
        ("MAX_TOKENS", "length"),
        ("SAFETY", "content_filter"),
        ("RECITATION", "content_filter"),
        ("MALFORMED_FUNCTION_CALL", "length"),
        ("OTHER", "length"),
    ] {
        let told = answer(Gemini, OpenAiChat, &said(json!([{"text": "x"}]), from));
        assert_eq!(told["choices"][0]["finish_reason"], to, "{from}");
    }
}

/// vercel/ai#4235: a blocked prompt has no candidates.
#[test]
fn a_blocked_prompt_is_an_answer_that_was_filtered() {
    let body = json!({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}});
    let told = translate::answer(Gemini, OpenAiChat, body.to_string().as_bytes(), &CONTEXT).unwrap();
    assert_eq!(told.usage.unwrap().input, 9);
    let body: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(body["choices"][0]["finish_reason"], "content_filter");
    assert_eq!(body["choices"][0]["message"]["refusal"], "the prompt was blocked: SAFETY");
    let nothing = translate::answer(Gemini, OpenAiChat, b"{\"modelVersion\":\"m\"}", &CONTEXT).unwrap_err();
    assert_eq!(nothing.path, "candidates");
}

#[test]
fn thoughts_are_beside_the_answer_and_the_cache_is_within_the_prompt() {
    let usage = |told: Value| {
        let body = json!({"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": "STOP"}],
            "usageMetadata": told});
        translate::answer(Gemini, OpenAiChat, body.to_string().as_bytes(), &CONTEXT).unwrap().usage
    };
    let expected = TokenUsage {
        input: 43,
        cache_read: 64,
        cache_write_5m: 0,
        cache_write_1h: 0,
        output: 40,
        reasoning: 200,
    };
    let told = json!({"promptTokenCount": 100, "cachedContentTokenCount": 64, "toolUsePromptTokenCount": 7,
        "candidatesTokenCount": 40, "thoughtsTokenCount": 200, "totalTokenCount": 347});
    assert_eq!(usage(told.clone()), Some(expected));
    // Where a model tells no thoughts, the total does.
    let mut untold = told;
    untold["thoughtsTokenCount"] = Value::Null;
    assert_eq!(usage(untold), Some(expected));
    assert_eq!(usage(json!({"trafficType": "ON_DEMAND"})), None);
}

#[test]
fn spans_in_bytes_are_told_in_characters() {
    let body = json!({"candidates": [{"content": {"parts": [{"text": "Größe: 5 m"}]}, "finishReason": "STOP",
        "citationMetadata": {"citationSources": [{"startIndex": 9, "endIndex": 12, "uri": "https://e.com"}]}}]});
    let told = answer(Gemini, OpenAiChat, &body.to_string());
    let citation = &told["choices"][0]["message"]["annotations"][0]["url_citation"];
    assert_eq!((&citation["start_index"], &citation["end_index"]), (&json!(7), &json!(10)));
}

#[test]
fn errors_keep_their_class_and_tell_how_long_to_wait() {
    let told = |to, status, body: Value| {
        let (status, body) = translate::error(Gemini, to, status, body.to_string().as_bytes());
        (status, serde_json::from_slice::<Value>(&body).unwrap())
    };
    // A wrong key is a 400.
    let key = json!({"error": {"code": 400, "message": "m", "status": "INVALID_ARGUMENT", "details": [
        {"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": "API_KEY_INVALID"}]}});
    assert_eq!(told(OpenAiChat, 400, key.clone()).0, 401);
    assert_eq!(told(Anthropic, 400, key).1["error"]["type"], "authentication_error");
    let quota = json!([{"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED", "details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.5s"}]}}]);
    assert_eq!(told(Anthropic, 429, quota.clone()).1["error"]["type"], "rate_limit_error");
    let wait = translate::retry_after(Gemini, quota.to_string().as_bytes());
    assert_eq!(wait, Some(Duration::from_millis(34_500)));
    assert_eq!(translate::retry_after(OpenAiChat, quota.to_string().as_bytes()), None);
    let odd = json!({"error": {"details": [
        {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "-1s"}]}});
    assert_eq!(translate::retry_after(Gemini, odd.to_string().as_bytes()), None);
    let money = json!({"error": {"code": 402, "message": "m", "status": "RESOURCE_EXHAUSTED"}});
    assert_eq!(told(OpenAiChat, 402, money).0, 402);

    let rate = json!({"error": {"message": "slow down", "type": "requests", "code": "rate_limit_exceeded"}});
    let (status, body) = translate::error(OpenAiChat, Gemini, 429, rate.to_string().as_bytes());
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, &body["error"]["status"]), (429, &json!("RESOURCE_EXHAUSTED")));
    assert_eq!(body["error"]["code"], 429);
}

#[test]
fn several_answers_and_probabilities_cross() {
    let body = json!({"candidates": [
        {"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP", "index": 0, "logprobsResult": {
            "chosenCandidates": [{"token": "a", "logProbability": -0.5}],
            "topCandidates": [{"candidates": [{"token": "a", "logProbability": -0.5}]}]}},
        {"content": {"parts": [{"text": "b"}]}, "finishReason": "STOP", "index": 1}]});
    let told = answer(Gemini, OpenAiChat, &body.to_string());
    assert_eq!(told["choices"][1]["message"]["content"], "b");
    let token = json!({"token": "a", "logprob": -0.5, "bytes": [97],
        "top_logprobs": [{"token": "a", "logprob": -0.5, "bytes": [97]}]});
    assert_eq!(told["choices"][0]["logprobs"], json!({"content": [token]}));
    let back = answer(OpenAiChat, Gemini, &told.to_string());
    let result = json!({"chosenCandidates": [{"token": "a", "logProbability": -0.5}],
        "topCandidates": [{"candidates": [{"token": "a", "logProbability": -0.5}]}]});
    assert_eq!(back["candidates"][0]["logprobsResult"], result);
}

#[test]
fn pictures_that_a_model_made_are_told_as_what_they_are() {
    let (_, lost) = lenient(
        Gemini,
        OpenAiChat,
        &gemini(json!([{"inlineData": {"mimeType": "image/png", "data": "AAAA"}}])),
    );
    assert_eq!(lost[0].path, "contents[1].parts[0]");
}

#[test]
fn what_only_gemini_understands_is_kept_whole_with_its_signature() {
    let picture =
        json!({"inlineData": {"mimeType": "image/png", "data": "AAAA"}, "thoughtSignature": "Ab+/="});
    let code = json!({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "Cd+/="});
    let body = gemini(json!([picture, code, {"text": "x"}])).replace("},{", "},\n{");
    let (request, _) = prove::read_request(Gemini, &body).unwrap();
    let (written, is_whole) = prove::write_request(Gemini, request, &target());
    assert!(is_whole);
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(written["contents"], serde_json::from_str::<Value>(&body).unwrap()["contents"]);
    assert_eq!(refused(Gemini, OpenAiChat, &body), ["contents[1].parts[0]", "contents[1].parts[1]"]);
}
