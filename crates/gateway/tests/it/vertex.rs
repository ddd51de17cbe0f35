//! Vertex AI: a service account's key is exchanged for an access token, which alone is sent there.

use crate::rig::{Rig, Wish, run};
use crate::upstream::{Script, Upstream};
use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use topdog_domain::provider::{Manner, ProviderApi};

const TOKEN: &str = "ya29.canary-access-token-0123456789abcdef";
const ANSWER: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"hello"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":5,"candidatesTokenCount":7,"totalTokenCount":12},"modelVersion":"gemini-2.5-flash","responseId":"g1"}"#;
const PLACE: &str = "/v1/projects/acme-1/locations/europe-west4";

struct Account {
    pair: KeyPair,
    json: String,
    /// What of the private key would be recognised anywhere.
    canary: String,
}

impl Account {
    fn new() -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).unwrap();
        let der: Pkcs8V1Der<'_> = pair.as_der().unwrap();
        let text = STANDARD.encode(der.as_ref());
        let lines: Vec<String> =
            text.as_bytes().chunks(64).map(|l| String::from_utf8(l.to_vec()).unwrap()).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        let json = serde_json::to_string_pretty(&json!({
            "type": "service_account", "project_id": "acme-1", "private_key_id": "kid-1", "private_key": pem,
            "client_email": "top-dog@acme-1.iam.gserviceaccount.com", "client_id": "1",
            // What the customer's text names is not where anything is sent.
            "token_uri": "https://evil.example/token", "universe_domain": "googleapis.com",
        }));
        Self { pair, json: json.unwrap(), canary: lines[3].clone() }
    }
}

fn granted(seconds: u64) -> Script {
    Script::json(&json!({"access_token": TOKEN, "expires_in": seconds, "token_type": "Bearer"}).to_string())
}

async fn rig(tokens: &Upstream, secret: &str) -> Rig {
    let mut rig = Rig::start(Wish {
        tier: "TEAMS-SMALL",
        script: Script::json(ANSWER),
        token_url: Some(format!("http://{}/token", tokens.address)),
        ..Wish::default()
    })
    .await;
    rig.endpoint("vertex", PLACE, Manner::of(ProviderApi::Vertex), secret).await;
    rig
}

const ASK: &str = r#"{"model":"vertex/gemini-2.5-flash","messages":[{"role":"user","content":"hi"}]}"#;

fn part(assertion: &str, at: usize) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(assertion.split('.').nth(at).unwrap()).unwrap()).unwrap()
}

#[test]
fn a_service_accounts_key_is_exchanged_for_a_token_once() {
    run(async {
        let tokens = Upstream::start(granted(3600)).await;
        let account = Account::new();
        let rig = rig(&tokens, &account.json).await;
        let (a, b, c) = tokio::join!(rig.chat(ASK), rig.chat(ASK), rig.chat(ASK));
        for reply in [a, b, c] {
            assert_eq!(reply.status, 200, "{}", reply.body);
            assert_eq!(reply.json()["choices"][0]["message"]["content"], "hello");
        }
        assert_eq!((tokens.count(), rig.upstream.count()), (1, 3), "one asks for all");

        let line =
            format!("POST {PLACE}/publishers/google/models/gemini-2.5-flash:generateContent HTTP/1.1\r\n");
        for head in &rig.upstream.seen.borrow().heads {
            assert!(
                head.starts_with(&line) && head.contains(&format!("authorization: Bearer {TOKEN}")),
                "{head}"
            );
        }
        let sent: String =
            rig.upstream.seen.borrow().requests.iter().map(|(head, body)| format!("{head}{body}")).collect();
        assert!(!sent.contains(&account.canary.to_lowercase()) && !sent.contains("x-goog-api-key"), "{sent}");

        let (head, body) = tokens.last();
        assert!(head.starts_with("post /token http/1.1\r\n"), "{head}");
        let assertion = body
            .strip_prefix("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=")
            .unwrap();
        assert_eq!(part(assertion, 0), json!({"alg": "RS256", "typ": "JWT", "kid": "kid-1"}));
        let claims = part(assertion, 1);
        assert_eq!(claims["aud"], format!("http://{}/token", tokens.address), "for whom it is sent to");
        assert_eq!(claims["iss"], "top-dog@acme-1.iam.gserviceaccount.com");
        assert_eq!(claims["scope"], "https://www.googleapis.com/auth/cloud-platform");
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(1_764_028_800), &json!(1_764_029_400)));
        let (signed, signature) = assertion.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        let public = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, account.pair.public_key().as_ref());
        public.verify(signed.as_bytes(), &signature).unwrap();
    });
}

