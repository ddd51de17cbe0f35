//! Policies for people.

use crate::cli::table::{Table, listed, or_dash};
use serde_json::Value;
use topdog_platform::api::{Policy, PolicyExplanation};

pub(super) fn list(policies: &[Policy]) -> Table {
    let mut table =
        Table::new(&["scope", "version", "made", "by", "aliases", "allow", "deny", "routes", "caps"]);
    for policy in policies {
        table.row([
            policy.scope.to_string(),
            policy.version.to_string(),
            policy.created_at.to_string(),
            policy.author.clone(),
            count(policy, "aliases"),
            count(policy, "allow"),
            count(policy, "deny"),
            count(policy, "routes"),
            count(policy, "caps"),
        ]);
    }
    table
}

pub(super) fn history(versions: &[Policy]) -> Table {
    let mut table = Table::new(&["version", "made", "by", "says"]);
    for policy in versions {
        let says = policy.document.as_ref().map_or_else(|| "deleted".to_owned(), Value::to_string);
        table.row([policy.version.to_string(), policy.created_at.to_string(), policy.author.clone(), says]);
    }
    table
}

pub(super) fn policy(policy: &Policy) -> Table {
    let aliases = field(policy, "aliases").and_then(Value::as_object);
    let aliases = aliases.into_iter().flatten().map(|(name, target)| format!("{name}={}", text(target)));
    Table::of_facts([
        ("scope", policy.scope.to_string()),
        ("version", policy.version.to_string()),
        ("made", format!("{} by {}", policy.created_at, policy.author)),
        ("aliases", listed(aliases)),
        ("allow", field(policy, "allow").map_or_else(|| "all".to_owned(), patterns)),
        ("deny", field(policy, "deny").map_or_else(|| "-".to_owned(), patterns)),
        ("routes", field(policy, "routes").map_or_else(|| "-".to_owned(), patterns)),
    ])
}

pub(super) fn explanation(told: &PolicyExplanation) -> Table {
    let mut table = Table::new(&["check", "policy of", "rule", "outcome"]);
    for step in &told.steps {
        table.row([
            step.check.clone(),
            or_dash(step.scope),
            step.rule.clone(),
            if step.is_passed { "passed" } else { "refused" }.to_owned(),
        ]);
    }
    let (goal, outcome) = match &told.refusal {
        None => {
            let provider = or_dash(told.provider.as_ref());
            (format!("{provider}/{}", or_dash(told.model.as_ref())), "sent".to_owned())
        }
        Some(refusal) => (refusal.detail.clone(), format!("{} {}", refusal.status, refusal.code)),
    };
    table.row(["answer".to_owned(), "-".to_owned(), goal, outcome]);
    table
}

fn field<'a>(policy: &'a Policy, name: &str) -> Option<&'a Value> {
    policy.document.as_ref()?.get(name)
}

fn count(policy: &Policy, name: &str) -> String {
    let count = field(policy, name).map(|value| match value {
        Value::Array(items) => items.len(),
        Value::Object(items) => items.len(),
        _ => 0,
    });
    or_dash(count)
}

fn patterns(list: &Value) -> String {
    listed(list.as_array().into_iter().flatten().map(text))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
