//! What a key may hand on to another key: never more than it has itself.

use crate::WorkspaceId;
use crate::api_key::{ApiKey, KeyMode, Scope};
use crate::tier::Limit;
use ipnet::IpNet;

/// In what a key would be wider than the one that makes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// A scope.
    #[error("it would have the scope `{}`, which your own key lacks", .0.name())]
    Scope(Scope),
    /// A model.
    #[error("it could use models that your own key may not")]
    Models,
    /// A network.
    #[error("it could be used from networks that your own key may not be used from")]
    Networks,
    /// A workspace.
    #[error("it would work outside the workspace that your own key is bound to")]
    Workspace,
    /// Live where the maker is for tests.
    #[error("it would be a live key, and your own is a test key")]
    Mode,
    /// A longer life.
    #[error("it would outlive your own key")]
    Expiry,
    /// More requests.
    #[error("it would be allowed more LLM requests a day than your own key")]
    LlmRequests,
    /// Without the policy that the maker has of its own.
    #[error("your own key has a policy of its own, which would not hold for it")]
    Policy,
}

impl ApiKey {
    /// Whether this key is no wider than `maker`, which makes it or learns its secret.
    ///
    /// # Errors
    /// The first way in which it is wider.
    pub fn within(&self, maker: &Self) -> Result<(), Excess> {
        if let Some(scope) = self.scopes.iter().find(|scope| !maker.has(**scope)) {
            return Err(Excess::Scope(*scope));
        }
        let is_wider = [
            (!covers_models(&maker.models, &self.models), Excess::Models),
            (!covers_networks(&maker.ip_allow, &self.ip_allow), Excess::Networks),
            (maker.workspace.is_some() && self.workspace != maker.workspace, Excess::Workspace),
            (maker.mode == KeyMode::Test && self.mode == KeyMode::Live, Excess::Mode),
            (outlives(self, maker), Excess::Expiry),
            (!covers_limit(maker.llm_requests_per_day, self.llm_requests_per_day), Excess::LlmRequests),
        ];
        is_wider.into_iter().find(|(wider, _)| *wider).map_or(Ok(()), |(_, excess)| Err(excess))
    }
}

impl ApiKey {
    /// May the key change what belongs to that workspace; none: to the whole organisation? One that is bound to a workspace
    /// acts in that alone, whatever its scopes are.
    #[must_use]
    pub fn acts_in(&self, workspace: Option<WorkspaceId>) -> bool {
        self.workspace.is_none() || self.workspace == workspace
    }
}

fn covers_models(own: &[String], new: &[String]) -> bool {
    let covers = |new: &String| {
        own.iter().any(|own| {
            own == new
                || own
                    .strip_suffix('*')
                    .is_some_and(|provider| provider.ends_with('/') && new.starts_with(provider))
        })
    };
    own.is_empty() || (!new.is_empty() && new.iter().all(covers))
}

fn covers_networks(own: &[IpNet], new: &[IpNet]) -> bool {
    own.is_empty() || (!new.is_empty() && new.iter().all(|new| own.iter().any(|own| own.contains(new))))
}

fn outlives(new: &ApiKey, maker: &ApiKey) -> bool {
    maker.expires_at.is_some_and(|end| new.expires_at.is_none_or(|new_end| new_end > end))
}

