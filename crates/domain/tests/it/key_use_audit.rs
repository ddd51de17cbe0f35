//! What is appended for a key's use without making a draft of it.

use proptest::prelude::*;
use std::net::IpAddr;
use topdog_domain::audit::{Appended, AuditRun, ChainHash};
use topdog_domain::fakes::samples;
use topdog_domain::usage::{KeyUse, RequestRecord};
use topdog_domain::{OrgId, ProviderKeyId, Timestamp};

prop_compose! {
    fn record()(
        at in any::<i64>(), ip in any::<IpAddr>(), version in any::<u32>(), model in any::<String>()
    ) -> RequestRecord {
        let used = KeyUse { provider_key: ProviderKeyId::new(), version, is_audited: false };
        RequestRecord {
            at: Timestamp::from_micros(at),
            client_ip: ip.to_string().into(),
            model: model.into(),
            key_use: Some(used),
            ..samples::request_record(OrgId::new(), samples::NEW_YEAR)
        }
    }
}

proptest! {
    #[test]
    fn a_use_is_appended_as_its_draft_is(record in record()) {
        let draft = record.key_use_audit().unwrap();
        let [as_use, as_draft] = [record.unaudited_key_use().unwrap(), Appended::Draft(&draft)].map(|entry| {
            prop_assert_eq!(entry.at(), draft.at);
            prop_assert_eq!(entry.org(), draft.org);
            Ok(AuditRun::behind((7, ChainHash::GENESIS), draft.org, &[entry]))
        });
        prop_assert_eq!(as_use?, as_draft?);
    }
}

#[test]
fn what_is_audited_already_is_not_appended_again() {
    let mut record = samples::request_record(OrgId::new(), samples::NEW_YEAR);
    record.key_use = Some(KeyUse { provider_key: ProviderKeyId::new(), version: 1, is_audited: true });
    assert!(record.unaudited_key_use().is_none());
    record.key_use = None;
    assert!(record.unaudited_key_use().is_none());
}
