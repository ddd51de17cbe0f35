//! Callers and providers of different dialects: whole answers, errors, what can't be said, and who pays for what.

use crate::rig::{Rig, Wish, run, secret_for};
use crate::upstream::Script;
use serde_json::{Value, json};
use topdog_domain::provider::{Family, Operation};
use topdog_domain::usage::{Outcome, TokenUsage, UsageSource};

/// A tier that has every provider.
const TIER: &str = "ENTERPRISE-STANDARD";

const CLAUDE: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":5,"cache_creation_input_tokens":20,"cache_read_input_tokens":300,"output_tokens":7}}"#;
const CLAUDE_CALLS: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-5","content":[{"type":"tool_use","id":"toolu_1","name":"weather","input":{"city":"Ulm"}}],"stop_reason":"tool_use","stop_sequence":null,"usage":{"input_tokens":5,"output_tokens":7}}"#;
const COHERE: &str = r#"{"id":"c1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"hello"}]},"usage":{"billed_units":{"input_tokens":5,"output_tokens":7},"tokens":{"input_tokens":71,"output_tokens":7}}}"#;
const GEMINI: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"totalTokenCount":12},"modelVersion":"gemini-2.5-flash","responseId":"g1"}"#;
const OPENAI: &str = r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"gpt-4o","choices":[{"index":0,"message":{"role":"assistant","content":"hello","refusal":null},"logprobs":null,"finish_reason":"stop"}],"usage":{"prompt_tokens":5,"completion_tokens":7,"total_tokens":12}}"#;

fn wish(answer: &str) -> Wish {
    Wish { tier: TIER, script: Script::json(answer), ..Wish::default() }
}

fn chat_of(model: &str) -> String {
    json!({"model": model, "messages": [{"role": "user", "content": "hi"}]}).to_string()
}

fn sent(rig: &Rig) -> (String, Value) {
    let (head, body) = rig.upstream.last();
    (head, serde_json::from_str(&body).unwrap())
}

#[test]
fn a_chat_reaches_providers_of_every_dialect() {
    run(async {
        for (family, model, path, answer) in [
            (Family::Anthropic, "claude-sonnet-4-5", "/v1/messages", CLAUDE),
            (Family::Cohere, "command-a-03-2025", "/v2/chat", COHERE),
            (Family::Gemini, "gemini-2.5-flash", "/v1beta/models/gemini-2.5-flash:generatecontent", GEMINI),
        ] {
            let rig = Rig::start(wish(answer)).await;
            let reply = rig.chat(&chat_of(&format!("{}/{model}", family.name()))).await;
            assert_eq!(reply.status, 200, "{}", reply.body);
            let told = reply.json();
            assert_eq!(told["object"], "chat.completion", "{told}");
            let choice = &told["choices"][0];
            assert_eq!(choice["message"]["content"], "hello", "{told}");
            assert_eq!(choice["finish_reason"], "stop", "{told}");
            assert_eq!(told["usage"]["completion_tokens"], 7, "{told}");
            assert!(reply.head.contains("\r\ncontent-type: application/json\r\n"), "{}", reply.head);
            assert!(
                reply.head.contains(&format!("\r\nx-topdog-translation: {}", family.name())),
                "{}",
                reply.head
            );
            let (head, body) = sent(&rig);
            assert!(head.starts_with(&format!("post {path} http/1.1")), "{head}");
            assert_is_only_key(&rig, &head, family);
            assert!(body.to_string().contains("\"hi\""), "{body}");
            let record = &rig.records(1).await[0];
            assert_eq!((record.operation, record.provider.as_str()), (Operation::Chat, family.name()));
            assert_eq!((record.tokens.input, record.tokens.output), (5, 7), "{:?}", record.tokens);
            assert_eq!((record.source, record.outcome), (UsageSource::Provider, Outcome::Completed));
            assert_eq!(record.bytes_out, reply.body.len() as u64);
        }
    });
}

/// The provider was sent its own key, in its own header, and no other key anywhere.
fn assert_is_only_key(rig: &Rig, head: &str, family: Family) {
    let line = match family {
        Family::OpenAi | Family::Cohere => "authorization: bearer ",
        Family::Anthropic => "x-api-key: ",
        Family::Gemini => "x-goog-api-key: ",
    };
    assert!(head.contains(&format!("\r\n{line}{}", secret_for(family))), "{head}");
    for other in Family::ALL.into_iter().filter(|other| *other != family) {
        assert!(!head.contains(secret_for(other)), "{head}");
    }
    assert!(!head.contains(&rig.token.to_lowercase()) && !head.contains("?key="), "{head}");
    assert_eq!(head.matches(secret_for(family)).count(), 1, "{head}");
}

