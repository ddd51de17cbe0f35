//! Attempts by a policy's route, in virtual time: no test waits.

use crate::policies::{body, of_org};
use crate::rig::{Reply, Rig, SECRET, Wish, run_paused, secret_for};
use crate::upstream::Script;
use std::cell::RefCell;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use topdog_domain::audit::AuditDraft;
use topdog_domain::provider::Family;
use topdog_domain::usage::Outcome;

/// A gateway with that route for everything, and a provider that answers in OpenAI's dialect.
async fn rig(route: &str) -> Rig {
    let mut rig = Rig::start(Wish { tier: "PRO-PLUS", script: fine(), ..Wish::default() }).await;
    rig.change(|facts| {
        of_org(facts, &format!(r#"{{"aliases":{{"fast":"openai/gpt-4o-mini"}},"routes":[{route}]}}"#));
    });
    rig
}

fn fine() -> Script {
    Script::json(
        r#"{"id":"c","object":"chat.completion","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#,
    )
}

fn claude() -> Script {
    Script::json(
        r#"{"id":"m","type":"message","role":"assistant","model":"claude-haiku-4-5","content":[{"type":"text","text":"hello"}],"stop_reason":"end_turn","usage":{"input_tokens":4,"output_tokens":1}}"#,
    )
}

fn error(status: u16) -> Script {
    with(status, r#"{"error":{"message":"no","type":"x","code":"y"}}"#)
}

fn with(status: u16, body: &str) -> Script {
    Script::Answer { status, content_type: "application/json", body: body.to_owned() }
}

fn later(status: u16, header: &str) -> Script {
    let head = format!("{status} X\r\ncontent-type: application/json\r\n{header}");
    Script::Verbatim { head, body: br#"{"error":{"message":"no"}}"#.to_vec() }
}

fn said(reply: &Reply, name: &str) -> Option<String> {
    reply.head.lines().find_map(|line| line.strip_prefix(&format!("{name}: "))).map(str::to_owned)
}

fn attempts(reply: &Reply) -> Option<u32> {
    said(reply, "x-topdog-attempts").map(|text| text.parse().unwrap())
}

/// An answer that comes after that time.
fn after(pause: Duration, status: u16, body: &str) -> Script {
    let head = "content-type: application/json\r\nconnection: close\r\n";
    let answer = format!("HTTP/1.1 {status} X\r\n{head}content-length: {}\r\n\r\n{body}", body.len());
    Script::Raw { writes: vec![Vec::new(), answer.into_bytes()], pause }
}

const ASK: &str = r#"{"model":"fast","messages":[{"role":"user","content":"hey"}]}"#;
const STREAM: &str = r#"{"model":"fast","stream":true,"messages":[{"role":"user","content":"hey"}]}"#;

impl Rig {
    /// The models that were asked for, in order.
    fn asked(&self) -> Vec<String> {
        let seen = self.upstream.seen.borrow();
        let model = |body: &str| {
            serde_json::from_str::<serde_json::Value>(body).unwrap()["model"].as_str().unwrap().to_owned()
        };
        seen.requests.iter().map(|(_, body)| model(body)).collect()
    }

    fn uses(&self) -> Vec<AuditDraft> {
        self.spool.audits().into_iter().filter(|draft| draft.action == "provider_key.use").collect()
    }
}

#[test]
fn a_fallback_answers_in_the_callers_dialect_and_is_settled_once() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"fallbacks":["anthropic/claude-haiku-4-5"]}"#).await;
        rig.upstream.next_does([error(429), claude()]);
        let reply = rig.chat(ASK).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.json()["choices"][0]["message"]["content"], "hello");
        assert_eq!(said(&reply, "x-topdog-provider").as_deref(), Some("anthropic"));
        assert_eq!(said(&reply, "x-topdog-model").as_deref(), Some("claude-haiku-4-5"));
        assert_eq!(attempts(&reply), Some(2));
        let records = rig.records(1).await;
        let record = &records[0];
        assert_eq!(
            (record.provider.as_str(), &*record.model, &*record.model_requested),
            ("anthropic", "claude-haiku-4-5", "fast")
        );
        assert_eq!((record.outcome, record.is_counted, record.tokens.input), (Outcome::Completed, true, 4));
        assert!(
            record.cost_nanodollars.is_some_and(|cost| cost > 0),
            "by the price of the model that answered"
        );
        let used = record.key_use.as_ref().unwrap();
        let anthropic =
            rig.facts.provider_keys.iter().find(|key| key.provider.as_str() == "anthropic").unwrap();
        assert!(used.is_audited && used.provider_key == anthropic.id);
        let audited: Vec<_> = rig.uses().into_iter().map(|draft| draft.detail["provider"].clone()).collect();
        assert_eq!(audited, ["openai", "anthropic"], "each use of a key is in the audit log");
    });
}

