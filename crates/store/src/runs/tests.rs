use super::*;
use proptest::prelude::*;
use proptest::sample::select;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use topdog_domain::fakes::samples::{self, NEW_YEAR};
use topdog_domain::labels::{DataSegment, Plan};
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::usage::{KeyUse, Outcome, TokenUsage, UsageSource};
use topdog_domain::{ApiKeyId, OrgId, ProviderKeyId, RequestId, Timestamp, WorkspaceId};
use uuid::Uuid;

/// Any, but often one that others have too, or one near it.
fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 1_000..1_300_u64, any::<u64>()]
}

fn id() -> impl Strategy<Value = Uuid> {
    prop_oneof![0..3_u128, any::<u128>(), (0..2_000_000_u128).prop_map(|ms| (0x19b_7700_0000 + ms) << 80)]
        .prop_map(Uuid::from_u128)
}

fn text() -> impl Strategy<Value = Arc<str>> {
    let any = any::<Vec<char>>().prop_map(|chars| chars.into_iter().collect::<String>());
    prop_oneof![select(vec!["", "\0", "gpt-4o-mini", "192.0.2.7"]).prop_map(str::to_owned), any]
        .prop_map(Arc::from)
}

fn time() -> impl Strategy<Value = Timestamp> {
    let near = (-1_000_000_000..1_000_000_000_i64).prop_map(|us| NEW_YEAR.micros() + us);
    prop_oneof![Just(NEW_YEAR.micros()), near, any::<i64>()].prop_map(Timestamp::from_micros)
}

prop_compose! {
    fn tokens()(
        input in number(), cache_read in number(), cache_write_5m in number(), cache_write_1h in number(),
        output in number(), reasoning in number(),
    ) -> TokenUsage {
        TokenUsage { input, cache_read, cache_write_5m, cache_write_1h, output, reasoning }
    }
}

prop_compose! {
    fn labels()(
        plan in select(vec![Plan::Starter, Plan::Pro, Plan::Enterprise]),
        segment in select(vec![DataSegment::General, DataSegment::Scientific, DataSegment::Medical]),
        operation in select(Operation::ALL.to_vec()),
        outcome in select(vec![
            Outcome::Completed, Outcome::ClientGone, Outcome::UpstreamError, Outcome::UpstreamFailed,
            Outcome::InternalError, Outcome::Refused, Outcome::Blocked,
        ]),
        source in select(vec![UsageSource::Provider, UsageSource::Estimated, UsageSource::None, UsageSource::Cache]),
    ) -> (Plan, DataSegment, Operation, Outcome, UsageSource) {
        (plan, segment, operation, outcome, source)
    }
}

prop_compose! {
    fn ids()(
        (id, request, org, workspace) in (id(), id(), 0..3_u128, proptest::option::of(id())),
        (api_key, key_use) in (id(), proptest::option::of((id(), any::<u32>(), any::<bool>()))),
    ) -> (RecordId, RequestId, OrgId, Option<WorkspaceId>, ApiKeyId, Option<KeyUse>) {
        let key_use = key_use.map(|(key, version, is_audited)| {
            KeyUse { provider_key: ProviderKeyId::from_uuid(key), version, is_audited }
        });
        let org = OrgId::from_uuid(Uuid::from_u128(org));
        let workspace = workspace.map(WorkspaceId::from_uuid);
        let (id, request) = (RecordId::from_uuid(id), RequestId::from_uuid(request));
        (id, request, org, workspace, ApiKeyId::from_uuid(api_key), key_use)
    }
}

prop_compose! {
    fn record()(
        (id, request, org, workspace, api_key, key_use) in ids(),
        (plan, segment, operation, outcome, source) in labels(),
        (at, client_ip, model_requested, model) in (time(), text(), text(), text()),
        provider in "[a-z0-9][a-z0-9._-]{0,63}|openai|none",
        (is_stream, is_counted, status) in (any::<bool>(), any::<bool>(), prop_oneof![Just(200), any::<u16>()]),
        tokens in tokens(),
        (cost_nanodollars, first_byte_us) in (any::<Option<i64>>(), proptest::option::of(number())),
        (total_us, overhead_us, bytes_in, bytes_out) in (number(), number(), number(), number()),
        error_code in proptest::option::of(text()), guardrails in proptest::option::weighted(0.1, text()),
    ) -> RequestRecord {
        RequestRecord {
            id, request, at, org, workspace, api_key, client_ip, plan, segment, operation, is_stream,
            provider: ProviderName::parse(&provider).unwrap(),
            model_requested, model, key_use, outcome, status, is_counted, tokens, source, cost_nanodollars,
            first_byte_us, total_us, overhead_us, bytes_in, bytes_out, error_code, guardrails,
        }
    }
}