#[test]
fn buckets_of_usage_settle_exactly() {
    run(async {
        let rig = Rig::start(wish(CLAUDE)).await;
        let reply = rig.chat(&chat_of("anthropic/claude-sonnet-4-5")).await;
        let usage = &reply.json()["usage"];
        assert_eq!((&usage["prompt_tokens"], &usage["total_tokens"]), (&325.into(), &332.into()), "{usage}");
        assert_eq!(usage["prompt_tokens_details"]["cached_tokens"], 300, "{usage}");
        let used =
            TokenUsage { input: 5, cache_read: 300, cache_write_5m: 20, output: 7, ..TokenUsage::default() };
        assert_eq!(rig.records(1).await[0].tokens, used);
    });
}

#[test]
fn tools_go_there_and_back() {
    run(async {
        let rig = Rig::start(wish(CLAUDE_CALLS)).await;
        let mut ask = json!({
            "model": "anthropic/claude-sonnet-4-5",
            "messages": [{"role": "user", "content": "weather?"}],
            "tools": [{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}],
        });
        let told = rig.chat(&ask.to_string()).await.json();
        let message = told["choices"][0]["message"].clone();
        let call = &message["tool_calls"][0];
        assert_eq!(
            (&call["id"], &call["function"]["name"]),
            (&"toolu_1".into(), &"weather".into()),
            "{told}"
        );
        let arguments: Value = serde_json::from_str(call["function"]["arguments"].as_str().unwrap()).unwrap();
        assert_eq!(arguments, json!({"city": "Ulm"}));
        assert_eq!(told["choices"][0]["finish_reason"], "tool_calls");
        assert_eq!(sent(&rig).1["tools"][0]["input_schema"], json!({"type": "object"}));
        ask["messages"]
            .as_array_mut()
            .unwrap()
            .extend([message, json!({"role": "tool", "tool_call_id": "toolu_1", "content": "rain"})]);
        rig.upstream.now_does(Script::json(CLAUDE));
        assert_eq!(rig.chat(&ask.to_string()).await.status, 200);
        let turns = &sent(&rig).1["messages"];
        assert_eq!(turns[1]["content"][0]["type"], "tool_use", "{turns}");
        assert_eq!(turns[2]["content"][0]["tool_use_id"], "toolu_1", "{turns}");
    });
}

#[test]
fn messages_reach_providers_like_openai() {
    run(async {
        let rig = Rig::start(wish(OPENAI)).await;
        let ask = json!({
            "model": "openai/gpt-4o", "max_tokens": 9, "system": "be brief",
            "messages": [{"role": "user", "content": "hi"}],
        });
        let lines = "anthropic-version: 2023-06-01\r\nanthropic-beta: x-1\r\nuser-agent: sdk/1\r\ntraceparent: 00-1-2-01\r\n";
        let reply = rig.messages("/v1/messages?beta=true", lines, &ask.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let told = reply.json();
        assert_eq!((&told["type"], &told["stop_reason"]), (&"message".into(), &"end_turn".into()), "{told}");
        assert_eq!(told["content"], json!([{"type": "text", "text": "hello"}]), "{told}");
        assert_eq!((&told["usage"]["input_tokens"], &told["usage"]["output_tokens"]), (&5.into(), &7.into()));
        for line in [
            "\r\nrequest-id: req_",
            "\r\nx-topdog-translation: openai_chat",
            "\r\nx-upstream-request-id: up-1",
        ] {
            assert!(reply.head.contains(line), "{line}: {}", reply.head);
        }
        assert!(
            !reply.head.contains("x-ratelimit-limit-requests: 7"),
            "of the provider's own words none: {}",
            reply.head
        );
        let (head, body) = sent(&rig);
        assert!(
            head.starts_with("post /v1/chat/completions http/1.1"),
            "no query of the caller's dialect: {head}"
        );
        assert_is_only_key(&rig, &head, Family::OpenAi);
        assert!(!head.contains("anthropic"), "{head}");
        assert!(head.contains("user-agent: sdk/1") && head.contains("traceparent: 00-1-2-01"), "{head}");
        assert_eq!(
            (&body["model"], &body["messages"][0]["role"]),
            (&"gpt-4o".into(), &"system".into()),
            "{body}"
        );
        assert_eq!(rig.records(1).await[0].operation, Operation::Messages);
    });
}

#[test]
fn responses_reach_anthropic() {
    run(async {
        let rig = Rig::start(wish(CLAUDE)).await;
        let ask = json!({"model": "anthropic/claude-sonnet-4-5", "input": "hi"});
        let reply = rig.post("/v1/responses", &ask.to_string()).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        let told = reply.json();
        assert_eq!((&told["object"], &told["status"]), (&"response".into(), &"completed".into()), "{told}");
        assert_eq!(told["output"][0]["content"][0]["text"], "hello", "{told}");
        assert!(sent(&rig).0.starts_with("post /v1/messages http"));
    });
}

#[test]
fn what_cannot_be_said_is_refused_and_costs_nothing() {
    run(async {
        let rig = Rig::start(wish(CLAUDE)).await;
        let mut ask: Value = serde_json::from_str(&chat_of("anthropic/claude-sonnet-4-5")).unwrap();
        ask["logit_bias"] = json!({"50256": -100});
        let reply = rig.chat(&ask.to_string()).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "not_translatable"), "{}", reply.body);
        let error = &reply.json()["error"];
        assert_eq!(
            (&error["param"], &error["type"]),
            (&"logit_bias".into(), &"invalid_request_error".into())
        );
        ask["messages"] = json!([{"role": 7}]);
        let reply = rig.chat(&ask.to_string()).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_value"), "{}", reply.body);
        assert_eq!(reply.json()["error"]["param"], "messages[0].role", "{}", reply.body);
        assert_eq!(rig.upstream.count(), 0, "nothing was sent");
        assert!(rig.admitted().is_empty(), "and no LLM request counted");
        assert!(rig.spool.audits().is_empty(), "nor a key opened");
    });
}