#[test]
fn in_a_regulated_segment_each_use_of_a_key_is_on_the_disk_before_it() {
    run_paused(async {
        let rig = rig(r#"{"for":["*"],"retries":{"most":1},"fallbacks":["openai/gpt-4o"]}"#).await;
        let (spool, seen) = (rig.spool.clone(), rig.upstream.seen.clone());
        let ahead = Rc::new(RefCell::new(Vec::new()));
        let noted = ahead.clone();
        rig.upstream.first_does(move || {
            let audits = spool.audits();
            let uses = audits.iter().filter(|draft| draft.action == "provider_key.use").count();
            noted.borrow_mut().push((uses, seen.borrow().requests.len()));
        });
        rig.upstream.next_does([error(503), error(503)]);
        let reply = rig.raw_with("x-data-segment: medical").await;
        assert_eq!((reply.status, attempts(&reply)), (200, Some(3)), "{}", reply.body);
        assert_eq!(*ahead.borrow(), [(1, 1), (2, 2), (3, 3)]);
        rig.spool.set_healthy(false);
        let refused = rig.raw_with("x-data-segment: medical").await;
        assert_eq!((refused.status, rig.upstream.count()), (503, 3), "no record, no attempt");
    });
}

#[test]
fn each_attempt_carries_the_key_of_its_own_provider_and_no_other() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"fallbacks":["anthropic/claude-haiku-4-5"]}"#).await;
        rig.upstream.next_does([error(500), claude()]);
        assert_eq!(rig.chat(ASK).await.status, 200);
        let seen = rig.upstream.seen.borrow();
        let (openai, anthropic) = (&seen.requests[0], &seen.requests[1]);
        let other = secret_for(Family::Anthropic);
        let holds =
            |(head, body): &(String, String), secret: &str| head.contains(secret) || body.contains(secret);
        assert!(holds(openai, SECRET) && !holds(openai, other));
        assert!(holds(anthropic, other) && !holds(anthropic, SECRET));
        assert!(anthropic.0.starts_with("post /v1/messages "), "{}", anthropic.0);
    });
}

#[test]
fn a_sick_provider_is_asked_again_after_a_wait() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"retries":{"most":2}}"#).await;
        rig.upstream.next_does([error(503), error(529)]);
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, attempts(&reply)), (200, Some(3)));
        assert_eq!(rig.upstream.count(), 3);
        rig.upstream.next_does([error(500), error(500), error(500)]);
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, attempts(&reply)), (500, Some(3)));
        assert_eq!(said(&reply, "x-topdog-error-source").as_deref(), Some("upstream"));
        let line =
            r#"topdog_attempt_failures_total{plan="Pro",data_segment="general",failure="server_error"} 3"#;
        assert!(rig.metrics.encode().contains(line), "{}", rig.metrics.encode());
        let records = rig.records(2).await;
        assert_eq!(
            (records[0].is_counted, records[1].is_counted),
            (true, false),
            "what nobody accepted is given back"
        );
        assert_eq!((records[1].outcome, records[1].status), (Outcome::UpstreamError, 500));
    });
}

#[test]
fn a_wait_that_is_asked_for_is_kept_and_too_long_a_one_is_not_waited_for() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"retries":{"most":1},"fallbacks":["openai/gpt-4o"]}"#).await;
        rig.upstream.next_does([later(429, "retry-after: 3")]);
        let began = Instant::now();
        let reply = rig.chat(ASK).await;
        let took = began.elapsed();
        assert_eq!((reply.status, attempts(&reply)), (200, Some(2)));
        assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(4), "{took:?}");
        rig.upstream.next_does([later(429, "retry-after-ms: 11000")]);
        let began = Instant::now();
        assert_eq!(rig.chat(ASK).await.status, 200);
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        assert_eq!(rig.asked(), ["gpt-4o-mini", "gpt-4o-mini", "gpt-4o-mini", "gpt-4o"]);
    });
}