/// Records of which none is there twice.
fn records() -> impl Strategy<Value = Vec<RequestRecord>> {
    proptest::collection::vec(record(), 0..30).prop_map(|mut records| {
        let mut seen = BTreeSet::new();
        records.retain(|record| seen.insert((record.org, record.id)));
        records
    })
}

fn read(run: &Run) -> Result<Vec<RequestRecord>, BadPart> {
    super::records(&run.head, &run.ids, &run.facts, run.detail.as_deref())
}

fn sorted(mut records: Vec<RequestRecord>) -> Vec<RequestRecord> {
    records.sort_by_key(|record| (record.org, record.id));
    records
}

proptest! {
    #[test]
    fn what_is_read_is_what_was_gathered(records in records()) {
        let runs = Run::gather(records.iter().collect());
        let mut all = Vec::new();
        for run in &runs {
            let read = read(run).unwrap();
            prop_assert_eq!(super::ids(&run.head, &run.ids).unwrap(), read.iter().map(|r| r.id).collect::<Vec<_>>());
            prop_assert!(read.is_sorted_by_key(|record| record.id));
            prop_assert!(read.iter().all(|record| head::place(record) == head::place(&read[0])));
            prop_assert_eq!(&run.head, &Head::of(&read.iter().collect::<Vec<_>>()).unwrap());
            all.extend(read);
        }
        prop_assert_eq!(sorted(all), sorted(records));
    }

    #[test]
    fn sums_are_those_of_the_records(records in records()) {
        for run in Run::gather(records.iter().collect()) {
            let mut of_each: BTreeMap<_, ModelSum> = BTreeMap::new();
            for sum in read(&run).unwrap().iter().filter_map(ModelSum::of) {
                let place = (sum.provider.clone(), sum.model.clone());
                of_each.entry(place).and_modify(|sums| sums.add(&sum)).or_insert(sum);
            }
            let sums = super::sums(&run.head, &run.sums).unwrap();
            let sums: BTreeMap<_, _> =
                sums.into_iter().map(|sum| ((sum.provider.clone(), sum.model.clone()), sum)).collect();
            prop_assert_eq!(sums, of_each);
        }
    }

    /// Only the checksum's writer can have written it otherwise: there the content must hold by itself.
    #[test]
    fn no_content_is_read_past_its_end(content in any::<Vec<u8>>(), count in 1..=MOST) {
        let mut head = one_run().head;
        head.records = count;
        let part = |part| part::write(part, part::LAYOUT, &head, &|bytes| bytes.extend(&content));
        let _ = super::ids(&head, &part(Part::Ids));
        let _ = super::sums(&head, &part(Part::Sums));
        let ids: Vec<RecordId> = (0..count).map(|_| RecordId::new()).collect();
        let ids = part::write(Part::Ids, part::LAYOUT, &head, &|bytes| Column::put(&ids.iter().collect::<Vec<_>>(), bytes));
        let _ = super::records(&head, &ids, &part(Part::Facts), Some(&part(Part::Detail)));
    }
}

/// A run of three records that have some fields in common.
fn one_run() -> Run {
    let org = OrgId::new();
    let mut records = [0, 1, 2].map(|second| samples::request_record(org, NEW_YEAR.plus_seconds(second)));
    records[1].model = "gpt-4o".into();
    records[2].cost_nanodollars = None;
    let mut runs = Run::gather(records.iter().collect());
    assert_eq!(runs.len(), 1);
    runs.remove(0)
}