const fn covers_limit(own: Limit, new: Limit) -> bool {
    match (own, new) {
        (Limit::Unlimited, _) => true,
        (Limit::Of(_), Limit::Unlimited) => false,
        (Limit::Of(own), Limit::Of(new)) => new <= own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ApiKeyId, OrgId, Timestamp};

    #[test]
    fn a_key_of_a_workspace_acts_in_that_alone() {
        let (own, other) = (WorkspaceId::new(), WorkspaceId::new());
        let bound = ApiKey { workspace: Some(own), ..key() };
        for (workspace, may) in [(Some(own), true), (Some(other), false), (None, false)] {
            assert_eq!(bound.acts_in(workspace), may);
            assert!(key().acts_in(workspace));
        }
    }

    fn key() -> ApiKey {
        ApiKey {
            id: ApiKeyId::new(),
            org: OrgId::new(),
            workspace: None,
            name: "key".to_owned(),
            mode: KeyMode::Live,
            scopes: vec![Scope::Llm, Scope::ApiKeysWrite],
            models: Vec::new(),
            ip_allow: Vec::new(),
            llm_requests_per_day: Limit::Unlimited,
            expires_at: None,
            created_at: Timestamp::from_micros(0),
            revoked_at: None,
            secrets: Vec::new(),
        }
    }

    fn nets(text: &[&str]) -> Vec<IpNet> {
        text.iter().filter_map(|net| net.parse().ok()).collect()
    }

    fn models(text: &[&str]) -> Vec<String> {
        text.iter().map(|model| (*model).to_owned()).collect()
    }

    #[test]
    fn an_unbounded_key_hands_on_anything_it_has() {
        let mut narrow = key();
        narrow.models = models(&["openai/gpt-4o"]);
        narrow.ip_allow = nets(&["10.0.0.0/8"]);
        narrow.workspace = Some(WorkspaceId::new());
        narrow.mode = KeyMode::Test;
        narrow.expires_at = Some(Timestamp::from_micros(1));
        narrow.llm_requests_per_day = Limit::Of(1);
        assert_eq!(narrow.within(&key()), Ok(()));
        assert_eq!(key().within(&key()), Ok(()));
    }

    #[test]
    fn every_bound_is_kept() {
        type Bound = fn(&mut ApiKey);
        let cases: [(Bound, Excess); 6] = [
            (|maker| maker.models = models(&["openai/*"]), Excess::Models),
            (|maker| maker.ip_allow = nets(&["10.0.0.0/8"]), Excess::Networks),
            (|maker| maker.workspace = Some(WorkspaceId::new()), Excess::Workspace),
            (|maker| maker.mode = KeyMode::Test, Excess::Mode),
            (|maker| maker.expires_at = Some(Timestamp::from_micros(1)), Excess::Expiry),
            (|maker| maker.llm_requests_per_day = Limit::Of(9), Excess::LlmRequests),
        ];
        for (bound, excess) in cases {
            let mut maker = key();
            bound(&mut maker);
            assert_eq!(key().within(&maker), Err(excess));
            let mut same = maker.clone();
            same.name = "same bounds".to_owned();
            assert_eq!(same.within(&maker), Ok(()));
        }
        let mut new = key();
        new.scopes.push(Scope::AuditRead);
        assert_eq!(new.within(&key()), Err(Excess::Scope(Scope::AuditRead)));
    }

    #[test]
    fn another_bound_of_the_same_kind_is_not_the_makers() {
        let mut maker = key();
        maker.workspace = Some(WorkspaceId::new());
        maker.expires_at = Some(Timestamp::from_micros(5));
        maker.llm_requests_per_day = Limit::Of(9);
        type Change = fn(&mut ApiKey);
        let cases: [(Change, Result<(), Excess>); 5] = [
            (|new| new.workspace = Some(WorkspaceId::new()), Err(Excess::Workspace)),
            (|new| new.expires_at = Some(Timestamp::from_micros(6)), Err(Excess::Expiry)),
            (|new| new.expires_at = Some(Timestamp::from_micros(4)), Ok(())),
            (|new| new.llm_requests_per_day = Limit::Of(10), Err(Excess::LlmRequests)),
            (|new| new.llm_requests_per_day = Limit::Of(8), Ok(())),
        ];
        for (change, verdict) in cases {
            let mut new = maker.clone();
            change(&mut new);
            assert_eq!(new.within(&maker), verdict);
        }
    }

    #[test]
    fn a_part_of_a_bound_is_within_it() {
        let mut maker = key();
        maker.models = models(&["openai/*", "gpt-4o"]);
        maker.ip_allow = nets(&["10.0.0.0/8", "2001:db8::/32"]);
        let mut new = maker.clone();
        new.models = models(&["openai/gpt-4o", "gpt-4o"]);
        new.ip_allow = nets(&["10.1.0.0/16", "2001:db8:1::/48"]);
        assert_eq!(new.within(&maker), Ok(()));
        new.models = models(&["openai-like/gpt-4o"]);
        assert_eq!(new.within(&maker), Err(Excess::Models));
        new.models.clone_from(&maker.models);
        new.ip_allow = nets(&["10.0.0.0/7"]);
        assert_eq!(new.within(&maker), Err(Excess::Networks));
    }
}
