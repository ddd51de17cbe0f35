//! Cohere: the facts that are got wrong, one test each. Streams are in `traps_cohere_stream`.

use crate::given::{answer, lenient, refused, strict, target};
use serde_json::{Value, json};
use topdog_wire::translate::Dialect::{Anthropic, Cohere, Gemini, OpenAiChat};
use topdog_wire::translate::model::{Failure, FailureKind};
use topdog_wire::translate::{self, Mode, ModelTraits, Target};

fn chat_with(fields: Value) -> String {
    with(json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}), fields)
}

fn with(mut body: Value, fields: Value) -> String {
    for (name, value) in fields.as_object().unwrap() {
        body[name] = value.clone();
    }
    body.to_string()
}

fn tool(strict: Value) -> Value {
    json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}, "strict": strict}})
}

fn said(message: Value, reason: &str) -> Value {
    let mut message = message;
    message["role"] = json!("assistant");
    json!({"id": "a", "finish_reason": reason, "message": message,
        "usage": {"billed_units": {"input_tokens": 5, "output_tokens": 7}}})
}

#[test]
fn settings_have_names_of_their_own() {
    let body = chat_with(json!({
        "top_p": 0.5, "top_k": 3, "stop": "END", "seed": 7, "max_completion_tokens": 9, "logprobs": true,
        "tools": [tool(json!(true))], "tool_choice": "required",
        "response_format": {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}},
    }));
    let expected = json!({
        "model": "target-model", "messages": [{"role": "user", "content": "hi"}],
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "strict_tools": true, "tool_choice": "REQUIRED", "max_tokens": 9, "p": 0.5, "k": 3, "seed": 7,
        "response_format": {"type": "json_object", "json_schema": {"type": "object"}},
        "stop_sequences": ["END"], "logprobs": true,
    });
    assert_eq!(strict(OpenAiChat, Cohere, &body), expected);
}

#[test]
fn what_is_out_of_range_is_named_and_sent_as_the_nearest() {
    let body = chat_with(json!({"temperature": 1.5, "frequency_penalty": -1, "seed": -4, "top_p": 1}));
    assert_eq!(refused(OpenAiChat, Cohere, &body), ["frequency_penalty", "seed", "temperature"]);
    let (sent, _) = lenient(OpenAiChat, Cohere, &body);
    assert_eq!((&sent["temperature"], &sent["frequency_penalty"]), (&json!(1), &json!(0)));
    // The most that is taken of what stands for "all".
    assert_eq!(sent["p"], 0.99);
    assert!(sent.get("seed").is_none());
}

#[test]
fn only_one_penalty_is_taken_at_a_time() {
    let body = chat_with(json!({"frequency_penalty": 0.5, "presence_penalty": 0.5}));
    assert_eq!(refused(OpenAiChat, Cohere, &body), ["presence_penalty"]);
    strict(OpenAiChat, Cohere, &chat_with(json!({"frequency_penalty": 0.5, "presence_penalty": 0})));
}

#[test]
fn what_has_no_counterpart_is_named() {
    let body = chat_with(json!({"n": 2, "user": "u", "logit_bias": {"1": 2}, "tools": [tool(Value::Null)],
        "parallel_tool_calls": false, "tool_choice": {"type": "function", "function": {"name": "f"}}}));
    let paths = refused(OpenAiChat, Cohere, &body);
    assert_eq!(paths, ["logit_bias", "n", "parallel_tool_calls", "tool_choice", "user"]);
    // A call is demanded all the same.
    assert_eq!(lenient(OpenAiChat, Cohere, &body).0["tool_choice"], "REQUIRED");
}

#[test]
fn tools_are_strict_all_or_none() {
    let body = chat_with(json!({"tools": [tool(json!(true)), tool(json!(false))]}));
    assert_eq!(refused(OpenAiChat, Cohere, &body), ["tools[0].function.strict"]);
    assert!(lenient(OpenAiChat, Cohere, &body).0.get("strict_tools").is_none());
    let sent = strict(
        Cohere,
        OpenAiChat,
        &chat_with(json!({"tools": [
        {"type": "function", "function": {"name": "f", "parameters": {}}},
        {"type": "function", "function": {"name": "g", "parameters": {}}}], "strict_tools": true})),
    );
    assert_eq!(sent["tools"][1]["function"]["strict"], true);
}

#[test]
fn instructions_may_stand_anywhere_and_are_the_systems() {
    let body = chat_with(json!({"messages": [
        {"role": "user", "content": "a"}, {"role": "developer", "content": "b"},
        {"role": "assistant", "content": "c"}, {"role": "user", "content": ""},
        {"role": "user", "content": "d"}]}));
    let sent = strict(OpenAiChat, Cohere, &body);
    let expected = json!([
        {"role": "user", "content": "a"}, {"role": "system", "content": "b"},
        {"role": "assistant", "content": "c"}, {"role": "user", "content": "d"}]);
    assert_eq!(sent["messages"], expected, "and a message that says nothing, which is refused, is left out");
}

