//! Requests: the facts that are got wrong, one test each.

use crate::given::{lenient, refused, strict, target, try_request};
use serde_json::{Value, json};
use topdog_wire::translate::Dialect::{Anthropic, OpenAiChat};
use topdog_wire::translate::{self, Mode, ModelTraits, Target, ThinkingStyle, Untranslatable};

fn chat(messages: Value) -> String {
    json!({"model": "m", "messages": messages}).to_string()
}

fn chat_with(fields: Value) -> String {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn claude_with(fields: Value) -> String {
    let mut body = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

#[test]
fn what_cant_be_said_is_named_by_the_callers_own_path() {
    let sound = json!({"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}});
    let body = chat(json!([
        {"role": "system", "content": "s"},
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": [sound]},
    ]));
    assert_eq!(refused(OpenAiChat, Anthropic, &body), ["messages[2].content[0].input_audio"]);
    let body = chat_with(json!({"n": 2, "logprobs": true, "made_up": {"a": 1}, "seed": 1}));
    assert_eq!(refused(OpenAiChat, Anthropic, &body), ["logprobs", "made_up", "n", "seed"]);
    let body = claude_with(json!({"top_k": 3, "no_such": 1}));
    assert_eq!(refused(Anthropic, OpenAiChat, &body), ["no_such", "top_k"]);
}

#[test]
fn unknown_fields_deep_inside_are_named_too() {
    let body = chat(json!([
        {"role": "user", "content": [{"type": "text", "text": "x", "mood": "sad"}]},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}", "speed": 1}}]},
        {"role": "tool", "tool_call_id": "1", "content": "r"},
    ]));
    let paths = refused(OpenAiChat, Anthropic, &body);
    assert_eq!(paths, ["messages[0].content[0].mood", "messages[1].tool_calls[0].function.speed"]);
}

#[test]
fn lenient_lists_every_loss_and_strict_refuses_the_same() {
    let body = chat_with(json!({"seed": 1, "temperature": 1.5}));
    let (sent, dropped) = lenient(OpenAiChat, Anthropic, &body);
    assert_eq!(sent["temperature"], 1);
    let paths: Vec<_> = dropped.iter().map(|loss| loss.path.as_str()).collect();
    assert_eq!(paths, ["seed", "temperature"]);
    assert_eq!(refused(OpenAiChat, Anthropic, &body), paths);
    let error = try_request(OpenAiChat, Anthropic, Mode::Strict, &body).unwrap_err();
    assert_eq!((error.code(), error.param()), ("not_translatable", Some("seed")));
    assert!(error.public_message().contains("'temperature' (the temperature goes from 0 to 1"));
}

#[test]
fn defaults_that_are_spelled_out_are_no_loss() {
    let body = chat_with(json!({
        "n": 1, "logprobs": false, "top_logprobs": null, "frequency_penalty": 0, "presence_penalty": 0.0,
        "logit_bias": {}, "store": false, "metadata": null, "modalities": ["text"], "verbosity": "medium",
        "response_format": {"type": "text"}, "tool_choice": "auto", "parallel_tool_calls": true,
        "stream_options": {"include_obfuscation": false}, "user": null,
    }));
    strict(OpenAiChat, Anthropic, &body);
    // Mistral's SDK sends its messages back with every field that they have.
    let said = |prefix: bool| {
        let asked = json!({"role": "user", "content": "hi"});
        chat(json!([asked, {"role": "assistant", "content": "So", "prefix": prefix}, asked]))
    };
    strict(OpenAiChat, Anthropic, &said(false));
    assert_eq!(refused(OpenAiChat, Anthropic, &said(true)), ["messages[1].prefix"]);
}

#[test]
fn a_body_that_cant_be_understood_is_refused_by_path_in_both_modes() {
    for mode in [Mode::Strict, Mode::Lenient] {
        let fault = |body: &str| try_request(OpenAiChat, Anthropic, mode, body).unwrap_err();
        let path = |body: &str| fault(body).param().map(str::to_owned);
        assert_eq!(path(r#"{"model":"m"}"#).as_deref(), Some("messages"));
        assert_eq!(
            path(r#"{"messages":[{"role":"robot","content":""}]}"#).as_deref(),
            Some("messages[0].role")
        );
        assert_eq!(path(r#"{"messages":[],"temperature":"hot"}"#).as_deref(), Some("temperature"));
        let deep = r#"{"messages":[{"role":"assistant","tool_calls":[{"id":"1","function":{}}]}]}"#;
        assert_eq!(path(deep).as_deref(), Some("messages[0].tool_calls[0].function.name"));
        assert!(matches!(fault("{\"messages\":["), Untranslatable::Body(_)));
        assert!(matches!(fault(&"[".repeat(200)), Untranslatable::Body(_)));
    }
}

#[test]
fn arguments_are_text_on_one_side_and_an_object_on_the_other_byte_for_byte() {
    let arguments = r#"{"z": 1.50, "a":  [1e3], "é": "\u00e9", "big": 12345678901234567890123}"#;
    let body = chat(json!([{"role": "assistant", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": arguments}}]}]));
    let translated = try_request(OpenAiChat, Anthropic, Mode::Strict, &body).unwrap();
    let sent = std::str::from_utf8(&translated.body).unwrap();
    assert!(sent.contains(&format!(r#""input":{arguments}"#)), "{sent}");
    let back = try_request(Anthropic, OpenAiChat, Mode::Strict, sent).unwrap();
    let back: Value = serde_json::from_slice(&back.body).unwrap();
    assert_eq!(back["messages"][0]["tool_calls"][0]["function"]["arguments"], arguments);
}

#[test]
fn arguments_with_white_space_around_them_stay_json() {
    let body = chat(json!([{"role": "assistant", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": " {\"a\":1}\n "}},
        {"id": "2", "type": "function", "function": {"name": "g", "arguments": "{}"}}]}]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    assert_eq!(sent["messages"][0]["content"][0]["input"], json!({"a": 1}));
    assert_eq!(sent["messages"][0]["content"][1]["name"], "g");
}

#[test]
fn arguments_that_are_no_object_survive_there_and_back() {
    for broken in ["{\"a\": ", "[1]", "\"x\"", "null", "not json", "{} {}"] {
        let body = chat(json!([{"role": "assistant", "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": broken}}]}]));
        let sent = strict(OpenAiChat, Anthropic, &body);
        assert_eq!(sent["messages"][0]["content"][0]["input"], json!({"INVALID_JSON": broken}));
        let back = strict(Anthropic, OpenAiChat, &sent.to_string());
        assert_eq!(back["messages"][0]["tool_calls"][0]["function"]["arguments"], broken);
    }
}

#[test]
fn a_call_without_arguments_has_an_empty_object() {
    let body = chat(json!([{"role": "assistant", "content": "", "tool_calls": [
        {"id": "1", "type": "function", "function": {"name": "f", "arguments": ""}}]}]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    assert_eq!(
        sent["messages"][0]["content"],
        json!([{"type": "tool_use", "id": "1", "name": "f", "input": {}}])
    );
}

#[test]
fn results_are_one_next_turn_and_first_in_it() {
    let body = chat(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": null, "tool_calls": [
            {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}},
            {"id": "2", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "1", "content": "one"},
        {"role": "user", "content": "hurry"},
        {"role": "tool", "tool_call_id": "2", "content": "two"},
        {"role": "user", "content": "up"},
    ]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    let kinds: Vec<_> = sent["messages"][2]["content"]
        .as_array()
        .unwrap()
        .iter()
        .map(|block| block["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["tool_result", "tool_result", "text", "text"]);
    assert_eq!(sent["messages"].as_array().unwrap().len(), 3);
}

/// maximhq/bifrost#3511: every tool request from chat to Messages broke.
#[test]
fn a_whole_tool_exchange_crosses_and_returns() {
    let body = chat_with(json!({
        "messages": [
            {"role": "user", "content": "go"},
            {"role": "assistant", "content": "ok", "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{\"a\":1}"}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": "done"}],
        "tools": [{"type": "function", "function": {
            "name": "f", "description": "d", "parameters": {"type": "object", "properties": {}}, "strict": true}}],
        "tool_choice": "required", "parallel_tool_calls": false, "max_completion_tokens": 7,
    }));
    let sent = strict(OpenAiChat, Anthropic, &body);
    assert_eq!(sent["tool_choice"], json!({"type": "any", "disable_parallel_tool_use": true}));
    let mut back = strict(Anthropic, OpenAiChat, &sent.to_string());
    let mut asked: Value = serde_json::from_str(&body).unwrap();
    asked["model"] = Value::Null;
    back["model"] = Value::Null;
    assert_eq!(back, asked);
}

#[test]
fn turns_of_the_same_side_are_one_message() {
    let body = chat(json!([
        {"role": "user", "content": "a"}, {"role": "user", "content": [{"type": "text", "text": "b"}]},
        {"role": "assistant", "content": "c"}, {"role": "assistant", "content": "d"},
        {"role": "user", "content": "e"},
    ]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    let roles: Vec<_> =
        sent["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(sent["messages"][1]["content"].as_array().unwrap().len(), 2);
}

#[test]
fn messages_that_say_nothing_are_left_out_and_split_nothing() {
    let body = chat(json!([
        {"role": "user", "content": "a"}, {"role": "assistant", "content": null},
        {"role": "assistant", "content": ""}, {"role": "user", "content": ""},
        {"role": "user", "content": "b"}, {"role": "assistant", "content": "", "refusal": "no"},
    ]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    let expected = json!([
        {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
        {"role": "assistant", "content": [{"type": "text", "text": "no"}]},
    ]);
    assert_eq!(sent["messages"], expected);
}

#[test]
fn blank_texts_are_refused_by_the_target_and_so_told() {
    let body = chat(json!([{"role": "user", "content": "a"}, {"role": "assistant", "content": " \n"}]));
    assert_eq!(refused(OpenAiChat, Anthropic, &body), ["messages[1].content"]);
}

#[test]
fn instructions_at_the_beginning_are_the_system_prompt() {
    let body = chat(json!([
        {"role": "system", "content": "a"}, {"role": "developer", "content": [{"type": "text", "text": "b"}]},
        {"role": "user", "content": "c"},
    ]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    assert_eq!(sent["system"], json!([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]));
}

#[test]
fn instructions_later_stay_in_place_where_the_model_takes_them() {
    let body = chat(json!([
        {"role": "user", "content": "a"}, {"role": "developer", "content": "b"},
        {"role": "assistant", "content": "c"}, {"role": "user", "content": "d"}, {"role": "system", "content": "e"},
    ]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    let roles: Vec<_> =
        sent["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "system", "assistant", "user", "system"]);

    let older = Target { traits: ModelTraits::default(), ..target() };
    let told = translate::request(OpenAiChat, Anthropic, body.as_bytes(), Mode::Lenient, &older).unwrap();
    let sent: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!(sent["system"], json!([{"type": "text", "text": "b"}, {"type": "text", "text": "e"}]));
    let paths: Vec<_> = told.dropped.into_iter().map(|loss| loss.path).collect();
    assert_eq!(paths, ["messages[1]", "messages[4]"]);
}

#[test]
fn images_cross_as_data_urls_and_base64() {
    let body = chat(json!([{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
        {"type": "image_url", "image_url": {"url": "https://e.com/x"}}]}]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    let first = &sent["messages"][0]["content"][0]["source"];
    assert_eq!(*first, json!({"type": "base64", "media_type": "image/png", "data": "AAAA"}));
    let mut back = strict(Anthropic, OpenAiChat, &sent.to_string());
    assert_eq!(back["messages"].take(), serde_json::from_str::<Value>(&body).unwrap()["messages"]);
}

#[test]
fn a_limit_is_always_sent_to_who_demands_one() {
    let limit = |fields| strict(OpenAiChat, Anthropic, &chat_with(fields))["max_tokens"].clone();
    assert_eq!(limit(json!({})), 4096);
    assert_eq!(limit(json!({"max_tokens": 5})), 5);
    assert_eq!(limit(json!({"max_completion_tokens": 7, "max_tokens": 5})), 7);
}

#[test]
fn temperatures_above_one_are_refused_or_clamped() {
    assert_eq!(refused(OpenAiChat, Anthropic, &chat_with(json!({"temperature": 1.01}))), ["temperature"]);
    assert_eq!(strict(OpenAiChat, Anthropic, &chat_with(json!({"temperature": 1})))["temperature"], 1);
    assert_eq!(strict(OpenAiChat, Anthropic, &chat_with(json!({"temperature": 0.3})))["temperature"], 0.3);
}

#[test]
fn stop_texts_cross_and_the_impossible_ones_are_told() {
    assert_eq!(
        strict(OpenAiChat, Anthropic, &chat_with(json!({"stop": "END"})))["stop_sequences"],
        json!(["END"])
    );
    assert_eq!(refused(OpenAiChat, Anthropic, &chat_with(json!({"stop": ["a", "\n"]}))), ["stop[1]"]);
    let five = claude_with(json!({"stop_sequences": ["1", "2", "3", "4", "5"]}));
    assert_eq!(refused(Anthropic, OpenAiChat, &five), ["stop_sequences[4]"]);
}

#[test]
fn choices_of_tools_map_both_ways() {
    let tools = json!([{"type": "function", "function": {"name": "f"}}]);
    for (chat_choice, claude_choice) in [
        (json!("auto"), json!({"type": "auto"})),
        (json!("none"), json!({"type": "none"})),
        (json!("required"), json!({"type": "any"})),
        (json!({"type": "function", "function": {"name": "f"}}), json!({"type": "tool", "name": "f"})),
    ] {
        let sent =
            strict(OpenAiChat, Anthropic, &chat_with(json!({"tools": tools, "tool_choice": chat_choice})));
        assert_eq!(sent["tool_choice"], claude_choice);
        assert_eq!(strict(Anthropic, OpenAiChat, &sent.to_string())["tool_choice"], chat_choice);
    }
    let one =
        strict(OpenAiChat, Anthropic, &chat_with(json!({"tools": tools, "parallel_tool_calls": false})));
    assert_eq!(one["tool_choice"], json!({"type": "auto", "disable_parallel_tool_use": true}));
}

#[test]
fn a_schema_is_the_output_config_and_a_bare_json_object_is_refused() {
    let schema = json!({"type": "object", "properties": {}, "additionalProperties": false});
    let body = chat_with(json!({"response_format": {"type": "json_schema", "json_schema":
        {"name": "x", "schema": schema, "strict": true}}}));
    let sent = strict(OpenAiChat, Anthropic, &body);
    assert_eq!(sent["output_config"], json!({"format": {"type": "json_schema", "schema": schema}}));
    let back = strict(Anthropic, OpenAiChat, &sent.to_string());
    assert_eq!(back["response_format"]["json_schema"], json!({"name": "response", "schema": schema}));
    let bare = chat_with(json!({"response_format": {"type": "json_object"}}));
    assert_eq!(refused(OpenAiChat, Anthropic, &bare), ["response_format"]);
}

#[test]
fn effort_is_said_as_the_model_takes_it() {
    let body = chat_with(json!({"reasoning_effort": "high", "max_completion_tokens": 10_000}));
    let sent = strict(OpenAiChat, Anthropic, &body);
    assert_eq!(sent["thinking"], json!({"type": "adaptive"}));
    assert_eq!(sent["output_config"], json!({"effort": "high"}));
    let with = |thinking, body: &str| {
        let target = Target { traits: ModelTraits { thinking, ..target().traits }, ..target() };
        translate::request(OpenAiChat, Anthropic, body.as_bytes(), Mode::Strict, &target)
    };
    let sent = with(ThinkingStyle::Budget, &body).unwrap();
    let sent: Value = serde_json::from_slice(&sent.body).unwrap();
    assert_eq!(sent["thinking"], json!({"type": "enabled", "budget_tokens": 8000}));
    assert!(with(ThinkingStyle::None, &body).is_err());
    let off = chat_with(json!({"reasoning_effort": "none"}));
    assert_eq!(strict(OpenAiChat, Anthropic, &off)["thinking"], json!({"type": "disabled"}));
    let short = chat_with(json!({"reasoning_effort": "high", "max_completion_tokens": 1000}));
    assert!(with(ThinkingStyle::Budget, &short).is_err(), "a budget must be 1024 and below the limit");
}

/// BerriAI/litellm#15601 and maximhq/bifrost#6342: thinking lost with tools, or rearranged.
#[test]
fn thinking_returns_byte_for_byte_and_in_its_place() {
    let answer = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude", "content": [
        {"type": "thinking", "thinking": "é\u{1f436}\n\"", "signature": "Ab+/=="},
        {"type": "redacted_thinking", "data": "Em+/="},
        {"type": "text", "text": "Look:"},
        {"type": "thinking", "thinking": "", "signature": "OfEmptyText"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
    ], "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let said = crate::given::answer(Anthropic, OpenAiChat, &answer.to_string());
    let body = chat(json!([
        {"role": "user", "content": "go"}, said["choices"][0]["message"],
        {"role": "tool", "tool_call_id": "toolu_1", "content": "r"},
    ]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    assert_eq!(sent["messages"][1]["content"], answer["content"]);
}

#[test]
fn unsigned_or_foreign_reasoning_is_not_sent_to_who_would_refuse_it() {
    let body = chat(json!([{"role": "assistant", "content": "a", "reasoning_content": "hm"}]));
    assert_eq!(refused(OpenAiChat, Anthropic, &body), ["messages[0].reasoning_content"]);
    let details = json!([{"type": "reasoning.encrypted", "data": "x", "format": "openai-responses-v1"}]);
    let body = chat(json!([{"role": "assistant", "content": "a", "reasoning_details": details}]));
    assert_eq!(refused(OpenAiChat, Anthropic, &body), ["messages[0].reasoning_details[0]"]);
    let claude = claude_with(json!({"messages": [
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "t", "signature": "s"}]}]}));
    assert_eq!(refused(Anthropic, OpenAiChat, &claude), ["messages[0].content[0]"]);
}

#[test]
fn cache_marks_cross_with_the_times_that_both_know() {
    let claude = claude_with(json!({"messages": [{"role": "user", "content": [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}]}]}));
    let sent = strict(Anthropic, OpenAiChat, &claude);
    assert_eq!(sent["messages"][0]["content"][0]["prompt_cache_breakpoint"], json!({"mode": "explicit"}));
    let back = strict(OpenAiChat, Anthropic, &sent.to_string());
    assert_eq!(back["messages"][0]["content"][0]["cache_control"], json!({"type": "ephemeral"}));
    let openrouter = chat(json!([{"role": "user", "content": [
        {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]));
    let sent = strict(OpenAiChat, Anthropic, &openrouter);
    assert_eq!(sent["messages"][0]["content"][0]["cache_control"]["ttl"], "1h");
}

#[test]
fn a_caller_that_counts_on_a_cache_has_its_instructions_and_its_end_marked() {
    let mark = json!({"type": "ephemeral"});
    let asked = |messages: Value| {
        let body = json!({"model": "m", "messages": messages, "prompt_cache_key": "k"}).to_string();
        let (sent, dropped) = lenient(OpenAiChat, Anthropic, &body);
        assert_eq!(dropped.iter().map(|loss| loss.path.as_str()).collect::<Vec<_>>(), ["prompt_cache_key"]);
        assert_eq!(refused(OpenAiChat, Anthropic, &body), ["prompt_cache_key"], "it is no key, and so told");
        sent
    };
    let system = json!({"role": "system", "content": "be kind"});
    let user = json!({"role": "user", "content": "hi"});
    let sent = asked(json!([{"role": "system", "content": "first"}, system, user]));
    assert_eq!(sent["system"][0].get("cache_control"), None, "what comes before a mark is cached with it");
    assert_eq!(sent["system"][1]["cache_control"], mark);
    assert_eq!(sent["messages"][0]["content"][0]["cache_control"], mark);
    // In the midst of a turn of tools its end is a result.
    let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let said = json!({"role": "assistant", "content": null, "tool_calls": [call]});
    let sent = asked(json!([user, said, {"role": "tool", "tool_call_id": "1", "content": "r"}]));
    assert_eq!(sent["messages"][0]["content"], "hi", "two marks at the most");
    assert_eq!(sent["messages"][2]["content"][0]["cache_control"], mark);
    // Who has marked what to cache is not improved on: four marks are all that Anthropic takes.
    let marked = json!([{"type": "text", "text": "hi", "cache_control": mark}]);
    let sent = asked(json!([system, {"role": "user", "content": marked}, said,
        {"role": "tool", "tool_call_id": "1", "content": "r"}]));
    assert_eq!(
        (&sent["system"], sent["messages"][2]["content"][0].get("cache_control")),
        (&json!("be kind"), None)
    );
}

#[test]
fn a_failed_tool_and_its_picture_are_told_where_chat_has_no_place() {
    let body = claude_with(json!({"messages": [{"role": "user", "content": [
        {"type": "tool_result", "tool_use_id": "1", "is_error": true, "content": [
            {"type": "image", "source": {"type": "url", "url": "https://e.com/x.png"}}]}]}]}));
    let (sent, dropped) = lenient(Anthropic, OpenAiChat, &body);
    assert_eq!(sent["messages"][0], json!({"role": "tool", "tool_call_id": "1", "content": ""}));
    assert_eq!(sent["messages"][1]["content"][0]["image_url"]["url"], "https://e.com/x.png");
    let paths: Vec<_> = dropped.iter().map(|loss| loss.path.as_str()).collect();
    assert_eq!(paths, ["messages[0].content[0].content[0]", "messages[0].content[0].is_error"]);
}

#[test]
fn ids_that_the_target_refuses_are_rewritten_alike_in_call_and_result() {
    let body = chat(json!([
        {"role": "assistant", "tool_calls": [
            {"id": "functions.f:0", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "functions.f:0", "content": "r"}]));
    let sent = strict(OpenAiChat, Anthropic, &body);
    let id = &sent["messages"][0]["content"][0]["id"];
    assert_eq!(*id, sent["messages"][1]["content"][0]["tool_use_id"]);
    assert!(id.as_str().unwrap().bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-'));
}

#[test]
fn usage_is_always_asked_for_and_the_callers_wish_is_told_back() {
    let asked =
        try_request(OpenAiChat, Anthropic, Mode::Strict, &chat_with(json!({"stream": true}))).unwrap();
    assert!(asked.is_stream && !asked.wants_usage);
    let body = claude_with(json!({"stream": true}));
    let asked = try_request(Anthropic, OpenAiChat, Mode::Strict, &body).unwrap();
    assert!(asked.is_stream && asked.wants_usage);
    let sent: Value = serde_json::from_slice(&asked.body).unwrap();
    assert_eq!(sent["stream_options"], json!({"include_usage": true}));
}

#[test]
fn half_a_surrogate_pair_and_escapes_are_read() {
    let body = r#"{"messages":[{"role":"user","content":"\ud83d\udc36 \ud83d x\u0000\/"}]}"#;
    let sent = strict(OpenAiChat, Anthropic, body);
    assert_eq!(sent["messages"][0]["content"], "\u{1f436} \u{fffd} x\u{0}/");
}

#[test]
fn an_end_users_id_is_sent_where_it_fits() {
    let sent = strict(Anthropic, OpenAiChat, &claude_with(json!({"metadata": {"user_id": "u"}})));
    assert_eq!(sent["user"], "u");
    let long = claude_with(json!({"metadata": {"user_id": "u".repeat(65)}}));
    assert_eq!(refused(Anthropic, OpenAiChat, &long), ["metadata.user_id"]);
}