fn as_chat(rig: &Rig, line: &str, body: &str) -> String {
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\n{line}connection: close\r\n\
         content-length: {}\r\n\r\n{body}",
        rig.token,
        body.len()
    )
}

#[test]
fn who_asks_for_leniency_is_told_what_was_dropped() {
    run(async {
        let rig = Rig::start(wish(CLAUDE)).await;
        let mut ask: Value = serde_json::from_str(&chat_of("anthropic/claude-sonnet-4-5")).unwrap();
        ask["logit_bias"] = json!({"50256": -100});
        ask["seed"] = json!(7);
        let lenient = as_chat(&rig, "x-topdog-translation: lenient\r\n", &ask.to_string());
        let reply = rig.raw(&lenient).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.head.contains("\r\nx-topdog-dropped: logit_bias, seed\r\n"), "{}", reply.head);
        let (head, body) = sent(&rig);
        assert!(body.get("logit_bias").is_none() && !head.contains("x-topdog"), "{head}\n{body}");
        let nothing =
            as_chat(&rig, "x-topdog-translation: lenient\r\n", &chat_of("anthropic/claude-sonnet-4-5"));
        assert!(!rig.raw(&nothing).await.head.contains("x-topdog-dropped"));
        for line in [
            "x-topdog-translation: lax\r\n",
            "x-topdog-translation: lenient\r\nx-topdog-translation: strict\r\n",
        ] {
            let reply = rig.raw(&as_chat(&rig, line, &ask.to_string())).await;
            assert_eq!((reply.status, reply.code().as_str()), (400, "invalid_header"), "{line}");
        }
        let hostile = json!({
            "model": "anthropic/claude-sonnet-4-5", "messages": [{"role": "user", "content": "hi"}],
            "x\r\nset-cookie: a": 1, "é": 2,
        });
        let lenient = as_chat(&rig, "x-topdog-translation: lenient\r\n", &hostile.to_string());
        let reply = rig.raw(&lenient).await;
        assert!(reply.status == 200 && !reply.head.contains("set-cookie: a"), "{}", reply.head);
    });
}

#[test]
fn operations_that_have_no_like_are_refused() {
    run(async {
        let rig = Rig::start(wish("{}")).await;
        for (path, model) in [
            ("/v1/completions", "anthropic/claude-sonnet-4-5"),
            ("/v1/moderations", "gemini/gemini-2.5-flash"),
            ("/v1/embeddings", "anthropic/claude-sonnet-4-5"),
            ("/v1/messages/count_tokens", "openai/gpt-4o"),
        ] {
            let reply = rig.post(path, &chat_of(model)).await;
            assert_eq!((reply.status, reply.code().as_str()), (400, "operation_unsupported"), "{path}");
        }
        assert_eq!(rig.upstream.count(), 0);
    });
}

