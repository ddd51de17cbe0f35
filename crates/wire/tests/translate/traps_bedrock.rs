//! Bedrock Converse, requests, answers and errors: the facts that are got wrong, one test each.

use crate::given::{answer, lenient, refused, strict, target};
use serde_json::{Value, json};
use topdog_wire::translate::Dialect::{Anthropic, BedrockConverse, OpenAiChat};
use topdog_wire::translate::model::{Failure, FailureKind};
use topdog_wire::translate::{self, Mode, ModelTraits, Target, ThinkingStyle};

fn chat(fields: Value) -> String {
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn converse(fields: Value) -> String {
    let mut body = json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}]});
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn function(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}}})
}

#[test]
fn the_body_names_no_model_and_no_stream() {
    let sent = strict(OpenAiChat, BedrockConverse, &chat(json!({"stream": true, "max_tokens": 9})));
    assert_eq!(
        sent,
        json!({"messages": [{"role": "user", "content": [{"text": "hi"}]}], "inferenceConfig": {"maxTokens": 9}})
    );
    let told = translate::request(
        BedrockConverse,
        OpenAiChat,
        converse(json!({})).as_bytes(),
        Mode::Strict,
        &Target { is_stream: Some(true), ..target() },
    )
    .unwrap();
    let sent: Value = serde_json::from_slice(&told.body).unwrap();
    assert_eq!((&sent["model"], &sent["stream"]), (&json!("target-model"), &json!(true)));
    assert!(told.is_stream && told.wants_usage, "Bedrock tells usage in every stream");
}

/// aws-samples/bedrock-access-gateway#239, and many more: calls in the history, and no tools any more.
#[test]
fn a_conversation_with_calls_gets_its_tools_though_none_are_offered() {
    let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let body = chat(json!({"messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "1", "content": "r"},
    ]}));
    let (sent, dropped) = lenient(OpenAiChat, BedrockConverse, &body);
    assert_eq!(
        sent["toolConfig"],
        json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object", "properties": {}}}}}]})
    );
    assert_eq!(dropped.len(), 1);
    assert_eq!(refused(OpenAiChat, BedrockConverse, &body), ["messages[1].tool_calls[0]"]);
}

#[test]
fn no_tool_may_be_called_by_offering_none() {
    let body = chat(json!({"tools": [function("f")], "tool_choice": "none"}));
    assert_eq!(refused(OpenAiChat, BedrockConverse, &body), ["tool_choice"]);
    let (sent, _) = lenient(OpenAiChat, BedrockConverse, &body);
    assert!(sent.get("toolConfig").is_none(), "{sent}");
}

#[test]
fn choices_of_a_tool_are_unions() {
    for (choice, expected) in [
        (json!("auto"), json!({"auto": {}})),
        (json!("required"), json!({"any": {}})),
        (json!({"type": "function", "function": {"name": "f"}}), json!({"tool": {"name": "f"}})),
    ] {
        let body = chat(json!({"tools": [function("f")], "tool_choice": choice}));
        let sent = strict(OpenAiChat, BedrockConverse, &body);
        assert_eq!(sent["toolConfig"]["toolChoice"], expected);
        let body = converse(json!({"toolConfig": sent["toolConfig"]}));
        assert_eq!(strict(BedrockConverse, OpenAiChat, &body)["tool_choice"], choice);
    }
}

/// The results of one turn's calls come in one message, before what the user adds.
#[test]
fn results_are_one_users_message_with_what_follows() {
    let calls = ["a", "b"]
        .map(|id| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{\"x\":1}"}}));
    let body = chat(json!({"tools": [function("f")], "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": null, "tool_calls": calls},
        {"role": "tool", "tool_call_id": "a", "content": "1"},
        {"role": "tool", "tool_call_id": "b", "content": "2"},
        {"role": "user", "content": "go on"},
    ]}));
    let sent = strict(OpenAiChat, BedrockConverse, &body);
    let messages = sent["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3);
    assert_eq!(
        messages[1]["content"][0]["toolUse"],
        json!({"toolUseId": "a", "name": "f", "input": {"x": 1}})
    );
    assert_eq!(
        messages[2]["content"],
        json!([
            {"toolResult": {"toolUseId": "a", "content": [{"text": "1"}]}},
            {"toolResult": {"toolUseId": "b", "content": [{"text": "2"}]}},
            {"text": "go on"},
        ])
    );
}

/// aws-samples/sample-multi-agent-orchestration-chat-on-agentcore#15
#[test]
fn a_failed_result_is_never_empty() {
    let block = json!({"type": "tool_result", "tool_use_id": "1", "content": "", "is_error": true});
    let body = json!({"max_tokens": 1, "tools": [{"name": "f", "input_schema": {"type": "object"}}], "messages": [
        {"role": "user", "content": "x"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {}}]},
        {"role": "user", "content": [block]},
    ]});
    let (sent, dropped) = lenient(Anthropic, BedrockConverse, &body.to_string());
    let result = &sent["messages"][2]["content"][0]["toolResult"];
    assert_eq!(*result, json!({"toolUseId": "1", "content": [{"text": "error"}], "status": "error"}));
    assert_eq!(dropped[0].path, "messages[2].content[0]");
}