#[test]
fn a_tools_image_is_shown_by_the_user_behind_all_results() {
    let image =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "aaaa"}});
    let body = json!({"max_tokens": 9, "messages": [
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [
            {"type": "tool_use", "id": "1", "name": "f", "input": {}},
            {"type": "tool_use", "id": "2", "name": "f", "input": {}}]},
        {"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "1", "content": [image]},
            {"type": "tool_result", "tool_use_id": "2", "content": "two", "is_error": true}]}]});
    let paths = refused(Anthropic, Cohere, &body.to_string());
    assert_eq!(paths, ["messages[2].content[0].content[0]", "messages[2].content[1].is_error"]);
    let (sent, _) = lenient(Anthropic, Cohere, &body.to_string());
    let roles: Vec<_> = sent["messages"].as_array().unwrap().iter().map(|turn| &turn["role"]).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "user"]);
    assert_eq!(sent["messages"][4]["content"][0]["image_url"]["url"], "data:image/png;base64,aaaa");
}

#[test]
fn documents_are_those_of_the_users_last_turn_and_cited() {
    let body = json!({"messages": [
        {"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c"}],
        "max_tokens": 9,
        "documents": [{"data": {"title": "T", "snippet": "words"}}, {"id": "doc_2", "data": {"text": "more"}}, "bare",
            {"data": {"population": 7}}]});
    let sent = strict(Cohere, Anthropic, &body.to_string());
    let document = |title: Option<&str>, text: &str| {
        let mut document = json!({"type": "document", "citations": {"enabled": true},
            "source": {"type": "text", "media_type": "text/plain", "data": text}});
        if let Some(title) = title {
            document["title"] = json!(title);
        }
        document
    };
    // The second's id is the name by which its citations will call it.
    let expected = json!([document(Some("T"), "words"), document(Some("doc_2"), "more"),
        document(None, "bare"), document(None, "{\"population\":7}"), {"type": "text", "text": "c"}]);
    assert_eq!(sent["messages"][2]["content"], expected);

    let back = strict(Anthropic, Cohere, &sent.to_string());
    assert_eq!(back["documents"][0], json!({"data": {"title": "T", "text": "words"}}));
    assert_eq!(back["messages"][2], json!({"role": "user", "content": "c"}));
    assert!(back.get("citation_options").is_none());
}

#[test]
fn documents_that_are_not_to_be_cited_are_not() {
    let body = json!({"messages": [{"role": "user", "content": "a"}], "max_tokens": 9,
        "documents": ["words"], "citation_options": {"mode": "OFF"}});
    let sent = strict(Cohere, Anthropic, &body.to_string());
    assert_eq!(sent["messages"][0]["content"][0]["citations"], json!({"enabled": false}));
    assert_eq!(strict(Anthropic, Cohere, &sent.to_string())["citation_options"], json!({"mode": "OFF"}));
    let fast = with(body, json!({"citation_options": {"mode": "FAST"}}));
    assert_eq!(refused(Cohere, Anthropic, &fast), ["citation_options"], "how to cite is Cohere's own");
}

#[test]
fn documents_that_cant_be_said_are_named() {
    let body = json!({"messages": [{"role": "user", "content": "a"}],
        "documents": ["words", {"id": "d", "data": {"title": "T", "text": "x"}}]});
    // Each for being cited and for being a document.
    let paths = ["documents[0]", "documents[0]", "documents[1]", "documents[1]", "documents[1].id"];
    assert_eq!(refused(Cohere, OpenAiChat, &body.to_string()), paths);
}