#[test]
fn a_changed_byte_is_never_read() {
    let run = one_run();
    let changes = |bytes: &[u8]| {
        let flipped = |place: usize| {
            let mut bytes = bytes.to_vec();
            bytes[place] ^= 1;
            bytes
        };
        let mut changes: Vec<Vec<u8>> = (0..bytes.len()).map(flipped).collect();
        changes.extend((0..bytes.len()).map(|len| bytes[..len].to_vec()));
        changes.push([bytes, &[0]].concat());
        changes
    };
    for ids in changes(&run.ids) {
        super::ids(&run.head, &ids).unwrap_err();
    }
    for sums in changes(&run.sums) {
        super::sums(&run.head, &sums).unwrap_err();
    }
    for facts in changes(&run.facts) {
        read(&Run { facts, ..run.clone() }).unwrap_err();
    }
    for detail in changes(run.detail.as_deref().unwrap()) {
        read(&Run { detail: Some(detail), ..run.clone() }).unwrap_err();
    }
}

#[test]
fn a_part_of_another_row_is_never_read() {
    let (run, other) = (one_run(), one_run());
    read(&Run { facts: other.facts, ..run.clone() }).unwrap_err();
    read(&Run { ids: other.ids, ..run.clone() }).unwrap_err();
    super::sums(&run.head, &other.sums).unwrap_err();
    super::sums(&run.head, &run.facts).unwrap_err();
    let id = RecordId::new();
    let second = |at: Timestamp| Timestamp::from_micros(at.micros() + 1);
    let heads = [
        Head { org: OrgId::new(), ..run.head.clone() },
        Head { first_id: id, ..run.head.clone() },
        Head { last_id: id, ..run.head.clone() },
        Head { first_at: second(run.head.first_at), ..run.head.clone() },
        Head { last_at: second(run.head.last_at), ..run.head.clone() },
        Head { records: 2, ..run.head.clone() },
        Head { is_used: false, ..run.head.clone() },
    ];
    for head in heads {
        super::sums(&head, &run.sums).unwrap_err();
        read(&Run { head, ..run.clone() }).unwrap_err();
    }
}

#[test]
fn what_a_later_version_wrote_is_said_to_be_so() {
    let mut run = one_run();
    run.sums[0] = 2;
    let error = super::sums(&run.head, &run.sums).unwrap_err();
    assert_eq!(error, BadPart::Unknown { part: Part::Sums, layout: 2 });
    assert!(error.to_string().contains("request_runs.sums is of layout 2"), "{error}");
}

#[test]
fn a_run_is_of_one_place_and_of_no_more_than_fit() {
    let org = OrgId::new();
    let mut records: Vec<RequestRecord> = (0..257).map(|_| samples::request_record(org, NEW_YEAR)).collect();
    let sizes = |records: &[RequestRecord]| {
        let mut sizes: Vec<_> =
            Run::gather(records.iter().collect()).iter().map(|run| run.head.records).collect();
        sizes.sort_unstable();
        sizes
    };
    assert_eq!(sizes(&records), [1, 256]);
    records.truncate(6);
    assert_eq!(sizes(&records), [6]);
    records[0].at = Timestamp::from_micros(NEW_YEAR.micros() - 1);
    records[1].at = NEW_YEAR.plus_seconds(599);
    records[2].at = NEW_YEAR.plus_seconds(600);
    records[3].outcome = Outcome::Refused;
    let late = ((records[4].id.uuid().as_u128() >> 80) + 600_000) << 80;
    records[4].id = RecordId::from_uuid(Uuid::from_u128(late));
    assert_eq!(sizes(&records), [1, 1, 1, 1, 2]);
}

#[test]
fn an_id_s_window_ends_before_the_next_begins() {
    let id = |ms: u128, rest: u128| RecordId::from_uuid(Uuid::from_u128((ms << 80) | rest));
    let last = (1 << 80) - 1;
    let end = windows_end(id(600_000, 0));
    assert_eq!(end, windows_end(id(1_199_999, last)));
    assert_eq!(end, id(1_200_000, 0).uuid().as_bytes());
    assert_ne!(windows_number(id(1_199_999, last)), windows_number(id(1_200_000, 0)));
    let greatest = RecordId::from_uuid(Uuid::max());
    assert!(windows_end(greatest).as_slice() > greatest.uuid().as_bytes().as_slice());
}
