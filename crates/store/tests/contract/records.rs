use super::*;
use topdog_domain::fakes::samples::NEW_YEAR;
use topdog_domain::ports::{Batch, PageWish};
use topdog_domain::provider::ProviderName;
use topdog_domain::usage::{Outcome, RequestRecord, UsageSource};
use topdog_domain::{OrgId, RecordId};

contract! {
    a_request_becomes_usage_debug_log_and_audit,
    shipping_again_changes_nothing,
    an_audited_use_is_not_audited_twice,
    a_refusal_is_logged_and_used_nothing,
    usage_is_summed_by_provider_and_model,
    a_sum_takes_what_is_counted_within_its_time,
    lists_come_newest_first_in_pages,
    pruning_deletes_debug_logs_alone,
    records_of_unknown_organisations_are_kept,
    debug_logs_end_with_their_organisation,
}

const NINE: PageWish = PageWish { after: None, limit: 9 };

async fn ship(ports: &Ports, requests: &[RequestRecord]) {
    let batch = Batch { requests: requests.to_vec(), audits: Vec::new() };
    ports.sink.ship(&batch).await.unwrap();
}

async fn a_request_becomes_usage_debug_log_and_audit(ports: &Ports) {
    let org = OrgId::new();
    let record = samples::request_record(org, NEW_YEAR);
    ship(ports, std::slice::from_ref(&record)).await;
    let usage = ports.reader.usage_list(org, &NINE).await.unwrap();
    assert_eq!((usage.rows[0].id, &usage.rows[0].record), (record.id, &record));
    let logs = ports.reader.debug_log_list(org, &NINE).await.unwrap();
    assert_eq!((logs.rows[0].id, &logs.rows[0].record), (record.id, &record));
    let entries = ports.reader.audit_list(org, 0, 9).await.unwrap();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].id, record.id);
    assert!(entries[0].body.contains(&record.key_use.unwrap().provider_key.to_string()));
}

async fn shipping_again_changes_nothing(ports: &Ports) {
    let org = OrgId::new();
    let batch = Batch {
        requests: (0..3).map(|_| samples::request_record(org, NEW_YEAR)).collect(),
        audits: vec![samples::audit(org, "test.audit")],
    };
    ports.sink.ship(&batch).await.unwrap();
    let head = ports.reader.audit_head(org).await.unwrap();
    // The same once more, with one new record among them.
    let mut again = batch.clone();
    again.requests.push(samples::request_record(org, NEW_YEAR));
    ports.sink.ship(&again).await.unwrap();
    ports.sink.ship(&batch).await.unwrap();
    assert_eq!(ports.reader.usage_list(org, &NINE).await.unwrap().rows.len(), 4);
    assert_eq!(ports.reader.debug_log_list(org, &NINE).await.unwrap().rows.len(), 4);
    assert_eq!(head.0, 4);
    assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 5);
    let sums = ports.reader.usage_sum(org, NEW_YEAR, NEW_YEAR.plus_seconds(1)).await.unwrap();
    assert_eq!(sums[0].requests, 4);
}

async fn an_audited_use_is_not_audited_twice(ports: &Ports) {
    let org = OrgId::new();
    let mut audited = samples::request_record(org, NEW_YEAR);
    if let Some(used) = &mut audited.key_use {
        used.is_audited = true;
    }
    let mut keyless = samples::request_record(org, NEW_YEAR);
    keyless.key_use = None;
    ship(ports, &[audited, keyless]).await;
    assert_eq!(ports.reader.usage_list(org, &NINE).await.unwrap().rows.len(), 2);
    assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 0);
}

async fn a_refusal_is_logged_and_used_nothing(ports: &Ports) {
    let org = OrgId::new();
    let mut refused = samples::request_record(org, NEW_YEAR);
    refused.outcome = Outcome::Refused;
    refused.is_counted = false;
    refused.key_use = None;
    ship(ports, std::slice::from_ref(&refused)).await;
    assert!(ports.reader.usage_list(org, &NINE).await.unwrap().rows.is_empty());
    assert_eq!(ports.reader.debug_log_list(org, &NINE).await.unwrap().rows[0].record, refused);
}

async fn usage_is_summed_by_provider_and_model(ports: &Ports) {
    let org = OrgId::new();
    let told = samples::request_record(org, NEW_YEAR);
    let mut estimated = samples::request_record(org, NEW_YEAR);
    estimated.source = UsageSource::Estimated;
    estimated.cost_nanodollars = None;
    let mut other = samples::request_record(org, NEW_YEAR);
    other.provider = ProviderName::parse("vllm").unwrap();
    let stranger = samples::request_record(OrgId::new(), NEW_YEAR);
    ship(ports, &[told, estimated, other, stranger]).await;

    let mut sums = ports.reader.usage_sum(org, NEW_YEAR, NEW_YEAR.plus_seconds(1)).await.unwrap();
    sums.sort_by(|a, b| a.provider.cmp(&b.provider));
    assert_eq!(sums.len(), 2);
    let openai = &sums[0];
    assert_eq!((openai.provider.as_str(), openai.model.as_str()), ("openai", "gpt-4o-mini"));
    assert_eq!((openai.requests, openai.estimated_requests, openai.unpriced_requests), (2, 1, 1));
    assert_eq!((openai.input, openai.cache_read, openai.cache_write), (20, 40, 14));
    assert_eq!((openai.output, openai.reasoning, openai.cost_nanodollars), (100, 12, 1_500));
    assert_eq!((sums[1].provider.as_str(), sums[1].requests), ("vllm", 1));
}

