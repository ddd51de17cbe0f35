use super::*;
use topdog_domain::provider::Family;
use topdog_domain::tier::Tier;

fn provider(text: &str, name: &str) -> Option<ProviderConfig> {
    let config = load_text(text, &[]).unwrap().config;
    config.providers.into_iter().find(|provider| provider.name.as_str() == name)
}

#[test]
fn an_openai_compatible_provider_needs_nothing_but_its_base_url() {
    let added = provider("[providers.newcomer]\nbase_url = 'https://llm.example/v1'\n", "newcomer").unwrap();
    assert_eq!(added.base_url, "https://llm.example/v1");
    assert_eq!((added.dialect, added.takes_stream_options), (Family::OpenAi, true));
}

#[test]
fn a_provider_may_speak_another_dialect() {
    for (name, dialect) in [
        ("openai", Family::OpenAi),
        ("anthropic", Family::Anthropic),
        ("cohere", Family::Cohere),
        ("gemini", Family::Gemini),
    ] {
        let text = format!("[providers.new]\nbase_url = 'https://llm.example'\ndialect = '{name}'\n");
        assert_eq!(provider(&text, "new").unwrap().dialect, dialect);
        assert_eq!(
            provider("", name).unwrap().dialect,
            dialect,
            "the provider that the dialect is named for"
        );
    }
    assert!(!provider("", "mistral").unwrap().takes_stream_options);
    let text = "[providers.openai]\nstream_options = false\n";
    assert!(!provider(text, "openai").unwrap().takes_stream_options);
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
            "my.toml:3: `providers.new.dialect` must be one of openai, anthropic, cohere, gemini",
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
    let rows = manual.lines().filter(|line| line.starts_with("| `") && line.contains("://"));
    let told: Vec<String> = rows.map(str::to_owned).collect();
    let tiers = Tier::standard_catalogue();
    let row = |provider: &ProviderConfig| {
        let ProviderConfig { name, base_url, dialect, takes_stream_options } = provider;
        let dialect = dialect.name();
        let usage = if *takes_stream_options { "asked for" } else { "as it comes" };
        let tier = tiers.iter().find(|tier| tier.may_use_provider(name.as_str(), false)).unwrap();
        format!("| `{name}` | `{base_url}` | `{dialect}` | {usage} | {} |", tier.name)
    };
    let in_force: Vec<String> = load_text("", &[]).unwrap().config.providers.iter().map(row).collect();
    assert_eq!(told, in_force);
}