#[test]
fn what_the_request_itself_is_to_blame_for_is_told_at_once() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"retries":{"most":3},"fallbacks":["openai/gpt-4o"]}"#).await;
        for status in [400, 404, 422, 401] {
            rig.upstream.next_does([error(status)]);
            let reply = rig.chat(ASK).await;
            assert_eq!((reply.status, attempts(&reply)), (status, Some(1)));
        }
        assert_eq!(rig.upstream.count(), 4);
    });
}

#[test]
fn an_account_that_is_used_up_is_not_asked_again_but_left() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"retries":{"most":3},"fallbacks":["openai/gpt-4o"]}"#).await;
        rig.upstream.next_does([with(429, r#"{"error":{"code":"insufficient_quota","message":"no"}}"#)]);
        assert_eq!(attempts(&rig.chat(ASK).await), Some(2));
        assert_eq!(rig.asked(), ["gpt-4o-mini", "gpt-4o"]);
    });
}

#[test]
fn what_may_have_cost_money_is_tried_again_only_where_the_policy_says_so() {
    run_paused(async {
        let rest = r#""fallbacks":["openai/gpt-4o"],"timeouts":{"attempt_ms":1000}"#;
        let mut rig = rig(&format!(r#"{{"for":["fast"],{rest}}}"#)).await;
        for (script, status, code) in
            [(Script::Silence, 504, "upstream_timeout"), (Script::Close, 502, "upstream_failed")]
        {
            rig.upstream.next_does([script]);
            let reply = rig.chat(ASK).await;
            assert_eq!((reply.status, reply.code().as_str(), attempts(&reply)), (status, code, Some(1)));
        }
        let named = format!(r#"{{"routes":[{{"for":["*"],"on":["timeout","broken"],{rest}}}]}}"#);
        rig.change(|facts| of_org(facts, &named));
        for script in [Script::Silence, Script::Close] {
            rig.upstream.next_does([script]);
            let reply = rig.chat(&body("openai/gpt-4o-mini")).await;
            assert_eq!((reply.status, attempts(&reply)), (200, Some(2)), "{}", reply.body);
        }
    });
}

#[test]
fn a_head_is_no_answer_where_the_first_token_has_a_limit() {
    run_paused(async {
        let rig = rig(
            r#"{"for":["fast"],"fallbacks":["openai/gpt-4o"],"on":["timeout"],"timeouts":{"first_token_ms":2000}}"#,
        )
        .await;
        let head = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
        let hanging = Script::Raw { writes: vec![head.into()], pause: Duration::from_secs(60) };
        let events = [r#"{"choices":[{"index":0,"delta":{"content":"hi"}}]}"#, "[DONE]"];
        rig.upstream.next_does([hanging, Script::stream(&events)]);
        let reply = rig.chat(STREAM).await;
        assert_eq!((reply.status, attempts(&reply)), (200, Some(2)));
        assert!(reply.body.contains("\"hi\"") && reply.body.ends_with("data: [DONE]\n\n"), "{}", reply.body);
        assert_eq!(rig.asked(), ["gpt-4o-mini", "gpt-4o"]);
    });
}

#[test]
fn an_error_behind_a_good_head_is_a_failure_while_nothing_has_passed() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"fallbacks":["openai/gpt-4o"]}"#).await;
        let refused = r#"{"error":{"message":"no","code":"rate_limit_exceeded"}}"#;
        let events = [r#"{"choices":[{"index":0,"delta":{"content":"hi"}}]}"#, "[DONE]"];
        rig.upstream.next_does([Script::stream(&[refused]), Script::stream(&events)]);
        let reply = rig.chat(STREAM).await;
        assert!(reply.body.contains("\"hi\"") && !reply.body.contains("error"), "{}", reply.body);
        assert_eq!(attempts(&reply), Some(2));
        rig.upstream.next_does([Script::stream(&[refused]), Script::stream(&[refused])]);
        let reply = rig.chat(STREAM).await;
        assert_eq!(reply.body.matches("rate_limit_exceeded").count(), 1, "the last is told: {}", reply.body);
        assert_eq!(attempts(&reply), Some(2));
        rig.upstream.next_does([Script::stream(&[events[0], refused])]);
        let reply = rig.chat(STREAM).await;
        assert!(reply.body.contains("\"hi\"") && reply.body.contains("rate_limit_exceeded"));
        assert_eq!(attempts(&reply), Some(1), "it had begun");
    });
}

#[test]
fn a_sign_of_life_is_no_first_token_but_passes_where_that_has_no_limit() {
    run_paused(async {
        let mut rig = rig(r#"{"for":["fast"],"fallbacks":["openai/gpt-4o"],"on":["timeout"],"timeouts":{"first_token_ms":2000}}"#).await;
        let pieces = vec![b": alive\n\n".to_vec(); 4];
        let alive = Script::Chunks { pieces, pause: Duration::from_secs(1), has_end: true };
        let events = [r#"{"choices":[{"index":0,"delta":{"content":"hi"}}]}"#, "[DONE]"];
        rig.upstream.next_does([alive.clone(), Script::stream(&events)]);
        let reply = rig.chat(STREAM).await;
        assert!(!reply.body.contains("alive") && reply.body.contains("\"hi\""), "{}", reply.body);
        rig.change(|facts| of_org(facts, r#"{"routes":[{"for":["*"],"fallbacks":["openai/gpt-4o"]}]}"#));
        rig.upstream.next_does([alive]);
        let request = STREAM.replace("fast", "openai/gpt-4o-mini");
        let reply = rig.chat(&request).await;
        assert!(reply.body.contains("alive") && attempts(&reply) == Some(1), "{}", reply.body);
    });
}

/// A stream that broke off is never begun anew, whatever the policy says.
#[test]
fn nothing_is_tried_again_once_a_byte_has_gone_to_the_client() {
    run_paused(async {
        let rig = rig(
            r#"{"for":["fast"],"retries":{"most":5},"on":["broken","timeout","server_error"],"fallbacks":["openai/gpt-4o"]}"#,
        )
        .await;
        let event = r#"{"choices":[{"index":0,"delta":{"content":"hi"}}]}"#;
        rig.upstream.next_does([Script::stream(&[event]).dying()]);
        let reply = rig.chat(STREAM).await;
        assert!(reply.body.contains("\"hi\"") && reply.body.contains("upstream_failed"), "{}", reply.body);
        assert!(!reply.body.contains("[DONE]"));
        assert_eq!(rig.upstream.count(), 1);
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.is_counted), (Outcome::UpstreamFailed, true));
    });
}

#[test]
fn a_hedge_wins_the_loser_is_cancelled_and_one_request_counts() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"fallbacks":["openai/gpt-4o"],"hedge_after_ms":300}"#).await;
        rig.upstream.next_does([Script::Silence]);
        let began = Instant::now();
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, attempts(&reply)), (200, Some(2)), "{}", reply.body);
        assert_eq!(said(&reply, "x-topdog-model").as_deref(), Some("gpt-4o"));
        assert!(began.elapsed() < Duration::from_millis(900), "{:?}", began.elapsed());
        while rig.upstream.seen.borrow().closed_at.is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!((rig.records(1).await.len(), rig.uses().len()), (1, 2));
        let quick = rig.chat(ASK).await;
        assert_eq!(attempts(&quick), Some(1), "who answers in time is alone");
    });
}

