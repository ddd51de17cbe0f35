use super::*;
use topdog_domain::provider::ProviderApi;
use topdog_domain::tier::Tier;

fn provider(text: &str, name: &str) -> Option<ProviderConfig> {
    let config = load_text(text, &[]).unwrap().config;
    config.providers.into_iter().find(|provider| provider.name.as_str() == name)
}

#[test]
fn an_openai_compatible_provider_needs_nothing_but_its_base_url() {
    let added = provider("[providers.newcomer]\nbase_url = 'https://llm.example/v1'\n", "newcomer").unwrap();
    assert_eq!(added.base_url, "https://llm.example/v1");
    assert_eq!((added.manner.api(), added.takes_stream_options), (ProviderApi::OpenAi, true));
}

#[test]
fn a_provider_may_speak_another_dialect() {
    for (name, dialect) in [
        ("openai", ProviderApi::OpenAi),
        ("anthropic", ProviderApi::Anthropic),
        ("cohere", ProviderApi::Cohere),
        ("gemini", ProviderApi::Gemini),
    ] {
        let text = format!("[providers.new]\nbase_url = 'https://llm.example'\ndialect = '{name}'\n");
        assert_eq!(provider(&text, "new").unwrap().manner.api(), dialect);
        assert_eq!(
            provider("", name).unwrap().manner.api(),
            dialect,
            "the provider that the dialect is named for"
        );
    }
    assert!(!provider("", "mistral").unwrap().takes_stream_options);
    let text = "[providers.openai]\nstream_options = false\n";
    assert!(!provider(text, "openai").unwrap().takes_stream_options);
}

#[test]
fn what_has_a_place_for_each_customer_is_configured_where_one_place_is_for_all() {
    let text = "[providers.bedrock]\nbase_url = 'https://bedrock-runtime.eu-west-1.amazonaws.com'\ndialect = 'bedrock'\n\
                [providers.azure]\nbase_url = 'https://a.openai.azure.com/openai'\ndialect = 'azure'\napi_version = '2024-10-21'\n";
    assert_eq!(provider(text, "bedrock").unwrap().manner.region(), Some("eu-west-1"));
    let azure = provider(text, "azure").unwrap().manner;
    assert_eq!((azure.api(), azure.api_version()), (ProviderApi::Azure, Some("2024-10-21")));
    for name in ["azure", "bedrock", "vertex"] {
        assert_eq!(provider("", name), None, "whose place would it be?");
    }
}

#[test]
fn a_provider_moves_or_is_switched_off() {
    let variables = [("TOPDOG_PROVIDERS__OPENAI__BASE_URL", "https://proxy.example/v1")];
    let config = load_text("[providers.groq]\nbase_url = ''\n", &variables).unwrap().config;
    let place = |name: &str| config.providers.iter().find(|p| p.name.as_str() == name).map(|p| &*p.base_url);
    assert_eq!(place("openai"), Some("https://proxy.example/v1"));
    assert_eq!(place("groq"), None);
}

#[test]
fn a_provider_that_cant_be_is_refused_with_its_place_and_what_to_do() {
    for (text, message) in [
        (
            "[providers.new]\nbase_url = 'https://x.example/v1'\ndialect = 'open-ai'\n",
            "my.toml:3: `providers.new.dialect` must be one of openai, anthropic, cohere, gemini, \
             azure, bedrock, vertex",
        ),
        (
            "[providers.new]\ndialect = 'openai'\n",
            "my.toml:2: `providers.new.base_url` is missing; say where the provider is",
        ),
        (
            "[providers.new]\nbase_url = 'api.example.com/v1'\n",
            "my.toml:2: `providers.new.base_url` can't be used: unacceptable target url: not a url with a host; write it like \
             https://api.example.com/v1; an empty text switches the provider off",
        ),
        (
            "[providers.new]\nbase_url = 'https://key:canary@x.example/v1'\n",
            "my.toml:2: `providers.new.base_url` can't be used: unacceptable target url: url carries a user name or password; remove it; \
             an empty text switches the provider off",
        ),
        (
            "[providers.new]\nbase_url = 'https://x.example/v1/chat/completions/'\n",
            "my.toml:2: `providers.new.base_url` names one operation; leave out `/chat/completions`, which is \
             added to it",
        ),
        (
            "[providers.new]\nbase_url = 'https://x.example'\ndialect = 'bedrock'\n",
            "my.toml:2: `providers.new.region` is missing, and the host does not tell it; say which region requests are \
             signed for",
        ),
        (
            "[providers.new]\nbase_url = 'https://x.example'\ndialect = 'bedrock'\nregion = 'evil.com#'\n",
            "my.toml:4: `providers.new.region` must be lower-case letters, digits and `-`, at most 40, such as \
             eu-central-1",
        ),
        (
            "[providers.new]\nbase_url = 'https://x.example'\napi_version = '2024-10-21'\n",
            "my.toml:3: `providers.new.api_version` is for the dialect azure only; leave it out",
        ),
        (
            "[providers.test]\nbase_url = 'https://x.example'\n",
            "my.toml:2: `providers.test` can't be, as the name has a meaning of its own; take another",
        ),
        (
            "[providers.New]\nbase_url = 'https://x.example'\n",
            "my.toml:2: `providers.New` can't be: a provider name is 1 to 64 lower-case letters, digits, `-`, \
             `_` or `.`, beginning with a letter or digit",
        ),
        (
            "[providers.new]\nbase_url = 'https://x.example'\nstream_options = 'no'\n",
            "my.toml:3: `providers.new.stream_options` takes true or false",
        ),
        (
            "[providers.new]\nbase_url = 'https://x.example'\ndialekt = 'openai'\n",
            "my.toml:3: there is no setting `providers.new.dialekt`, did you mean `providers.new.dialect`?",
        ),
    ] {
        assert_eq!(refused(text), message);
    }
}

#[test]
fn the_manuals_table_is_the_defaults() {
    let manual = include_str!("../../../../../docs/providers.md");
    let is_row = |line: &&str| line.starts_with("| `");
    let rows = manual.lines().skip_while(|line| !is_row(line)).take_while(is_row);
    let told: Vec<String> = rows.map(str::to_owned).collect();
    let tiers = Tier::standard_catalogue();
    let row = |provider: &ProviderConfig| {
        let ProviderConfig { name, base_url, manner, takes_stream_options } = provider;
        let dialect = manner.api().name();
        let usage = if *takes_stream_options { "asked for" } else { "as it comes" };
        let tier = tiers.iter().find(|tier| tier.may_use_provider(name.as_str(), false)).unwrap();
        format!("| `{name}` | `{base_url}` | `{dialect}` | {usage} | {} |", tier.name)
    };
    let in_force: Vec<String> = load_text("", &[]).unwrap().config.providers.iter().map(row).collect();
    assert_eq!(told, in_force);
}