#[test]
fn a_token_is_asked_for_anew_shortly_before_it_ends() {
    run(async {
        let tokens = Upstream::start(granted(3600)).await;
        let rig = rig(&tokens, &Account::new().json).await;
        let asked_after = async |seconds: i64| {
            rig.clock.set(rig.clock_start().plus_seconds(seconds));
            let reply = rig.chat(ASK).await;
            (reply.status, tokens.count())
        };
        assert_eq!(asked_after(0).await, (200, 1));
        assert_eq!(asked_after(3299).await, (200, 1));
        assert_eq!(asked_after(3300).await, (200, 2));
        // Where nobody answers, the present one serves almost until it ends.
        tokens.now_does(Script::Close);
        assert_eq!(asked_after(3300 + 3500).await.0, 200);
        let reply = {
            rig.clock.set(rig.clock_start().plus_seconds(3300 + 3580));
            rig.chat(ASK).await
        };
        assert_eq!((reply.status, reply.code().as_str()), (502, "provider_key_unreachable"));
    });
}

#[test]
fn an_account_that_is_refused_reaches_no_model() {
    run(async {
        let refusal = Script::Answer {
            status: 400,
            content_type: "application/json",
            body: r#"{"error":"invalid_grant","error_description":"Invalid JWT Signature."}"#.to_owned(),
        };
        let tokens = Upstream::start(refusal).await;
        let rig = rig(&tokens, &Account::new().json).await;
        let reply = rig.chat(ASK).await;
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (502, "provider_key_unreachable"),
            "{}",
            reply.body
        );
        assert_eq!(rig.upstream.count(), 0);
        tokens.now_does(Script::json(r#"{"access_token":"two\r\nlines","expires_in":3600}"#));
        assert_eq!(rig.chat(ASK).await.status, 502);
        assert_eq!(rig.upstream.count(), 0);
    });
}

#[test]
fn a_rotated_key_is_exchanged_anew() {
    run(async {
        let tokens = Upstream::start(granted(3600)).await;
        let account = Account::new();
        let mut rig = rig(&tokens, &account.json).await;
        assert_eq!(rig.chat(ASK).await.status, 200);
        let gone = rig.facts.provider_keys.pop();
        assert_eq!(gone.unwrap().provider.as_str(), "vertex");
        rig.change(|_| ());
        assert_eq!(rig.chat(ASK).await.code(), "no_provider_key");
        rig.change(|facts| facts.endpoints.clear());
        rig.endpoint("vertex", PLACE, Manner::of(ProviderApi::Vertex), &Account::new().json).await;
        assert_eq!((rig.chat(ASK).await.status, tokens.count()), (200, 2));
    });
}

#[test]
fn a_token_that_is_given_is_sent_as_it_is_and_kept_out_of_what_comes_back() {
    run(async {
        let tokens = Upstream::start(Script::Close).await;
        let rig = rig(&tokens, TOKEN).await;
        let told = json!({"error": {"code": 401, "message": format!("bad token {TOKEN}"), "status": "UNAUTHENTICATED"}});
        let refusal =
            Script::Answer { status: 401, content_type: "application/json", body: told.to_string() };
        rig.upstream.now_does(refusal);
        let reply = rig.chat(ASK).await;
        assert_eq!(reply.status, 401, "{}", reply.body);
        assert!(!reply.body.contains("canary") && reply.body.contains("[redacted]"), "{}", reply.body);
        assert_eq!(tokens.count(), 0);
        assert!(rig.upstream.seen.borrow().heads[0].contains(&format!("authorization: Bearer {TOKEN}")));
    });
}

#[test]
fn an_exchanged_token_is_kept_out_of_what_comes_back() {
    run(async {
        let tokens = Upstream::start(granted(3600)).await;
        let rig = rig(&tokens, &Account::new().json).await;
        let told = format!(
            r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"text":"you sent {TOKEN}"}}]}},"finishReason":"STOP"}}]}}"#
        );
        rig.upstream.now_does(Script::json(&told));
        let reply = rig.chat(ASK).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert!(!reply.body.contains("canary"), "{}", reply.body);
    });
}

#[test]
fn geminis_own_requests_pass_and_those_that_vertex_has_not_are_refused() {
    run(async {
        let tokens = Upstream::start(granted(3600)).await;
        let rig = rig(&tokens, &Account::new().json).await;
        let body = r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#;
        let reply = rig.post("/v1beta/models/vertex%2Fgemini-2.5-flash:generateContent", body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
        assert_eq!(reply.body, ANSWER, "it passes as it came");
        let head = rig.upstream.seen.borrow().heads.last().unwrap().clone();
        let line =
            format!("POST {PLACE}/publishers/google/models/gemini-2.5-flash:generateContent HTTP/1.1\r\n");
        assert!(head.starts_with(&line), "{head}");
        assert!(head.contains(&format!("authorization: Bearer {TOKEN}")), "{head}");
        assert!(!head.contains("x-goog-api-key") && !head.contains(&rig.token), "{head}");
        let body = r#"{"content":{"parts":[{"text":"hi"}]}}"#;
        let reply = rig.post("/v1beta/models/vertex%2Fgemini-embedding-001:embedContent", body).await;
        assert_eq!(reply.status, 400, "{}", reply.body);
        assert_eq!(rig.upstream.count(), 1);
    });
}