#[test]
fn of_two_at_a_time_one_failure_leaves_the_other_a_chance() {
    run_paused(async {
        let rig =
            rig(r#"{"for":["fast"],"fallbacks":["openai/gpt-4o","openai/gpt-4.1"],"hedge_after_ms":300}"#)
                .await;
        rig.upstream.next_does([after(Duration::from_secs(2), 200, "{}"), error(500)]);
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, attempts(&reply)), (200, Some(2)));
        assert_eq!(said(&reply, "x-topdog-model").as_deref(), Some("gpt-4o-mini"), "the first, after all");
        rig.upstream.next_does([after(Duration::from_secs(2), 503, ""), error(500)]);
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, attempts(&reply)), (200, Some(3)));
        assert_eq!(said(&reply, "x-topdog-model").as_deref(), Some("gpt-4.1"), "neither is asked again");
    });
}

#[test]
fn a_place_that_keeps_failing_is_left_alone_until_a_probe_does_well() {
    run_paused(async {
        let rig =
            rig(r#"{"for":["fast"],"fallbacks":["openai/gpt-4o"],"breaker":{"failures":2,"open_ms":30000}}"#)
                .await;
        rig.upstream.next_does([error(500), fine(), error(500), fine()]);
        assert_eq!(attempts(&rig.chat(ASK).await), Some(2));
        assert_eq!(attempts(&rig.chat(ASK).await), Some(2));
        let reply = rig.chat(ASK).await;
        assert_eq!(
            (attempts(&reply), said(&reply, "x-topdog-model").as_deref()),
            (Some(1), Some("gpt-4o")),
            "it is open"
        );
        tokio::time::advance(Duration::from_secs(31)).await;
        rig.upstream.next_does([error(500), fine()]);
        assert_eq!(attempts(&rig.chat(ASK).await), Some(2), "the probe failed");
        assert_eq!(attempts(&rig.chat(ASK).await), Some(1));
        tokio::time::advance(Duration::from_secs(31)).await;
        let reply = rig.chat(ASK).await;
        assert_eq!(said(&reply, "x-topdog-model").as_deref(), Some("gpt-4o-mini"), "the probe did well");
    });
}

#[test]
fn where_all_places_are_left_alone_nobody_is_called_and_nothing_counted() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"breaker":{"failures":1}}"#).await;
        rig.upstream.next_does([error(500)]);
        assert_eq!(rig.chat(ASK).await.status, 500);
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, reply.code().as_str()), (502, "circuit_open"), "{}", reply.body);
        assert_eq!(rig.upstream.count(), 1);
        assert!(rig.records(2).await.iter().all(|record| !record.is_counted));
    });
}