/// A plan is what the model was about to do; it returns to it as that, through a client that knows chat.
#[test]
fn a_plan_travels_through_chat_and_returns() {
    let call = json!({"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let told = said(json!({"tool_plan": "I will look.", "tool_calls": [call]}), "TOOL_CALL");
    let chat = answer(Cohere, OpenAiChat, &told.to_string());
    let message = &chat["choices"][0]["message"];
    assert_eq!(chat["choices"][0]["finish_reason"], "tool_calls");
    assert_eq!((&message["reasoning"], &message["content"]), (&json!("I will look."), &Value::Null));
    let back = strict(OpenAiChat, Cohere, &json!({"messages": [message]}).to_string());
    assert_eq!(
        back["messages"][0],
        json!({"role": "assistant", "tool_plan": "I will look.", "tool_calls": [call]})
    );
}

#[test]
fn thinking_travels_through_messages_and_returns() {
    let told = said(
        json!({"content": [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "3"}]}),
        "COMPLETE",
    );
    let claude = answer(Cohere, Anthropic, &told.to_string());
    assert_eq!(claude["content"][0], json!({"type": "thinking", "thinking": "hm", "signature": ""}));
    let body = json!({"max_tokens": 9, "messages": [{"role": "assistant", "content": claude["content"]}]});
    let back = strict(Anthropic, Cohere, &body.to_string());
    assert_eq!(back["messages"][0]["content"], told["message"]["content"]);
}

#[test]
fn reasoning_is_set_by_a_budget() {
    let body = |fields| chat_with(fields);
    let sent =
        strict(OpenAiChat, Cohere, &body(json!({"reasoning_effort": "high", "max_completion_tokens": 1000})));
    assert_eq!(sent["thinking"], json!({"type": "enabled", "token_budget": 800}));
    let sent = strict(OpenAiChat, Cohere, &body(json!({"reasoning_effort": "none"})));
    assert_eq!(sent["thinking"], json!({"type": "disabled"}));
    let thinks = json!({"messages": [], "max_tokens": 9, "thinking": {"type": "adaptive"}});
    let sent = strict(Anthropic, Cohere, &thinks.to_string());
    assert_eq!(sent["thinking"], json!({"type": "enabled"}));

    let traits = ModelTraits { thinking: translate::ThinkingStyle::None, ..ModelTraits::default() };
    let body = body(json!({"reasoning_effort": "high"}));
    let plain = Target { traits, ..target() };
    let refusal = translate::request(OpenAiChat, Cohere, body.as_bytes(), Mode::Strict, &plain).unwrap_err();
    assert_eq!(refusal.param(), Some("reasoning_effort"));
}

/// FIELD: `billed_units` and `tokens` differ; what is billed counts.
#[test]
fn usage_is_what_is_billed_and_cached_only_as_far_as_that() {
    let usage = |usage: Value| {
        let mut told = said(json!({"content": []}), "COMPLETE");
        told["usage"] = usage;
        let told = translate::answer(Cohere, OpenAiChat, told.to_string().as_bytes(), &crate::given::CONTEXT);
        let usage = told.unwrap().usage;
        usage.map(|usage| (usage.input, usage.cache_read, usage.output))
    };
    let billed = json!({"input_tokens": 50, "output_tokens": 26});
    let all = json!({"input_tokens": 793, "output_tokens": 61});
    // The 176 cached ones may all be among the 743 that are not billed.
    let told = json!({"billed_units": billed, "tokens": all, "cached_tokens": 176});
    assert_eq!(usage(told), Some((50, 0, 26)));
    // Of 780 at least 37 are not.
    let told = json!({"billed_units": billed, "tokens": all, "cached_tokens": 780});
    assert_eq!(usage(told), Some((13, 37, 26)));
    assert_eq!(usage(json!({"tokens": all, "cached_tokens": 700})), Some((93, 700, 61)));
    // Numbers may be written with a fraction.
    assert_eq!(usage(json!({"billed_units": {"input_tokens": 5.0, "output_tokens": 2.0}})), Some((5, 0, 2)));
    assert_eq!(usage(json!({})), None);
}

#[test]
fn stop_reasons_have_their_own_names_each_way() {
    for (own, chat) in [
        ("COMPLETE", "stop"),
        ("STOP_SEQUENCE", "stop"),
        ("MAX_TOKENS", "length"),
        ("TOOL_CALL", "tool_calls"),
        ("ERROR", "length"),
        ("TIMEOUT", "length"),
    ] {
        let told = said(json!({"content": [{"type": "text", "text": "x"}]}), own).to_string();
        assert_eq!(answer(Cohere, OpenAiChat, &told)["choices"][0]["finish_reason"], chat);
    }
    for (claude, own) in [
        ("end_turn", "COMPLETE"),
        ("stop_sequence", "STOP_SEQUENCE"),
        ("max_tokens", "MAX_TOKENS"),
        ("tool_use", "TOOL_CALL"),
        ("refusal", "ERROR"),
        ("model_context_window_exceeded", "MAX_TOKENS"),
    ] {
        let told = json!({"id": "m", "content": [], "stop_reason": claude}).to_string();
        assert_eq!(answer(Anthropic, Cohere, &told)["finish_reason"], own);
    }
}

#[test]
fn an_answer_has_the_shape_that_clients_read() {
    let told = json!({"id": "c", "created": 1, "model": "m", "choices": [{"index": 0, "finish_reason": "stop",
        "message": {"role": "assistant", "content": "hi"}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}}});
    let counts = json!({"input_tokens": 12, "output_tokens": 3});
    let expected = json!({"id": "c", "finish_reason": "COMPLETE",
        "message": {"role": "assistant", "content": [{"type": "text", "text": "hi"}]},
        "usage": {"billed_units": counts, "tokens": counts, "cached_tokens": 4}});
    assert_eq!(answer(OpenAiChat, Cohere, &told.to_string()), expected);
}

#[test]
fn citations_are_of_characters_of_their_block_here_and_of_the_message_there() {
    let source = json!({"type": "document", "id": "d", "document": {"title": "T", "url": "https://e.com"}});
    let cited = json!({"start": 1, "end": 3, "text": "éb", "sources": [source], "content_index": 2,
        "type": "TEXT_CONTENT"});
    let told = said(
        json!({"citations": [cited], "content": [{"type": "thinking", "thinking": "t"},
        {"type": "text", "text": "äöü"}, {"type": "text", "text": "aébc"}]}),
        "COMPLETE",
    );
    let chat = answer(Cohere, OpenAiChat, &told.to_string());
    let expected = json!([{"type": "url_citation", "url_citation":
        {"start_index": 4, "end_index": 6, "title": "T", "url": "https://e.com"}}]);
    assert_eq!(chat["choices"][0]["message"]["annotations"], expected);

    let back = answer(OpenAiChat, Cohere, &chat.to_string());
    let cited = &back["message"]["citations"][0];
    assert_eq!((&cited["start"], &cited["end"], &cited["text"]), (&json!(4), &json!(6), &json!("éb")));
    assert_eq!(cited["sources"][0]["document"]["url"], "https://e.com");
    assert_eq!((&cited["content_index"], &cited["type"]), (&json!(1), &json!("TEXT_CONTENT")));
}

/// Gemini and chat tell the citations of all texts in one list.
#[test]
fn a_citation_is_told_of_the_text_that_its_span_is_in() {
    let told = json!({"candidates": [{"content": {"role": "model", "parts": [
        {"text": "Spain won. "}, {"text": "x", "thought": true}, {"text": "The end."}]}, "finishReason": "STOP",
        "citationMetadata": {"citationSources": [{"startIndex": 0, "endIndex": 5, "uri": "https://e.com"}]}}]});
    let cited = &answer(Gemini, Cohere, &told.to_string())["message"]["citations"][0];
    assert_eq!((&cited["content_index"], &cited["text"]), (&json!(0), &json!("Spain")));
}

#[test]
fn probabilities_cross_both_ways() {
    let mut told = said(json!({"content": [{"type": "text", "text": "é1"}]}), "COMPLETE");
    told["logprobs"] = json!([{"text": "é", "token_ids": [8], "logprobs": [-0.25]},
        {"text": "1", "token_ids": [1, 2], "logprobs": [-0.5, -0.125]}]);
    let chat = answer(Cohere, OpenAiChat, &told.to_string());
    let content = &chat["choices"][0]["logprobs"]["content"];
    assert_eq!(content[0], json!({"token": "é", "logprob": -0.25, "bytes": [195, 169], "top_logprobs": []}));
    assert_eq!(content[1]["logprob"], -0.625, "of both tokens together");
    let back = answer(OpenAiChat, Cohere, &chat.to_string());
    assert_eq!(back["logprobs"][0], json!({"text": "é", "token_ids": [], "logprobs": [-0.25]}));
}

#[test]
fn errors_have_no_object_around_them_and_statuses_of_their_own() {
    let told = |status, body: &str| {
        let (status, body) = translate::error(Cohere, OpenAiChat, status, body.as_bytes());
        let body: Value = serde_json::from_slice(&body).unwrap();
        (status, body["error"]["type"].as_str().unwrap().to_owned(), body["request_id"].clone())
    };
    let body = r#"{"id":"e1","message":"no"}"#;
    assert_eq!(told(422, body), (400, "invalid_request_error".into(), json!("e1")));
    // Groq's 498 is that it has no room; Cohere's that the key is wrong.
    assert_eq!(told(498, body), (401, "authentication_error".into(), json!("e1")));
    assert_eq!(told(499, body), (500, "server_error".into(), json!("e1")));
    assert_eq!(told(429, body), (429, "rate_limit_error".into(), json!("e1")));
    // To wait for the next month is no retry.
    let month = r#"{"message":"You are using a Trial key, which is limited to 1000 API calls / month."}"#;
    assert_eq!(told(429, month), (402, "insufficient_quota".into(), Value::Null));
}

#[test]
fn top_dogs_own_failure_is_told_as_one_of_coheres() {
    let failure = Failure {
        kind: FailureKind::RateLimited,
        message: "too many".into(),
        code: Some("quota".into()),
        param: None,
        request_id: Some("r".into()),
    };
    let (status, body) = translate::write_failure(Cohere, &failure);
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!((status, body), (429, json!({"id": "r", "message": "too many", "code": "quota"})));
}