#[test]
fn json_that_a_tool_gives_is_text_elsewhere() {
    let results = json!([{"toolResult": {"toolUseId": "1", "content": [{"json": {"a": 1.50}}]}}]);
    let body = converse(json!({
        "messages": [{"role": "user", "content": [{"text": "x"}]},
            {"role": "assistant", "content": [{"toolUse": {"toolUseId": "1", "name": "f", "input": {}}}]},
            {"role": "user", "content": results}],
    }));
    let sent = strict(BedrockConverse, OpenAiChat, &body);
    assert_eq!(sent["messages"][2]["role"], "tool");
    assert_eq!(sent["messages"][2]["content"], r#"{"a":1.5}"#);
}

#[test]
fn ids_of_calls_are_made_of_what_is_taken_and_stay_together() {
    for id in ["call|with/odd=signs", &"x".repeat(100)] {
        let body = chat(json!({"tools": [function("f")], "messages": [
            {"role": "user", "content": "x"},
            {"role": "assistant", "content": null, "tool_calls": [
                {"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
            {"role": "tool", "tool_call_id": id, "content": "r"},
        ]}));
        let sent = strict(OpenAiChat, BedrockConverse, &body);
        let called = sent["messages"][1]["content"][0]["toolUse"]["toolUseId"].as_str().unwrap();
        assert!(called.len() <= 64, "{called}");
        assert!(
            called.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_.:-".contains(&byte)),
            "{called}"
        );
        assert_eq!(sent["messages"][2]["content"][0]["toolResult"]["toolUseId"], called);
    }
}

#[test]
fn media_are_sent_as_bytes_with_their_format_and_addresses_are_refused() {
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    let file = json!({"type": "file", "file": {"filename": "Report (2).pdf", "file_data": "data:application/pdf;base64,JVBERi0="}});
    let body = chat(
        json!({"messages": [{"role": "user", "content": [image("data:image/jpeg;base64,/9j/"), file]}]}),
    );
    let sent = strict(OpenAiChat, BedrockConverse, &body);
    assert_eq!(
        sent["messages"][0]["content"],
        json!([
            {"image": {"format": "jpeg", "source": {"bytes": "/9j/"}}},
            {"document": {"format": "pdf", "name": "Report (2)", "source": {"bytes": "JVBERi0="}}},
        ])
    );
    for url in ["https://e.com/cat.png", "data:image/tiff;base64,SUkq"] {
        let body = chat(
            json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "x"}, image(url)]}]}),
        );
        assert_eq!(refused(OpenAiChat, BedrockConverse, &body).len(), 1, "{url}");
    }
}

#[test]
fn a_documents_name_has_only_the_signs_that_are_taken() {
    let file = |name: &str| {
        let data = "data:application/pdf;base64,JVBERi0=";
        chat(json!({"messages": [{"role": "user", "content":
            [{"type": "file", "file": {"filename": name, "file_data": data}}]}]}))
    };
    let (sent, dropped) = lenient(OpenAiChat, BedrockConverse, &file("annual_report  v2.1.pdf"));
    assert_eq!(sent["messages"][0]["content"][0]["document"]["name"], "annual-report v2-1");
    assert_eq!(dropped[0].path, "messages[0].content[0].file.filename");
}

#[test]
fn cache_points_stand_behind_what_they_mark() {
    let body = json!({"max_tokens": 1,
        "system": [{"type": "text", "text": "long", "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
        "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, {"type": "text", "text": "b"}]}]});
    let sent = strict(Anthropic, BedrockConverse, &body.to_string());
    let point = json!({"cachePoint": {"type": "default"}});
    assert_eq!(sent["system"], json!([{"text": "long"}, {"cachePoint": {"type": "default", "ttl": "1h"}}]));
    assert_eq!(sent["toolConfig"]["tools"][1], point);
    assert_eq!(sent["messages"][0]["content"], json!([{"text": "a"}, point, {"text": "b"}]));
    let back = strict(BedrockConverse, Anthropic, &sent.to_string());
    for part in ["system", "tools", "messages"] {
        assert!(back[part][0].to_string().contains("cache_control"), "{back}");
    }
}

/// Models that cache nothing refuse a request for its cache points.
#[test]
fn models_without_a_cache_get_no_cache_points() {
    let mark = json!({"type": "ephemeral"});
    let body = json!({"max_tokens": 1,
    "system": [{"type": "text", "text": "long", "cache_control": mark}],
    "tools": [{"name": "f", "input_schema": {"type": "object"}, "cache_control": mark}],
    "messages": [
        {"role": "user", "content": [{"type": "text", "text": "a", "cache_control": mark}]},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "1", "name": "f", "input": {}, "cache_control": mark}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "1", "content": "r", "cache_control": mark}]},
    ]})
    .to_string();
    let traits = ModelTraits { takes_cache_marks: false, ..target().traits };
    let target = Target { traits, ..target() };
    let told =
        translate::request(Anthropic, BedrockConverse, body.as_bytes(), Mode::Lenient, &target).unwrap();
    assert!(!std::str::from_utf8(&told.body).unwrap().contains("cachePoint"));
    assert_eq!(told.dropped.len(), 5, "{:?}", told.dropped);
}

