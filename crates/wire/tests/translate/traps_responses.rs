//! Responses, asked and answered whole: the facts that are got wrong, one test each.

use crate::given::{CONTEXT, answer, lenient, refused, strict, try_request};
use serde_json::{Value, json};
use topdog_wire::translate::Dialect::{Anthropic, OpenAiChat, OpenAiResponses};
use topdog_wire::translate::{self, Mode, Untranslatable};

fn asked(input: Value) -> String {
    json!({"model": "m", "input": input}).to_string()
}

fn asked_with(fields: Value) -> String {
    let mut body = json!({"model": "m", "input": "hi"});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn answered(output: Value) -> String {
    json!({"id": "resp_1", "object": "response", "created_at": 7.0, "model": "gpt", "status": "completed",
        "output": output})
    .to_string()
}

#[test]
fn instructions_and_a_bare_string_are_a_conversation() {
    let body = asked_with(json!({"instructions": "Be brief."}));
    let sent = strict(OpenAiResponses, OpenAiChat, &body);
    let expected = json!([{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hi"}]);
    assert_eq!(sent["messages"], expected);
    let back = strict(OpenAiChat, OpenAiResponses, &sent.to_string());
    assert_eq!(back["instructions"], "Be brief.");
    assert_eq!(back["input"], json!([{"type": "message", "role": "user", "content": "hi"}]));
}

#[test]
fn without_input_nothing_is_asked() {
    let fault = try_request(OpenAiResponses, OpenAiChat, Mode::Lenient, r#"{"model":"m"}"#).unwrap_err();
    assert_eq!(fault.param(), Some("input"));
    let kept = r#"{"model":"m","previous_response_id":"resp_1"}"#;
    assert_eq!(refused(OpenAiResponses, OpenAiChat, kept), ["previous_response_id"]);
}

#[test]
fn results_name_their_call_by_call_id_and_never_by_the_items_own() {
    let body = asked(json!([
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "id": "fco_1", "call_id": "call_1", "output": "r"}]));
    let sent = strict(OpenAiResponses, OpenAiChat, &body);
    assert_eq!(sent["messages"][0]["tool_calls"][0]["id"], "call_1");
    assert_eq!(sent["messages"][1], json!({"role": "tool", "tool_call_id": "call_1", "content": "r"}));
    let bare = asked(json!([{"type": "function_call_output", "id": "fc_1", "output": "r"}]));
    let fault = try_request(OpenAiResponses, OpenAiChat, Mode::Lenient, &bare).unwrap_err();
    assert_eq!(fault.param(), Some("input[0].call_id"));
}

#[test]
fn what_the_model_said_in_a_row_is_one_turn() {
    let body = asked(json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "output_text", "text": "a", "annotations": []}]},
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "2", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "1", "output": "one"},
        {"type": "function_call_output", "call_id": "2", "output": "two"}]));
    let sent = strict(OpenAiResponses, Anthropic, &body);
    let messages = sent["messages"].as_array().unwrap();
    let roles: Vec<_> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "assistant", "user"]);
    assert_eq!(messages[1]["content"].as_array().unwrap().len(), 3);
    assert_eq!(messages[2]["content"].as_array().unwrap().len(), 2);
}

/// Strict and kept is what goes without saying here, and nowhere else.
#[test]
fn what_is_left_out_elsewhere_is_said_here() {
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}]);
    let body = json!({"messages": [{"role": "user", "content": "x"}], "tools": tools}).to_string();
    let sent = strict(OpenAiChat, OpenAiResponses, &body);
    let expected =
        json!([{"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": false}]);
    assert_eq!(sent["tools"], expected);
    assert_eq!(sent["store"], false);
    assert_eq!(sent["include"], json!(["reasoning.encrypted_content"]));
    let back = strict(OpenAiResponses, OpenAiChat, &sent.to_string());
    assert_eq!(back["tools"], tools);
    assert_eq!(back["store"], Value::Null);
}

