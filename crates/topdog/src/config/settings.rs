use super::document::{self, Entry};
use super::environment::Environment;
use super::error::ConfigError;
use super::nearest::nearest;
use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// The commented defaults: the manual, and the list of what can be set.
pub(crate) const DEFAULTS: &str = include_str!("../../topdog.default.toml");

/// Where a setting's value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Source {
    /// The built-in defaults.
    Default,
    /// A line of a file.
    File { path: PathBuf, line: usize },
    /// A variable of the environment.
    Variable(String),
    /// A flag.
    Flag(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One setting.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    /// Its value.
    pub(crate) value: Value,
    /// Where that came from.
    pub(crate) source: Source,
}

/// All settings by their dotted key; a list is one setting.
#[derive(Debug, Clone)]
pub(crate) struct Settings(BTreeMap<String, Setting>);

impl Settings {
    pub(super) fn defaults() -> Result<Self, ConfigError> {
        let entries = document::entries(DEFAULTS).map_err(|bad| ConfigError::Defaults(bad.message))?;
        let settings = entries.into_iter().map(|entry| {
            let setting = Setting { value: entry.value, source: Source::Default };
            (entry.key, setting)
        });
        Ok(Self(settings.collect()))
    }

    pub(super) fn overlay_file(&mut self, path: &Path, text: &str) -> Result<(), ConfigError> {
        let place = |line| Source::File { path: path.to_owned(), line };
        let entries = document::entries(text)
            .map_err(|bad| ConfigError::Syntax { place: place(bad.line), message: bad.message })?;
        for Entry { key, value, line } in entries {
            self.check_items(&place(line), &key, &value)?;
            self.put(place(line), key, value)?;
        }
        Ok(())
    }

    /// `TOPDOG_SECTION__KEY`, and the four label variables, which have names of their own.
    pub(super) fn overlay_environment(&mut self, environment: &Environment) -> Result<(), ConfigError> {
        for (name, text) in environment.iter() {
            if let Some(rest) = name.strip_prefix(PREFIX)
                && rest.contains("__")
            {
                let key = rest.to_ascii_lowercase().replace("__", ".");
                self.overlay_text(Source::Variable(name.to_owned()), &key, text)?;
            }
        }
        for (name, key) in LABEL_VARIABLES {
            if let Some(text) = environment.get(name) {
                self.overlay_text(Source::Variable(name.to_owned()), key, text)?;
            }
        }
        Ok(())
    }

