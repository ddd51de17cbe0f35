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
    batches_that_overlap_count_once,
    late_records_take_their_place,
    two_shippers_at_once_count_once,
    a_sum_s_edges_may_be_within_a_batch,
    debug_logs_of_one_batch_may_be_of_both_sides,
    what_used_nothing_is_pruned_among_what_did,
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

/// So many records of one organisation, one a second, in the order of their ids.
fn one_a_second(org: OrgId, records: i64) -> Vec<RequestRecord> {
    (0..records).map(|second| samples::request_record(org, NEW_YEAR.plus_seconds(second))).collect()
}

/// The ids of all pages.
async fn listed(ports: &Ports, org: OrgId, limit: u32) -> (Vec<RecordId>, Vec<RecordId>) {
    let (mut usage, mut logs) = (Vec::new(), Vec::new());
    let mut wish = PageWish { after: None, limit };
    loop {
        let page = ports.reader.usage_list(org, &wish).await.unwrap();
        usage.extend(page.rows.iter().map(|row| row.id));
        let Some(next) = page.next else { break };
        wish.after = Some(next);
    }
    wish.after = None;
    loop {
        let page = ports.reader.debug_log_list(org, &wish).await.unwrap();
        logs.extend(page.rows.iter().map(|row| row.id));
        let Some(next) = page.next else { break };
        wish.after = Some(next);
    }
    (usage, logs)
}

fn newest_first(records: &[RequestRecord]) -> Vec<RecordId> {
    let mut ids: Vec<RecordId> = records.iter().map(|record| record.id).collect();
    ids.sort_by(|a, b| b.cmp(a));
    ids
}

async fn requests_used(ports: &Ports, org: OrgId, from: i64, to: i64) -> u64 {
    let (from, to) = (NEW_YEAR.plus_seconds(from), NEW_YEAR.plus_seconds(to));
    ports.reader.usage_sum(org, from, to).await.unwrap().iter().map(|sum| sum.requests).sum()
}

async fn batches_that_overlap_count_once(ports: &Ports) {
    let org = OrgId::new();
    let records = one_a_second(org, 600);
    ship(ports, &records[..300]).await;
    ship(ports, &records[200..257]).await;
    ship(ports, &records[255..]).await;
    // Every third, of all the runs there are by now.
    let some: Vec<RequestRecord> = records.iter().step_by(3).cloned().collect();
    ship(ports, &some).await;
    let newest_first = newest_first(&records);
    assert_eq!(listed(ports, org, 100).await, (newest_first.clone(), newest_first));
    assert_eq!(requests_used(ports, org, 0, 600).await, 600);
    assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 600);
}

/// As those of a node that was away, or of a recorder's tape.
async fn late_records_take_their_place(ports: &Ports) {
    let org = OrgId::new();
    let records = one_a_second(org, 700);
    let (late, in_time): (Vec<_>, Vec<_>) = records.iter().cloned().partition(|record| {
        let second = (record.at.micros() - NEW_YEAR.micros()) / 1_000_000;
        second % 7 == 0 || (100..150).contains(&second)
    });
    ship(ports, &in_time).await;
    ship(ports, &late).await;
    ship(ports, &records[90..110]).await;
    let newest_first = newest_first(&records);
    for limit in [13, 1_000] {
        assert_eq!(listed(ports, org, limit).await, (newest_first.clone(), newest_first.clone()));
    }
    assert_eq!(requests_used(ports, org, 0, 700).await, 700);
}

async fn two_shippers_at_once_count_once(ports: &Ports) {
    let orgs = [OrgId::new(), OrgId::new()];
    let records: Vec<RequestRecord> = (0..300)
        .map(|second| samples::request_record(orgs[second % 2], NEW_YEAR.plus_seconds(second as i64)))
        .collect();
    let batches = (0..12).map(|number: usize| {
        let (sink, first) = (ports.sink.clone(), number * 25);
        let mut requests: Vec<_> = records.iter().cycle().skip(first).take(150).cloned().collect();
        if number.is_multiple_of(2) {
            requests.reverse();
        }
        let audits = vec![samples::audit(orgs[number % 2], "test.audit")];
        let batch = Batch { requests, audits };
        tokio::spawn(async move { sink.ship(&batch).await })
    });
    let batches: Vec<_> = batches.collect();
    for shipped in batches {
        shipped.await.unwrap().unwrap();
    }
    for org in orgs {
        let (usage, logs) = listed(ports, org, 1_000).await;
        assert_eq!((usage.len(), logs.len()), (150, 150));
        assert_eq!(requests_used(ports, org, 0, 300).await, 150);
        assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 150 + 6);
    }
}

async fn a_sum_s_edges_may_be_within_a_batch(ports: &Ports) {
    let org = OrgId::new();
    ship(ports, &one_a_second(org, 1_300)).await;
    // The borders of ten minutes are at 600 and 1,200.
    for (from, to) in
        [(0, 1_300), (0, 1), (1, 2), (300, 900), (599, 601), (600, 1_200), (1_299, 9_999), (7, 7)]
    {
        let there = to.min(1_300) - from;
        assert_eq!(requests_used(ports, org, from, to).await, u64::try_from(there).unwrap(), "{from}..{to}");
    }
    assert_eq!(requests_used(ports, org, -900, 0).await + requests_used(ports, org, 1_300, 9_999).await, 0);
}

async fn debug_logs_of_one_batch_may_be_of_both_sides(ports: &Ports) {
    let org = OrgId::new();
    let records = one_a_second(org, 700);
    ship(ports, &records).await;
    let mut deleted = 0;
    for second in [0, 1, 255, 256, 300, 650] {
        let before = NEW_YEAR.plus_seconds(second);
        let pruned = ports.sink.debug_log_prune(org, before).await.unwrap();
        deleted += pruned;
        assert_eq!(deleted, u64::try_from(second).unwrap());
        assert_eq!(ports.sink.debug_log_prune(org, before).await.unwrap(), 0);
        let (usage, logs) = listed(ports, org, 1_000).await;
        assert_eq!(usage, newest_first(&records));
        assert_eq!(logs, newest_first(&records[usize::try_from(second).unwrap()..]));
        assert_eq!(requests_used(ports, org, 0, 700).await, 700);
    }
    // What was shipped is known by what is left of it.
    ship(ports, &records).await;
    assert_eq!(requests_used(ports, org, 0, 700).await, 700);
    assert_eq!(ports.reader.audit_head(org).await.unwrap().0, 700);
}

async fn what_used_nothing_is_pruned_among_what_did(ports: &Ports) {
    let org = OrgId::new();
    let mut records = one_a_second(org, 20);
    for refused in records.iter_mut().step_by(2) {
        refused.outcome = Outcome::Refused;
        refused.is_counted = false;
    }
    ship(ports, &records).await;
    assert_eq!(ports.sink.debug_log_prune(org, NEW_YEAR.plus_seconds(10)).await.unwrap(), 10);
    let (usage, logs) = listed(ports, org, 3).await;
    let used: Vec<RequestRecord> = records.iter().skip(1).step_by(2).cloned().collect();
    assert_eq!((usage, logs), (newest_first(&used), newest_first(&records[10..])));
    assert_eq!(requests_used(ports, org, 0, 20).await, 10);
}