/// BYOK means: what one key can't do is never done at another's expense (Continuum-AI-Corp/OrcaRouter-Lite#140).
#[test]
fn a_rate_limited_key_is_absorbed_by_no_key_that_the_organisation_did_not_bring() {
    run_paused(async {
        let mut rig = rig(
            r#"{"for":["fast"],"fallbacks":["anthropic/claude-haiku-4-5",{"model":"openai/gpt-4o","key":"spare"}]}"#,
        )
        .await;
        rig.tenant("other", "ENTERPRISE-ULTIMATE").await;
        rig.change(|facts| facts.provider_keys.retain(|key| key.provider.as_str() == "openai"));
        rig.upstream.next_does([error(429)]);
        let reply = rig.chat(ASK).await;
        assert_eq!((reply.status, attempts(&reply)), (429, Some(1)), "{}", reply.body);
        assert_eq!(rig.upstream.count(), 1);
        rig.change(|facts| facts.provider_keys.clear());
        assert_eq!(rig.chat(ASK).await.code(), "no_provider_key");
    });
}

#[test]
fn a_route_opens_no_model_and_no_provider_that_is_closed() {
    run_paused(async {
        let mut rig = rig("").await;
        rig.change(|facts| {
            of_org(
                facts,
                r#"{"deny":["openai/gpt-4"],"routes":[{"for":["*"],"fallbacks":["openai/gpt-4","mistral/mistral-large","openai/gpt-4o"]}]}"#,
            );
        });
        rig.upstream.next_does([error(429), error(429)]);
        let reply = rig.chat(&body("openai/gpt-4o-mini")).await;
        assert_eq!((reply.status, attempts(&reply)), (429, Some(2)));
        assert_eq!(rig.asked(), ["gpt-4o-mini", "gpt-4o"]);
        assert_eq!(rig.chat(&body("openai/gpt-4")).await.code(), "policy_denied");
        rig.change(|facts| facts.api_keys[0].models = vec!["openai/gpt-4o-mini".to_owned()]);
        rig.upstream.next_does([error(429)]);
        assert_eq!(
            attempts(&rig.chat(&body("openai/gpt-4o-mini")).await),
            Some(1),
            "the key's own list holds"
        );
        rig.change(|facts| facts.organisation.tier = topdog_domain::fakes::samples::tier("PRO"));
        rig.upstream.next_does([error(429)]);
        let reply = rig.chat(&body("openai/gpt-4o-mini")).await;
        assert_eq!((reply.status, attempts(&reply)), (429, None), "the tier has no routes");
    });
}

#[test]
fn a_place_that_can_t_be_told_the_request_is_passed_over() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"fallbacks":["anthropic/claude-haiku-4-5","openai/gpt-4o"]}"#).await;
        rig.upstream.next_does([error(429)]);
        let odd = r#"{"model":"fast","seed":7,"logit_bias":{"50256":-100},"messages":[{"role":"user","content":"hey"}]}"#;
        let reply = rig.chat(odd).await;
        assert_eq!((reply.status, attempts(&reply)), (200, Some(2)), "{}", reply.body);
        assert_eq!(rig.asked(), ["gpt-4o-mini", "gpt-4o"]);
        assert_eq!(rig.uses().len(), 2, "no key is opened for what can't be said");
    });
}

