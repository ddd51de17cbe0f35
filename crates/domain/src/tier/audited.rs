use super::Tier;
use crate::audit::AuditDraft;
use serde_json::Value;

impl Tier {
    /// The entry of a change of the catalogue, with what it makes of which field: `1000 -> 900` where there was such a tier.
    #[must_use]
    pub fn audited(&self, was: Option<&Self>, audit: &AuditDraft) -> AuditDraft {
        let before = was.and_then(written);
        let fields = written(self);
        let fields = fields.as_ref().and_then(Value::as_object).into_iter().flatten();
        fields.fold(audit.clone(), |audit, (field, new)| {
            match before.as_ref().and_then(|before| before.get(field)) {
                Some(old) if old == new => audit,
                Some(old) => audit.with(field, format_args!("{} -> {}", bare(old), bare(new))),
                None => audit.with(field, bare(new)),
            }
        })
    }
}

fn written(tier: &Tier) -> Option<Value> {
    serde_json::to_value(tier).ok()
}

/// A text without its quotation marks.
fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Actor;
    use crate::tier::{Limit, TierName};
    use crate::{OrgId, Timestamp};

    #[test]
    fn an_entry_says_what_was_and_what_is() {
        let audit = AuditDraft::new(
            Timestamp::from_micros(0),
            OrgId::INSTALLATION,
            Actor::Operator,
            "tier.put",
            "PRO",
        );
        let pro = Tier::standard_catalogue().into_iter().find(|tier| tier.name.as_str() == "PRO").unwrap();
        let mut now = pro.clone();
        now.api_keys_limit = Limit::Unlimited;
        now.webhooks_enabled = false;
        let detail = now.audited(Some(&pro), &audit).detail;
        let said: Vec<(&str, &str)> =
            detail.iter().map(|(field, said)| (field.as_str(), said.as_str())).collect();
        assert_eq!(said, [("api_keys_limit", "5 -> unlimited"), ("webhooks_enabled", "true -> false")]);
        assert!(pro.audited(Some(&pro), &audit).detail.is_empty());
        now.name = TierName::parse("GOLD").unwrap();
        let detail = now.audited(None, &audit).detail;
        assert_eq!((detail["api_keys_limit"].as_str(), detail["name"].as_str()), ("unlimited", "GOLD"));
        assert!(detail.len() > 30);
    }
}
