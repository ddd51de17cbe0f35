//! How keys are shown: each in its provider's way, and nothing that signs in any.

use super::*;
use crate::{BadSecret, Shown};
use topdog_domain::provider::ProviderApi;

const PAIR: &str = "AKIDEXAMPLE:wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
const JWT: &str = "eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ.c2ln";

/// What a provider with that API is shown: the header's line, `signed`, or nothing.
async fn shown(api: ProviderApi, key: &str) -> Option<String> {
    let site = Site::new();
    let key = site.sealed(site.org().await, key).await;
    let (opened, _) = site.vault().open(&key, NOW).await.unwrap();
    opened.shown_to(api).map(|shown| match shown {
        Shown::Header(name, value) => {
            assert!(value.is_sensitive());
            format!("{name}: {}", value.to_str().unwrap())
        }
        Shown::Signature(_) => "signed".to_owned(),
    })
}

#[tokio::test]
async fn every_provider_is_shown_its_key_in_its_own_way() {
    for (api, key, told) in [
        (ProviderApi::OpenAi, "sk-1", "authorization: Bearer sk-1"),
        (ProviderApi::Cohere, "co-1", "authorization: Bearer co-1"),
        (ProviderApi::Anthropic, "sk-1", "x-api-key: sk-1"),
        (ProviderApi::Gemini, "AIza1", "x-goog-api-key: AIza1"),
        (ProviderApi::Azure, "0f1e", "api-key: 0f1e"),
        (ProviderApi::Azure, JWT, "authorization: Bearer eyJ0eXAiOiJKV1QifQ.eyJhIjoxfQ.c2ln"),
        (ProviderApi::Vertex, "ya29.a", "authorization: Bearer ya29.a"),
        (ProviderApi::Bedrock, "ABSKQmVk", "authorization: Bearer ABSKQmVk"),
        (ProviderApi::Bedrock, PAIR, "signed"),
    ] {
        assert_eq!(shown(api, key).await.as_deref(), Some(told));
    }
}

#[tokio::test]
async fn what_signs_is_shown_to_nobody() {
    let account = "eyJ0eXBlIjoic2VydmljZV9hY2NvdW50IiwiY2xpZW50X2VtYWlsIjoiYUBiIn0=";
    for api in ProviderApi::ALL {
        assert_eq!(shown(api, account).await, None, "{api:?}");
        if api != ProviderApi::Bedrock {
            assert_eq!(shown(api, PAIR).await, None, "{api:?}");
        }
    }
    for broken in ["AKIDEXAMPLE:short", "AKIAEXAMPLE12345", &format!("{PAIR}:a:b")] {
        assert_eq!(shown(ProviderApi::Bedrock, broken).await, None, "{broken}");
    }
}

#[test]
fn a_key_is_checked_for_the_api_that_it_is_for() {
    let kept = |api, key: &str| text(key).into_key_for(api).map(|kept| kept.expose().to_owned());
    assert_eq!(kept(ProviderApi::Bedrock, PAIR).unwrap(), PAIR);
    assert_eq!(kept(ProviderApi::Bedrock, "ABSKQmVk").unwrap(), "ABSKQmVk");
    for broken in ["AKIDEXAMPLE:short", "AKIAEXAMPLE12345", "ASIAEXAMPLE12345", &format!("{PAIR}:a:b")] {
        assert_eq!(kept(ProviderApi::Bedrock, broken), Err(BadSecret::NoPair), "{broken}");
    }
    assert_eq!(kept(ProviderApi::Vertex, " {\"type\": \"user\"}"), Err(BadSecret::NoServiceAccount));
    assert_eq!(kept(ProviderApi::OpenAi, "{\"type\": \"user\"}"), Err(BadSecret::NoKey));
    assert_eq!(kept(ProviderApi::OpenAi, "user:password").unwrap(), "user:password");
}