#[test]
fn several_keys_of_one_provider_share_the_requests() {
    run_paused(async {
        let mut rig = rig(
            r#"{"for":["fast"],"targets":[{"model":"openai/gpt-4o-mini","key":"main","weight":3},{"model":"openai/gpt-4o","key":"main"}]}"#,
        )
        .await;
        for _ in 0..60 {
            assert_eq!(attempts(&rig.chat(ASK).await), Some(1));
        }
        let mini = rig.asked().iter().filter(|model| *model == "gpt-4o-mini").count();
        assert!((30..=57).contains(&mini), "{mini} of 60 at three in four");
        rig.change(|facts| facts.provider_keys.iter_mut().for_each(|key| key.name = "other".to_owned()));
        assert_eq!(rig.chat(ASK).await.code(), "no_provider_key");
    });
}

#[test]
fn the_fastest_of_late_is_asked_first() {
    run_paused(async {
        let rig =
            rig(r#"{"for":["fast"],"targets":["openai/gpt-4o-mini","openai/gpt-4o"],"balance":"latency"}"#)
                .await;
        rig.upstream.next_does([after(Duration::from_secs(1), 200, "{}"), fine()]);
        for _ in 0..8 {
            assert_eq!(rig.chat(ASK).await.status, 200);
        }
        let asked = rig.asked();
        assert_ne!(asked[0], asked[1], "who is unknown is tried");
        assert!(asked[2..].iter().all(|model| *model == asked[1]), "{asked:?}");
    });
}

#[test]
fn the_cheapest_is_asked_first() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"targets":["openai/gpt-4o","openai/gpt-4o-mini","openai/unheard-of"],"balance":"cost"}"#).await;
        for _ in 0..10 {
            rig.chat(ASK).await;
        }
        assert!(rig.asked().iter().all(|model| model == "gpt-4o-mini"), "{:?}", rig.asked());
    });
}

#[test]
fn who_leaves_while_another_attempt_is_waited_for_leaves_nothing_behind() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"retries":{"most":1,"longest_retry_after_ms":60000}}"#).await;
        rig.upstream.next_does([later(429, "retry-after: 50")]);
        let mut client = rig.connect().await;
        let request = format!(
            "POST /v1/chat/completions HTTP/1.1\r\nhost: td\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{ASK}",
            rig.token,
            ASK.len()
        );
        client.write_all(request.as_bytes()).await.unwrap();
        while rig.upstream.count() == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        let held: u64 = rig.directory.snapshot().orgs().map(|org| org.occupancy.body_bytes.now()).sum();
        assert_eq!(held, ASK.len() as u64, "what may be sent again is kept, and counted");
        drop(client);
        let record = &rig.records(1).await[0];
        assert_eq!((record.outcome, record.is_counted), (Outcome::ClientGone, false));
        assert_eq!(rig.upstream.count(), 1);
        let snapshot = rig.directory.snapshot();
        let taken = |org: &topdog_domain::directory::OrgView| {
            (org.occupancy.requests.now(), org.occupancy.body_bytes.now())
        };
        assert!(snapshot.orgs().all(|org| taken(org) == (0, 0)), "no place and no memory stays taken");
    });
}

#[test]
fn a_stream_ends_when_its_whole_time_is_over() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"timeouts":{"total_ms":3000}}"#).await;
        let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
        let pieces = vec![event.as_bytes().to_vec(); 50];
        rig.upstream.next_does([Script::Chunks { pieces, pause: Duration::from_millis(500), has_end: true }]);
        let began = Instant::now();
        let reply = rig.chat(STREAM).await;
        assert!(reply.body.contains("upstream_timeout") && !reply.body.contains("[DONE]"), "{}", reply.body);
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(3) && took < Duration::from_millis(3_600), "{took:?}");
    });
}

#[test]
fn a_pause_is_as_long_as_the_policy_allows() {
    run_paused(async {
        let rig = rig(r#"{"for":["fast"],"timeouts":{"idle_ms":700}}"#).await;
        let event = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hi\"}}]}\n\n";
        let pieces = vec![event.as_bytes().to_vec(); 2];
        rig.upstream.next_does([Script::Chunks { pieces, pause: Duration::from_secs(2), has_end: true }]);
        let reply = rig.chat(STREAM).await;
        assert!(reply.body.contains("upstream_timeout"), "{}", reply.body);
    });
}