#[test]
fn errors_are_told_in_the_callers_words() {
    run(async {
        let rig = Rig::start(wish("{}")).await;
        let secret = secret_for(Family::Anthropic);
        let fails = |status: u16, head: &str, body: &str| Script::Verbatim {
            head: format!("{status} X\r\ncontent-type: application/json\r\n{head}"),
            body: body.as_bytes().to_vec(),
        };
        let overloaded = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_9"}"#;
        let ask = chat_of("anthropic/claude-sonnet-4-5");
        rig.upstream.now_does(fails(
            529,
            "retry-after: 7\r\nrequest-id: req_9\r\nx-should-retry: true\r\nanthropic-organization-id: o",
            overloaded,
        ));
        let reply = rig.chat(&ask).await;
        assert_eq!(reply.status, 503, "{}", reply.body);
        assert_eq!(reply.json()["error"]["message"], "Overloaded", "{}", reply.body);
        assert!(
            reply.json()["error"]["type"].is_string() && reply.json().get("type").is_none(),
            "{}",
            reply.body
        );
        for line in [
            "retry-after: 7",
            "x-should-retry: true",
            "x-upstream-request-id: req_9",
            "x-topdog-error-source: upstream",
        ] {
            assert!(reply.head.contains(&format!("\r\n{line}")), "{line}: {}", reply.head);
        }
        assert!(!reply.head.contains("anthropic-organization"), "{}", reply.head);
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.status, record.is_counted), (Outcome::UpstreamError, 503, false));
        assert_eq!(record.tokens.total(), 0);
        let key = format!(
            r#"{{"type":"error","error":{{"type":"authentication_error","message":"bad {secret}"}}}}"#
        );
        rig.upstream.now_does(fails(401, "x-y: z", &key));
        let reply = rig.chat(&ask).await;
        assert!(
            reply.status == 401 && !reply.body.contains(secret) && reply.body.contains("[redacted]"),
            "{}",
            reply.body
        );
        rig.upstream.now_does(fails(500, "x-y: z", "<html>gone</html>"));
        let reply = rig.chat(&ask).await;
        assert_eq!(
            (reply.status, reply.json()["error"]["type"].as_str()),
            (500, Some("server_error")),
            "{}",
            reply.body
        );
        let quota = r#"{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"33.2s"}]}}"#;
        rig.upstream.now_does(fails(429, "x-y: z", quota));
        let reply = rig.chat(&chat_of("gemini/gemini-2.5-flash")).await;
        assert_eq!(reply.status, 429, "{}", reply.body);
        assert!(reply.head.contains("\r\nretry-after: 34\r\n"), "{}", reply.head);
        let openais = r#"{"error":{"message":"no such model","type":"invalid_request_error","param":null,"code":"model_not_found"}}"#;
        rig.upstream.now_does(fails(404, "x-y: z", openais));
        let reply = rig
            .messages(
                "/v1/messages",
                "",
                &chat_of("openai/gpt-4o").replace("\"messages\"", "\"max_tokens\":9,\"messages\""),
            )
            .await;
        assert_eq!(
            (reply.status, reply.json()["error"]["type"].as_str()),
            (404, Some("not_found_error")),
            "{}",
            reply.body
        );
    });
}

#[test]
fn an_answer_that_is_none_is_a_502_that_counts() {
    run(async {
        let rig = Rig::start(wish("{}")).await;
        let error_in_a_success =
            r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
        let scripts = [
            Script::json("{}"),
            Script::json("not json"),
            Script::json(""),
            Script::json(error_in_a_success),
            Script::Answer { status: 200, content_type: "text/html", body: "<html>".to_owned() },
            Script::Torn,
        ];
        for (index, script) in scripts.into_iter().enumerate() {
            rig.upstream.now_does(script);
            let reply = rig.chat(&chat_of("anthropic/claude-sonnet-4-5")).await;
            assert_eq!(
                (reply.status, reply.code().as_str()),
                (502, "upstream_failed"),
                "{index}: {}",
                reply.body
            );
            let records = rig.records(index + 1).await;
            assert_eq!(
                (records[index].outcome, records[index].is_counted),
                (Outcome::UpstreamFailed, true),
                "{index}"
            );
        }
    });
}