#[test]
fn whatever_needs_the_providers_memory_is_named() {
    let body = asked_with(json!({"previous_response_id": "resp_1", "conversation": {"id": "conv_1"},
        "background": true, "prompt": {"id": "pmpt_1"}, "truncation": "auto", "store": true, "max_tool_calls": 2,
        "context_management": [{"type": "compaction"}],
        "include": ["reasoning.encrypted_content", "file_search_call.results"]}));
    let named = [
        "background",
        "context_management",
        "conversation",
        "include[1]",
        "max_tool_calls",
        "previous_response_id",
        "prompt",
        "store",
        "truncation",
    ];
    for to in [OpenAiChat, Anthropic] {
        // Chat can keep an answer as well.
        let expected: Vec<_> = named.into_iter().filter(|name| *name != "store" || to == Anthropic).collect();
        assert_eq!(refused(OpenAiResponses, to, &body), expected);
    }
    let usual = json!({"background": false, "truncation": "disabled", "store": false, "conversation": null,
        "include": ["reasoning.encrypted_content"], "parallel_tool_calls": true, "tool_choice": "auto",
        "text": {"format": {"type": "text"}, "verbosity": "medium"}, "reasoning": {"effort": null}});
    strict(OpenAiResponses, Anthropic, &asked_with(usual.clone()));
    strict(OpenAiResponses, OpenAiChat, &asked_with(usual));
}

#[test]
fn the_providers_own_tools_and_items_are_named() {
    let body = json!({"model": "m", "tools": [{"type": "web_search"}, {"type": "mcp", "server_label": "x"}],
        "tool_choice": {"type": "web_search"},
        "input": [{"type": "item_reference", "id": "msg_1"}, {"id": "msg_2"},
            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
            {"type": "reasoning", "id": "rs_1", "summary": []}, {"role": "user", "content": "x"}]});
    let expected = ["input[0]", "input[1]", "input[2]", "input[3]", "tool_choice", "tools[0]", "tools[1]"];
    for to in [OpenAiChat, Anthropic] {
        let mut named = refused(OpenAiResponses, to, &body.to_string());
        named.sort();
        assert_eq!(named, expected);
    }
}

/// A grammar is a level deeper in chat.
#[test]
fn custom_tools_cross_with_their_grammar_and_results() {
    let body = json!({"model": "m", "input": [
            {"type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "name": "patch", "input": "*** x"},
            {"type": "custom_tool_call_output", "call_id": "call_1", "output": "Done"}],
        "tools": [{"type": "custom", "name": "patch", "format":
            {"type": "grammar", "syntax": "lark", "definition": "start: /x/"}}]});
    let sent = strict(OpenAiResponses, OpenAiChat, &body.to_string());
    let expected = json!({"type": "grammar", "grammar": {"syntax": "lark", "definition": "start: /x/"}});
    assert_eq!(sent["tools"][0]["custom"]["format"], expected);
    assert_eq!(sent["messages"][0]["tool_calls"][0]["custom"], json!({"name": "patch", "input": "*** x"}));
    let back = strict(OpenAiChat, OpenAiResponses, &sent.to_string());
    assert_eq!(back["tools"], body["tools"]);
    assert_eq!(back["input"][0]["type"], "custom_tool_call");
    assert_eq!(back["input"][1]["type"], "custom_tool_call_output");
}

/// earendil-works/pi#6265: a limit below the least that is taken.
#[test]
fn a_limit_below_sixteen_is_refused_or_raised() {
    let body = json!({"messages": [{"role": "user", "content": "x"}], "max_tokens": 10}).to_string();
    assert_eq!(refused(OpenAiChat, OpenAiResponses, &body), ["max_tokens"]);
    assert_eq!(lenient(OpenAiChat, OpenAiResponses, &body).0["max_output_tokens"], 16);
}

#[test]
fn settings_that_chat_has_and_responses_not_are_named() {
    let body = json!({"messages": [{"role": "user", "content": "x"}], "stop": ["a", "b"], "seed": 1, "n": 2,
        "logit_bias": {"1": 1}, "presence_penalty": 1, "prediction": {"type": "content"}});
    let named = refused(OpenAiChat, OpenAiResponses, &body.to_string());
    assert_eq!(
        named,
        ["stop[0]", "stop[1]", "seed", "n", "logit_bias", "presence_penalty", "prediction"]
            .into_iter()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .map(str::to_owned)
            .collect::<Vec<_>>()
    );
}

const SEALED: &str = "gAAAAABo+/==";

fn thought() -> Value {
    json!([{"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Look."}],
            "encrypted_content": SEALED},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAAABp"},
        {"type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{\"a\": 1.50}"}])
}

/// BerriAI/litellm#15601: reasoning lost with tools. Through a client of chat.
#[test]
fn sealed_reasoning_returns_through_chat_byte_for_byte() {
    let said = answer(OpenAiResponses, OpenAiChat, &answered(thought()));
    let body = json!({"messages": [{"role": "user", "content": "go"}, said["choices"][0]["message"],
        {"role": "tool", "tool_call_id": "call_1", "content": "r"}]});
    let sent = strict(OpenAiChat, OpenAiResponses, &body.to_string());
    let expected = json!([
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Look."}],
            "encrypted_content": SEALED},
        {"type": "reasoning", "id": "rs_2", "summary": [], "encrypted_content": "gAAAAABp"},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"a\": 1.50}"},
    ]);
    assert_eq!(Value::from(sent["input"].as_array().unwrap()[1..4].to_vec()), expected);
}

