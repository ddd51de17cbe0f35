use crate::provider::ProviderName;
use std::fmt;

/// Which models a rule is about: `provider/model`, or `model` for every provider; `*` at the end stands for any rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: Box<str>,
    provider: Option<ProviderName>,
    /// The model, without the star.
    model: Box<str>,
    has_star: bool,
}

/// Bytes that a pattern may have.
const LONGEST: usize = 200;

impl Pattern {
    /// The pattern, where the text is one; else what it should be like.
    pub(super) fn parse(text: &str) -> Result<Self, &'static str> {
        if !(1..=LONGEST).contains(&text.len()) || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a pattern is 1 to 200 visible ASCII characters");
        }
        let (provider, model) = match text.split_once('/') {
            Some((provider, model)) => {
                let provider = ProviderName::parse(provider).map_err(|_| {
                    "what stands before the first `/` is a provider's name; for every provider leave it out"
                })?;
                (Some(provider), model)
            }
            None => (None, text),
        };
        let (model, has_star) = match model.strip_suffix('*') {
            Some(rest) => (rest, true),
            None => (model, false),
        };
        if model.contains('*') {
            return Err("`*` can only stand at the end");
        }
        if model.is_empty() && !has_star {
            return Err("no model stands behind the `/`; `*` is all of the provider's");
        }
        Ok(Self { text: text.into(), provider, model: model.into(), has_star })
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The provider that it is about; none: every one.
    #[must_use]
    pub fn provider(&self) -> Option<&ProviderName> {
        self.provider.as_ref()
    }

    /// Does it allow that model? Read to the letter.
    #[must_use]
    pub fn allows(&self, provider: &str, model: &str) -> bool {
        let is_model = match model.strip_prefix(&*self.model) {
            Some(rest) => self.has_star || rest.is_empty(),
            None => false,
        };
        is_model && self.is_about(provider)
    }

    /// Does it deny that model? Read widely, since there are providers to which `GPT-4`, `models/gpt-4` and `gpt-4`
    /// are one model: case does not count, and what stands behind the last `/` is a name of the model, too.
    #[must_use]
    pub fn denies(&self, provider: &str, model: &str) -> bool {
        let last = model.rsplit('/').next().unwrap_or(model);
        self.is_about(provider) && (self.is_widely(model) || self.is_widely(last))
    }

    /// Does it deny whatever is called so, a model or an alias? Only one without a provider does.
    #[must_use]
    pub fn denies_name(&self, name: &str) -> bool {
        self.provider.is_none() && self.is_widely(name)
    }

    /// Is it, without a provider, about whatever is called so? Read to the letter.
    #[must_use]
    pub fn is_of_name(&self, name: &str) -> bool {
        self.provider.is_none() && self.allows("", name)
    }

    fn is_about(&self, provider: &str) -> bool {
        self.provider.as_ref().is_none_or(|own| own.as_str() == provider)
    }

    fn is_widely(&self, name: &str) -> bool {
        match name.as_bytes().split_at_checked(self.model.len()) {
            Some((head, rest)) => {
                head.eq_ignore_ascii_case(self.model.as_bytes()) && (self.has_star || rest.is_empty())
            }
            None => false,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> Pattern {
        Pattern::parse(text).unwrap()
    }

    #[test]
    fn an_allow_is_read_to_the_letter() {
        for (text, provider, model, expected) in [
            ("openai/gpt-4o", "openai", "gpt-4o", true),
            ("openai/gpt-4o", "openai", "GPT-4o", false),
            ("openai/gpt-4o", "openai", "gpt-4o-mini", false),
            ("openai/gpt-4o", "azure", "gpt-4o", false),
            ("openai/gpt-4*", "openai", "gpt-4o-mini", true),
            ("openai/*", "openai", "anything/at/all", true),
            ("openai/*", "openai-like", "gpt-4o", false),
            ("gpt-4o", "openai", "gpt-4o", true),
            ("gpt-4o", "azure", "gpt-4o", true),
            ("gpt-4o", "openrouter", "openai/gpt-4o", false),
            ("openrouter/openai/gpt-4o", "openrouter", "openai/gpt-4o", true),
            ("*", "any", "thing", true),
        ] {
            assert_eq!(pattern(text).allows(provider, model), expected, "{text} {provider} {model}");
        }
    }

    #[test]
    fn a_deny_is_read_widely() {
        for (text, provider, model, expected) in [
            ("openai/gpt-4o", "openai", "GPT-4o", true),
            ("openai/GPT-4O", "openai", "gpt-4o", true),
            ("openai/gpt-4o", "openai", "gpt-4o-mini", false),
            ("openai/gpt-4o", "azure", "gpt-4o", false),
            ("gemini/gemini-pro", "gemini", "models/Gemini-Pro", true),
            ("gpt-4*", "openrouter", "openai/gpt-4o", true),
            ("openai/*", "openrouter", "openai/gpt-4o", false),
            ("gpt-4o", "openai", "gpt-4", false),
            ("*", "any", "thing", true),
        ] {
            assert_eq!(pattern(text).denies(provider, model), expected, "{text} {provider} {model}");
        }
        assert!(pattern("fast*").denies_name("FASTER"));
        assert!(!pattern("openai/*").denies_name("openai"));
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let long = "x".repeat(201);
        for bad in
            ["", " gpt", "gpt 4", "a*b", "**", "openai/", "/gpt", "*/gpt", "OpenAI/gpt", "gpt\u{e9}", &long]
        {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }
}