#[test]
fn an_answer_in_many_pieces_is_one_answer() {
    run(async {
        let rig = Rig::start(wish("{}")).await;
        let pieces = CLAUDE.bytes().map(|byte| vec![byte]).collect();
        rig.upstream.now_does(Script::Pieces { content_type: "application/json", pieces });
        let reply = rig.chat(&chat_of("anthropic/claude-sonnet-4-5")).await;
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "hello", "{}", reply.body);
        let long = CLAUDE.replace("hello", &"x".repeat(1 << 20));
        rig.upstream.now_does(Script::json(&long));
        let reply = rig.chat(&chat_of("anthropic/claude-sonnet-4-5")).await;
        assert!(reply.json()["choices"][0]["message"]["content"].as_str().unwrap().len() == 1 << 20);
    });
}

#[test]
fn the_key_does_not_come_back_in_a_translated_answer() {
    run(async {
        let secret = secret_for(Family::Anthropic);
        let rig = Rig::start(wish(&CLAUDE.replace("hello", &format!("you sent {secret}")))).await;
        let reply = rig.chat(&chat_of("anthropic/claude-sonnet-4-5")).await;
        assert!(reply.status == 200 && !reply.body.contains(secret), "{}", reply.body);
        let named =
            |name: &str| Script::json(&CLAUDE.replacen('{', &format!("{{\"{name}\":{{\"x\":1}},"), 1));
        rig.upstream.now_does(named("novelty"));
        let reply = rig.chat(&chat_of("anthropic/claude-sonnet-4-5")).await;
        assert!(reply.head.contains("\r\nx-topdog-dropped-answer: novelty\r\n"), "{}", reply.head);
        rig.upstream.now_does(named(secret));
        let reply = rig.chat(&chat_of("anthropic/claude-sonnet-4-5")).await;
        assert!(reply.status == 200 && !reply.head.contains(secret), "{}", reply.head);
    });
}

#[test]
fn a_model_in_a_path_cannot_leave_its_place() {
    run(async {
        let rig = Rig::start(wish(GEMINI)).await;
        for model in ["../../v1/x", "a/b", "a?key=1", "a#b", "%2e%2e", "a:b"] {
            let reply = rig.chat(&chat_of(&format!("gemini/{model}"))).await;
            if reply.status == 400 {
                assert_eq!(reply.code(), "invalid_model");
                continue;
            }
            assert_eq!(reply.status, 200, "{model}: {}", reply.body);
            let head = rig.upstream.last().0;
            let path = head.split(' ').nth(1).unwrap();
            let name = path
                .strip_prefix("/v1beta/models/")
                .and_then(|p| p.strip_suffix(":generatecontent"))
                .unwrap();
            assert!(!name.contains(['/', '?', '#', ':']), "{path}");
        }
    });
}

#[test]
fn a_body_whose_translation_takes_too_much_memory_is_refused() {
    run(async {
        let config = |c: &mut topdog_gateway::GatewayConfig| c.limits.body_bytes_per_organisation = 4 << 20;
        let rig = Rig::start(Wish { config, ..wish(CLAUDE) }).await;
        // Short as text, and a node of memory for every number.
        let many = format!(
            r#"{{"model":"anthropic/claude-sonnet-4-5","messages":[],"x":[{}1]}}"#,
            "1,".repeat(100_000)
        );
        let reply = rig.chat(&many).await;
        assert_eq!((reply.status, reply.code().as_str()), (429, "body_memory_limit"), "{}", reply.body);
        let native = rig.chat(&many.replace("anthropic/claude-sonnet-4-5", "gpt-4o")).await;
        assert_eq!(native.status, 200, "it is relayed without");
        assert_eq!(rig.chat(&chat_of("anthropic/claude-sonnet-4-5")).await.status, 200, "all is given back");
    });
}

#[test]
fn a_body_of_a_great_many_faults_is_answered_soon_and_briefly() {
    run(async {
        let rig = Rig::start(wish(CLAUDE)).await;
        let fields: String = (0..60_000).map(|n| format!("\"f{n}\":1,")).collect();
        let body = format!(
            r#"{{{fields}"model":"anthropic/claude-sonnet-4-5","messages":[{{"role":"user","content":"hi"}}]}}"#
        );
        let began = std::time::Instant::now();
        let reply = rig.chat(&body).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "not_translatable"));
        assert!(reply.body.len() < 4096, "{} bytes", reply.body.len());
        let lenient = as_chat(&rig, "x-topdog-translation: lenient\r\n", &body);
        let reply = rig.raw(&lenient).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(reply.head.contains(" more\r\n") && reply.head.len() < 4096, "{}", reply.head);
        // Naming each by a search of its own would take minutes.
        assert!(began.elapsed() < std::time::Duration::from_secs(15), "{:?}", began.elapsed());
    });
}