/// The same through Claude Code, which knows blocks and no ids of them.
#[test]
fn sealed_reasoning_returns_through_messages_byte_for_byte() {
    let said = answer(OpenAiResponses, Anthropic, &answered(thought()));
    assert_eq!(said["content"][0]["signature"], format!("topdog.openai.{SEALED}"));
    let body = json!({"max_tokens": 100, "messages": [{"role": "assistant", "content": said["content"]}]});
    let sent = strict(Anthropic, OpenAiResponses, &body.to_string());
    let expected = json!([
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Look."}], "encrypted_content": SEALED},
        {"type": "reasoning", "summary": [], "encrypted_content": "gAAAAABp"},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{\"a\":1.5}"},
    ]);
    assert_eq!(sent["input"], expected);
}

/// BerriAI/litellm#15601 and maximhq/bifrost#6342: Claude's thinking through a client of Responses.
#[test]
fn claudes_thinking_returns_through_responses_byte_for_byte() {
    let content = json!([
        {"type": "thinking", "thinking": "é\u{1f436}\n\"", "signature": "Ab+/=="},
        {"type": "redacted_thinking", "data": "Em+/="},
        {"type": "text", "text": "Look:"},
        {"type": "thinking", "thinking": "", "signature": "OfEmptyText"},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
    ]);
    let body = json!({"id": "msg_1", "type": "message", "role": "assistant", "model": "claude",
        "content": content, "stop_reason": "tool_use", "usage": {"input_tokens": 1, "output_tokens": 1}});
    let said = answer(Anthropic, OpenAiResponses, &body.to_string());
    assert!(said["output"].as_array().unwrap().iter().all(|item| item["id"].is_string()));
    let mut input = said["output"].as_array().unwrap().clone();
    input.push(json!({"type": "function_call_output", "call_id": "toolu_1", "output": "r"}));
    let sent = strict(OpenAiResponses, Anthropic, &asked(Value::from(input)));
    assert_eq!(sent["messages"][0]["content"], content);
}

#[test]
fn reasoning_of_another_maker_is_not_sent_to_openai() {
    let body = asked(json!([{"role": "user", "content": "x"}]));
    let claude = json!({"max_tokens": 100, "messages": [{"role": "assistant", "content": [
        {"type": "thinking", "thinking": "t", "signature": "s"}, {"type": "text", "text": "x"}]}]});
    assert_eq!(refused(Anthropic, OpenAiResponses, &claude.to_string()), ["messages[0].content[0]"]);
    assert!(!strict(OpenAiResponses, OpenAiChat, &body).to_string().contains("reasoning"));
}

#[test]
fn how_an_answer_ended_is_its_status_and_a_reason() {
    let usage = json!({"input_tokens": 1, "output_tokens": 1});
    for (from, status, reason) in [
        ("end_turn", "completed", Value::Null),
        ("tool_use", "completed", Value::Null),
        ("stop_sequence", "completed", Value::Null),
        ("max_tokens", "incomplete", json!({"reason": "max_output_tokens"})),
        ("model_context_window_exceeded", "incomplete", json!({"reason": "max_output_tokens"})),
        ("refusal", "incomplete", json!({"reason": "content_filter"})),
        ("pause_turn", "incomplete", json!({"reason": "max_output_tokens"})),
    ] {
        let body = json!({"id": "m", "content": [{"type": "text", "text": "x"}], "stop_reason": from, "usage": usage});
        let told = answer(Anthropic, OpenAiResponses, &body.to_string());
        assert_eq!((&told["status"], &told["incomplete_details"]), (&json!(status), &reason), "{from}");
    }
    let mut body: Value = serde_json::from_str(&answered(thought())).unwrap();
    assert_eq!(answer(OpenAiResponses, Anthropic, &body.to_string())["stop_reason"], "tool_use");
    body["status"] = json!("incomplete");
    for (reason, expected) in [("max_output_tokens", "length"), ("content_filter", "content_filter")] {
        body["incomplete_details"] = json!({"reason": reason});
        let told = answer(OpenAiResponses, OpenAiChat, &body.to_string());
        assert_eq!(told["choices"][0]["finish_reason"], expected);
    }
}