    /// A value given as text takes the type of the default; a list is written with commas.
    pub(super) fn overlay_text(&mut self, place: Source, key: &str, text: &str) -> Result<(), ConfigError> {
        let value = match self.template(key) {
            Some(Value::Integer(_)) => text.trim().parse().ok().map(Value::Integer),
            Some(Value::Boolean(_)) => text.trim().parse().ok().map(Value::Boolean),
            Some(Value::Array(_)) if !ITEM_KEYS.iter().any(|(list, _)| *list == key) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                Some(Value::Array(items.map(|item| Value::String(item.to_owned())).collect()))
            }
            Some(Value::Array(_)) => None,
            _ => Some(Value::String(text.to_owned())),
        };
        match value {
            Some(value) => self.put(place, key.to_owned(), value),
            None => Err(self.wrong_type(place, key)),
        }
    }

    /// All settings, by key.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Setting)> {
        self.0.iter().map(|(key, setting)| (key.as_str(), setting))
    }

    /// Where the value of a key came from; of a table, or a key that nobody set, where the table's first did.
    pub(crate) fn source(&self, key: &str) -> Source {
        let first_of = |table: &str| {
            let prefix = format!("{table}.");
            self.0.iter().find(|(key, _)| key.starts_with(&prefix)).map(|(_, setting)| setting)
        };
        let of_its_table = || key.rsplit_once('.').and_then(|(table, _)| first_of(table));
        let setting = self.0.get(key).or_else(|| first_of(key)).or_else(of_its_table);
        setting.map_or(Source::Default, |s| s.source.clone())
    }

    /// All of them as one nested table.
    pub(super) fn table(&self) -> Table {
        let mut root = Table::new();
        for (key, setting) in &self.0 {
            let (sections, name) = key.rsplit_once('.').unwrap_or(("", key));
            let mut table = Some(&mut root);
            for section in sections.split('.').filter(|section| !section.is_empty()) {
                table = table.and_then(|table| {
                    table.entry(section).or_insert_with(|| Value::Table(Table::new())).as_table_mut()
                });
            }
            if let Some(table) = table {
                table.insert(name.to_owned(), setting.value.clone());
            }
        }
        root
    }

    fn put(&mut self, source: Source, key: String, value: Value) -> Result<(), ConfigError> {
        let Some(template) = self.template(&key) else {
            let nearest = self.nearest(&key);
            return Err(ConfigError::UnknownKey { place: source, key, nearest });
        };
        if !template.same_type(&value) {
            return Err(self.wrong_type(source, &key));
        }
        self.0.insert(key, Setting { value, source });
        Ok(())
    }

    /// The default that shows what a key takes. A provider that has none is set like the one that has.
    fn template(&self, key: &str) -> Option<&Value> {
        if let Some(setting) = self.0.get(key) {
            return Some(&setting.value);
        }
        let (_, setting) = provider_setting(key)?;
        self.0.get(&format!("{EXPLAINED_PROVIDER}{setting}")).map(|s| &s.value)
    }

    /// The key that was most likely meant; of a provider's, one of its own.
    fn nearest(&self, key: &str) -> Option<String> {
        let Some((provider, setting)) = provider_setting(key) else {
            return nearest(key, self.0.keys().map(String::as_str)).map(str::to_owned);
        };
        let known = self.0.keys().filter_map(|key| key.strip_prefix(EXPLAINED_PROVIDER));
        nearest(setting, known).map(|near| format!("providers.{provider}.{near}"))
    }

    fn check_items(&self, place: &Source, key: &str, value: &Value) -> Result<(), ConfigError> {
        let Some((_, known)) = ITEM_KEYS.iter().find(|(list, _)| *list == key) else {
            return Ok(());
        };
        let items = value.as_array().into_iter().flatten().filter_map(Value::as_table);
        match items.flat_map(Table::keys).find(|item| !known.contains(&item.as_str())) {
            None => Ok(()),
            Some(unknown) => Err(ConfigError::UnknownKey {
                place: place.clone(),
                key: format!("{key}.{unknown}"),
                nearest: nearest(unknown, known.iter().copied()).map(|near| format!("{key}.{near}")),
            }),
        }
    }

    fn wrong_type(&self, place: Source, key: &str) -> ConfigError {
        let expected = match self.template(key) {
            Some(Value::Integer(_)) => "a whole number",
            Some(Value::Boolean(_)) => "true or false",
            Some(Value::Array(_)) => "a list, which a file can hold",
            _ => "a text in quotes",
        };
        ConfigError::WrongType { place, key: key.to_owned(), expected }
    }
}

/// The provider and its setting that a key is for.
fn provider_setting(key: &str) -> Option<(&str, &str)> {
    key.strip_prefix("providers.")?.split_once('.')
}

/// The table that has every setting of a provider.
const EXPLAINED_PROVIDER: &str = "providers.openai.";

const PREFIX: &str = "TOPDOG_";

/// Lists whose items are tables, and what such a table may hold.
const ITEM_KEYS: [(&str, &[&str]); 1] = [("egress.allow", &["net", "ports", "plain_http"])];

const LABEL_VARIABLES: [(&str, &str); 4] = [
    ("DEFAULT_PLAN", "labels.default_plan"),
    ("DEFAULT_DATA_SEGMENT", "labels.default_data_segment"),
    ("ENABLE_REGULATED_DOMAINS", "labels.enable_regulated_domains"),
    ("DEFAULT_REGULATED_SEGMENT", "labels.default_regulated_segment"),
];