#[test]
fn thinking_returns_byte_for_byte_with_its_signature() {
    let signature = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds+/=";
    let thought = |text: &str| json!({"type": "thinking", "thinking": text, "signature": signature});
    let body = json!({"max_tokens": 1, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": [thought("1071 = 2 × 462"), thought(""), {"type": "text", "text": "21"}]}]});
    let sent = strict(Anthropic, BedrockConverse, &body.to_string());
    let block =
        |text: &str| json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature}}});
    assert_eq!(sent["messages"][1]["content"], json!([block("1071 = 2 × 462"), block(""), {"text": "21"}]));
    let back = strict(BedrockConverse, Anthropic, &sent.to_string());
    assert_eq!(back["messages"][1]["content"], body["messages"][1]["content"]);
}

/// What Bedrock withheld goes through clients of other dialects, and back to Bedrock only.
#[test]
fn withheld_reasoning_returns_to_bedrock_through_messages() {
    let given = json!({"output": {"message": {"role": "assistant", "content": [
        {"reasoningContent": {"redactedContent": "EmwKAhgB+/=="}}, {"text": "x"}]}}, "stopReason": "end_turn",
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {"latencyMs": 1}});
    let told = answer(BedrockConverse, Anthropic, &given.to_string());
    assert_eq!(
        told["content"][0],
        json!({"type": "redacted_thinking", "data": "topdog.bedrock.EmwKAhgB+/=="})
    );
    let body = json!({"max_tokens": 1, "messages": [{"role": "user", "content": "x"},
        {"role": "assistant", "content": told["content"]}]});
    let sent = strict(Anthropic, BedrockConverse, &body.to_string());
    assert_eq!(sent["messages"][1]["content"], given["output"]["message"]["content"]);
}

#[test]
fn how_a_claude_thinks_is_told_in_its_makers_words() {
    let told = |thinking, model, body: Value| {
        let traits = ModelTraits { thinking, ..target().traits };
        let target = Target { model, traits, ..target() };
        let body = body.to_string();
        let told = translate::request(Anthropic, BedrockConverse, body.as_bytes(), Mode::Strict, &target);
        serde_json::from_slice::<Value>(&told.unwrap().body).unwrap()
    };
    let body = |fields: Value| {
        let mut body = json!({"max_tokens": 8000, "messages": [{"role": "user", "content": "x"}]});
        for (name, value) in fields.as_object().unwrap() {
            body[name] = value.clone();
        }
        body
    };
    let budget = json!({"type": "enabled", "budget_tokens": 4000});
    let sent = told(
        ThinkingStyle::Budget,
        "us.anthropic.claude-sonnet-4-5-20250929-v1:0",
        body(json!({"thinking": budget, "top_k": 5})),
    );
    assert_eq!(sent["additionalModelRequestFields"], json!({"thinking": budget, "top_k": 5}));
    assert_eq!(sent["inferenceConfig"], json!({"maxTokens": 8000}));
    let adaptive = json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}});
    let sent = told(ThinkingStyle::Effort, "anthropic.claude-opus-4-7", body(adaptive));
    assert_eq!(sent["additionalModelRequestFields"], json!({"thinking": {"type": "adaptive"}}));
    assert_eq!(sent["outputConfig"], json!({"effort": "xhigh"}));
}

/// The schema is a text here, and its name and description have places.
#[test]
fn a_schema_is_sent_as_text() {
    let schema = json!({"name": "gcd", "description": "d", "schema": {"type": "object"}, "strict": true});
    let body = chat(json!({"response_format": {"type": "json_schema", "json_schema": schema}}));
    let sent = strict(OpenAiChat, BedrockConverse, &body);
    let definition = json!({"schema": "{\"type\":\"object\"}", "name": "gcd", "description": "d"});
    let format = json!({"type": "json_schema", "structure": {"jsonSchema": definition}});
    assert_eq!(sent["outputConfig"], json!({"textFormat": format}));
    let back = strict(BedrockConverse, OpenAiChat, &sent.to_string());
    assert_eq!(back["response_format"]["json_schema"]["schema"], json!({"type": "object"}));
}