/// Why it stopped is never made up.
#[test]
fn an_answer_that_doesnt_say_why_it_stopped_is_not_completed() {
    let body = json!({"id": "m", "content": [{"type": "text", "text": "x"}]});
    let told = answer(Anthropic, OpenAiResponses, &body.to_string());
    assert_eq!((&told["status"], &told["incomplete_details"]), (&json!("incomplete"), &Value::Null));
}

/// BerriAI/litellm#9812: cached tokens counted twice.
#[test]
fn cached_input_is_counted_once_in_both_directions() {
    let mut body: Value = serde_json::from_str(&answered(json!([]))).unwrap();
    body["usage"] = json!({"input_tokens": 240, "input_tokens_details": {"cached_tokens": 200, "cache_write_tokens": 30},
        "output_tokens": 9, "output_tokens_details": {"reasoning_tokens": 4}, "total_tokens": 249});
    let told = translate::answer(OpenAiResponses, Anthropic, body.to_string().as_bytes(), &CONTEXT).unwrap();
    let usage = told.usage.unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.cache_write_5m), (10, 200, 30));
    assert_eq!((usage.output, usage.reasoning), (5, 4));
    let back = answer(Anthropic, OpenAiResponses, std::str::from_utf8(&told.body).unwrap());
    assert_eq!(back["usage"], body["usage"]);
}

#[test]
fn usage_that_was_not_told_stays_unknown() {
    let body = json!({"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": "stop"}]});
    let told = translate::answer(OpenAiChat, OpenAiResponses, body.to_string().as_bytes(), &CONTEXT).unwrap();
    assert_eq!(told.usage, None);
    assert_eq!(serde_json::from_slice::<Value>(&told.body).unwrap()["usage"], Value::Null);
}

#[test]
fn a_failed_answer_within_a_200_is_the_providers_failure() {
    for (status, error, path) in [
        ("failed", json!({"code": "server_error", "message": "m"}), "error"),
        ("in_progress", Value::Null, "status"),
        ("queued", Value::Null, "status"),
        ("cancelled", Value::Null, "status"),
    ] {
        let mut body: Value = serde_json::from_str(&answered(json!([]))).unwrap();
        body["status"] = json!(status);
        body["error"] = error;
        let bad = translate::answer(OpenAiResponses, OpenAiChat, body.to_string().as_bytes(), &CONTEXT);
        assert_eq!(bad.unwrap_err().path, path);
    }
}

#[test]
fn a_refusal_in_words_is_a_content_of_its_own() {
    let body = json!({"id": "c", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": null, "refusal": "No."}}]});
    let told = answer(OpenAiChat, OpenAiResponses, &body.to_string());
    assert_eq!(told["output"][0]["content"], json!([{"type": "refusal", "refusal": "No."}]));
    let back = answer(OpenAiResponses, Anthropic, &told.to_string());
    assert_eq!((&back["content"][0]["text"], &back["stop_reason"]), (&json!("No."), &json!("refusal")));
}

#[test]
fn probabilities_are_where_each_has_them() {
    let tokens = json!([{"token": "x", "bytes": [120], "logprob": -0.5, "top_logprobs": []}]);
    let body = json!({"id": "c", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "x"}, "logprobs": {"content": tokens}}]});
    let told = answer(OpenAiChat, OpenAiResponses, &body.to_string());
    assert_eq!(told["output"][0]["content"][0]["logprobs"], tokens);
    let back = answer(OpenAiResponses, OpenAiChat, &told.to_string());
    assert_eq!(back["choices"][0]["logprobs"], json!({"content": tokens}));
    let sent = strict(
        OpenAiChat,
        OpenAiResponses,
        &json!({"messages": [{"role": "user", "content": "x"}], "logprobs": true, "top_logprobs": 2})
            .to_string(),
    );
    assert_eq!(sent["include"], json!(["reasoning.encrypted_content", "message.output_text.logprobs"]));
}

#[test]
fn a_body_that_cant_be_understood_is_refused_by_path() {
    let path = |input: Value| match try_request(OpenAiResponses, Anthropic, Mode::Lenient, &asked(input)) {
        Err(Untranslatable::Malformed { path, .. }) => path,
        other => panic!("{other:?}"),
    };
    assert_eq!(path(json!(7)), "input");
    assert_eq!(path(json!([{"role": "robot", "content": "x"}])), "input[0].role");
    assert_eq!(path(json!([{"type": "function_call", "call_id": "1"}])), "input[0].name");
    assert_eq!(path(json!([{"role": "user", "content": [{"text": "x"}]}])), "input[0].content[0].type");
}