async fn a_sum_takes_what_is_counted_within_its_time(ports: &Ports) {
    let org = OrgId::new();
    let at = |seconds| samples::request_record(org, NEW_YEAR.plus_seconds(seconds));
    let mut rejected = at(1);
    rejected.is_counted = false;
    ship(ports, &[at(0), at(1), at(2), at(3), rejected]).await;
    let (from, to) = (NEW_YEAR.plus_seconds(1), NEW_YEAR.plus_seconds(3));
    assert_eq!(ports.reader.usage_sum(org, from, to).await.unwrap()[0].requests, 2);
    assert!(ports.reader.usage_sum(org, to.plus_seconds(1), to.plus_seconds(9)).await.unwrap().is_empty());
}

async fn lists_come_newest_first_in_pages(ports: &Ports) {
    let org = OrgId::new();
    let mut records: Vec<_> =
        (0..5).map(|number| samples::request_record(org, NEW_YEAR.plus_seconds(number))).collect();
    ship(ports, &records).await;
    ship(ports, &[samples::request_record(OrgId::new(), NEW_YEAR)]).await;
    records.sort_by_key(|record| std::cmp::Reverse(record.id));
    let newest_first: Vec<_> = records.iter().map(|record| record.id).collect();
    let mut usage: Vec<RecordId> = Vec::new();
    let mut wish = PageWish { after: None, limit: 2 };
    loop {
        let page = ports.reader.usage_list(org, &wish).await.unwrap();
        usage.extend(page.rows.iter().map(|row| row.id));
        let Some(next) = page.next else { break };
        wish.after = Some(next);
    }
    assert_eq!(usage, newest_first);
    let mut logs: Vec<RecordId> = Vec::new();
    let mut wish = PageWish { after: None, limit: 3 };
    loop {
        let page = ports.reader.debug_log_list(org, &wish).await.unwrap();
        logs.extend(page.rows.iter().map(|row| row.id));
        let Some(next) = page.next else { break };
        wish.after = Some(next);
    }
    assert_eq!(logs, newest_first);
}

async fn pruning_deletes_debug_logs_alone(ports: &Ports) {
    let (org, other) = (OrgId::new(), OrgId::new());
    let old = samples::request_record(org, NEW_YEAR);
    let kept = samples::request_record(org, NEW_YEAR.plus_seconds(1));
    ship(ports, &[old, kept.clone(), samples::request_record(other, NEW_YEAR)]).await;
    assert_eq!(ports.sink.debug_log_prune(org, NEW_YEAR.plus_seconds(1)).await.unwrap(), 1);
    let logs = ports.reader.debug_log_list(org, &NINE).await.unwrap();
    assert_eq!(logs.rows.iter().map(|row| row.id).collect::<Vec<_>>(), [kept.id]);
    assert_eq!(ports.reader.debug_log_list(other, &NINE).await.unwrap().rows.len(), 1);
    assert_eq!(ports.reader.usage_list(org, &NINE).await.unwrap().rows.len(), 2);
    assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 2);
}

/// They may have been destroyed while their records were on their way.
async fn records_of_unknown_organisations_are_kept(ports: &Ports) {
    let org = add_organisation(ports, "acme").await.id;
    ports
        .organisations
        .organisation_destroy(org, &samples::audit(org, "organisation.destroy"))
        .await
        .unwrap();
    ship(ports, &[samples::request_record(org, NEW_YEAR)]).await;
    assert_eq!(ports.reader.usage_list(org, &NINE).await.unwrap().rows.len(), 1);
    assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 3);
}

async fn debug_logs_end_with_their_organisation(ports: &Ports) {
    let orgs = [add_organisation(ports, "acme").await.id, add_organisation(ports, "other").await.id];
    let early = orgs.map(|org| samples::request_record(org, NEW_YEAR));
    ship(ports, &early).await;
    let audit = samples::audit(orgs[0], "organisation.destroy");
    ports.organisations.organisation_destroy(orgs[0], &audit).await.unwrap();
    let logs = async |org| ports.reader.debug_log_list(org, &NINE).await.unwrap().rows.len();
    assert_eq!((logs(orgs[0]).await, logs(orgs[1]).await), (0, 1));
    let usage = ports.reader.usage_list(orgs[0], &NINE).await.unwrap().rows;
    assert_eq!((&*usage[0].record.client_ip, usage[0].record.tokens), ("", early[0].tokens));

    let late = samples::request_record(orgs[0], NEW_YEAR);
    ship(ports, std::slice::from_ref(&late)).await;
    assert_eq!(logs(orgs[0]).await, 1);
    assert_eq!(ports.sink.debug_log_prune_ownerless().await.unwrap(), 1);
    assert_eq!((logs(orgs[0]).await, logs(orgs[1]).await), (0, 1));
    assert_eq!(ports.reader.usage_list(orgs[0], &NINE).await.unwrap().rows.len(), 2);
}