#[test]
fn what_the_callers_own_model_is_told_is_refused_elsewhere_by_name() {
    let body =
        converse(json!({"additionalModelRequestFields": {"thinking": {"type": "adaptive"}, "mirostat": 1},
        "guardrailConfig": {"guardrailIdentifier": "g"}}));
    let paths = refused(BedrockConverse, Anthropic, &body);
    assert_eq!(paths, ["additionalModelRequestFields", "guardrailConfig"]);
}

#[test]
fn a_union_of_two_is_refused_by_path() {
    let body = json!({"messages": [{"role": "user", "content": [{"text": "a", "image": {}}]}]}).to_string();
    let error = translate::request(BedrockConverse, OpenAiChat, body.as_bytes(), Mode::Lenient, &target());
    assert_eq!(error.unwrap_err().param(), Some("messages[0].content[0]"));
}

fn stopped(reason: &str) -> String {
    json!({"output": {"message": {"role": "assistant", "content": [{"text": "x"}]}}, "stopReason": reason,
        "usage": {"inputTokens": 1, "outputTokens": 1, "totalTokens": 2}, "metrics": {"latencyMs": 1}})
    .to_string()
}

#[test]
fn stop_reasons_map_one_way_and_back() {
    for (from, to) in [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("guardrail_intervened", "content_filter"),
        ("content_filtered", "content_filter"),
        ("malformed_model_output", "length"),
        ("malformed_tool_use", "length"),
    ] {
        let told = answer(BedrockConverse, OpenAiChat, &stopped(from));
        assert_eq!(told["choices"][0]["finish_reason"], to, "{from}");
    }
    for (from, to) in [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("model_length", "model_context_window_exceeded"),
        ("tool_calls", "tool_use"),
        ("content_filter", "content_filtered"),
        ("error", "malformed_model_output"),
    ] {
        let body = json!({"choices": [{"index": 0, "message": {"content": "x"}, "finish_reason": from}]});
        assert_eq!(answer(OpenAiChat, BedrockConverse, &body.to_string())["stopReason"], to, "{from}");
    }
    let paused = json!({"content": [{"type": "text", "text": "x"}], "stop_reason": "pause_turn"});
    assert_eq!(answer(Anthropic, BedrockConverse, &paused.to_string())["stopReason"], "max_tokens");
}

/// `inputTokens` excludes what was cached: nothing is counted twice, and the hour's writes are known.
#[test]
fn usage_comes_in_buckets_that_dont_overlap() {
    let body = include_bytes!("../fixtures/bedrock_converse/answers/text.json");
    let told = translate::answer(BedrockConverse, Anthropic, body, &crate::given::CONTEXT).unwrap();
    let usage = told.usage.unwrap();
    assert_eq!((usage.input, usage.cache_read, usage.output, usage.reasoning), (125, 4100, 60, 0));
    assert_eq!((usage.cache_write_5m, usage.cache_write_1h), (500, 1500));
    let back = answer(Anthropic, BedrockConverse, std::str::from_utf8(&told.body).unwrap());
    let given: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(back["usage"], given["usage"]);
}

#[test]
fn errors_have_their_class_from_their_name_or_their_status() {
    for (status, body, expected) in [
        (400, r#"{"message":"m"}"#, (400, "invalid_request_error")),
        (400, r#"{"__type":"ThrottlingException","message":"m"}"#, (429, "rate_limit_error")),
        (403, r#"{"__type":"a.b#ExpiredTokenException:x","message":"m"}"#, (401, "authentication_error")),
        (403, r#"{"message":"m"}"#, (403, "permission_error")),
        (408, r#"{"message":"m"}"#, (504, "timeout_error")),
        (424, r#"{"message":"x","originalMessage":"m"}"#, (500, "api_error")),
        (429, r#"{"__type":"ModelNotReadyException","message":"m"}"#, (529, "overloaded_error")),
        (503, r#"{"Message":"m"}"#, (529, "overloaded_error")),
    ] {
        let (told, body) = translate::error(BedrockConverse, Anthropic, status, body.as_bytes());
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!((told, body["error"]["type"].as_str().unwrap()), expected);
        assert_eq!(body["error"]["message"], "m");
    }
}

/// Amazon's clients take an error's name from `code` before `__type`, so it must not hold ours.
#[test]
fn our_own_failures_have_a_name_that_amazons_clients_know() {
    let failure = Failure {
        kind: FailureKind::RateLimited,
        message: "slow down".into(),
        code: Some("rate_limited".into()),
        param: None,
        request_id: None,
    };
    let (status, body) = translate::write_failure(BedrockConverse, &failure);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(status, 429);
    assert_eq!(
        body,
        json!({"__type": "ThrottlingException", "message": "slow down", "reason": "rate_limited"})
    );
}
