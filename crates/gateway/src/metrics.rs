//! The service-level metrics: atomics that are there from the start, in arrays by bounded labels.

use crate::arrive::Trail;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::registry::Registry;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;
use topdog_domain::Refusal;
use topdog_domain::guardrail::Tally;
use topdog_domain::labels::{DataSegment, Labels, Plan};
use topdog_domain::occupancy::Occupancy;
use topdog_domain::provider::{Operation, ProviderName};
use topdog_domain::routing::Failure;
use topdog_domain::usage::{Outcome, RequestRecord};

/// All metrics of a node. Every series of requests has the labels `plan` and `data_segment`, and only bounded ones;
/// the node's own gauges (requests in flight, spool, configuration) are of no plan.
pub struct Metrics {
    cells: Arc<Cells>,
    registry: Registry,
}

impl Metrics {
    /// Metrics that have counted nothing.
    #[must_use]
    pub fn new() -> Arc<Self> {
        let cells = Arc::new(Cells { refusals: none_of_ours().into(), ..Cells::default() });
        let mut registry = Registry::with_prefix("topdog");
        registry.register_collector(Box::new(Exposition(cells.clone())));
        Arc::new(Self { cells, registry })
    }

    /// The metrics in the OpenMetrics text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        // Writing into a string can't fail.
        let _ = encode(&mut text, &self.registry);
        text
    }

    /// Bytes spooled and not yet shipped.
    pub fn set_spool_lag(&self, bytes: u64) {
        self.cells.spool_lag_bytes.store(i64::try_from(bytes).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    /// Seconds since the node last heard of changes.
    pub fn set_config_age(&self, age: Duration) {
        self.cells
            .config_age_seconds
            .store(i64::try_from(age.as_secs()).unwrap_or(i64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn refused(&self, trail: &Trail, refusal: &Refusal) {
        let series = self.cells.of(trail.labels.get());
        series.request(trail.operation.get(), refusal.status());
        let mut refusals = self.cells.refusals.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *refusals
            .entry((trail.labels.get().plan, trail.labels.get().segment, refusal.code()))
            .or_insert(0) += 1;
    }

    /// An attempt of a route failed, whatever became of its request: a fallback must hide no provider's failure.
    pub(crate) fn attempt_failed(&self, labels: Labels, failure: Failure) {
        let mut failures = self.cells.attempts.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        *failures.entry((labels.plan, labels.segment, failure.name())).or_insert(0) += 1;
    }

    /// What guardrails have done to a request.
    pub(crate) fn judged(&self, labels: Labels, tally: &Tally) {
        let mut counts = self.cells.guardrails.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for made in tally.decisions() {
            let of = (labels.plan, labels.segment, made.side.name(), made.action.name());
            *counts.entry(of).or_insert(0) += u64::from(made.count);
        }
    }

    /// What the requests of all threads take of the node.
    pub(crate) fn occupancy(&self) -> &Occupancy {
        &self.cells.occupancy
    }

    /// A request with these labels is under way from now on.
    pub(crate) fn entered(&self, labels: Labels) {
        self.cells.of(labels).in_flight.fetch_add(1, Ordering::Relaxed);
    }

    /// It is under way no more.
    pub(crate) fn left(&self, labels: Labels) {
        self.cells.of(labels).in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn listed(&self, trail: &Trail) {
        self.cells.of(trail.labels.get()).request(None, 200);
    }

    pub(crate) fn settled(&self, record: &RequestRecord, overhead: Duration, first_byte: Option<Duration>) {
        let series = self.cells.of(Labels { plan: record.plan, segment: record.segment });
        // What never reached a provider was answered, and counted, as a refusal.
        let is_answered = record.first_byte_us.is_some() || record.outcome == Outcome::Completed;
        if is_answered || record.outcome == Outcome::ClientGone {
            series.request(Some(record.operation), record.status);
        }
        series.overhead.observe(overhead);
        series.duration.observe(Duration::from_micros(record.total_us));
        if let Some(first_byte) = first_byte {
            series.first_byte.observe(first_byte);
        }
        let tokens = record.tokens;
        let buckets = [
            tokens.input,
            tokens.cache_read,
            tokens.cache_write_5m + tokens.cache_write_1h,
            tokens.output,
            tokens.reasoning,
        ];
        for (cell, count) in series.tokens.iter().zip(buckets) {
            cell.fetch_add(count, Ordering::Relaxed);
        }
        let outcome = OUTCOMES.iter().position(|outcome| *outcome == record.outcome);
        if let Some(cell) = outcome.and_then(|place| series.outcomes.get(place)) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }
}

const OPERATIONS: usize = Operation::ALL.len() + 1;
const CLASSES: [&str; 4] = ["2xx", "4xx", "5xx", "client_gone"];
const TOKEN_KINDS: [&str; 5] = ["input", "cache_read", "cache_write", "output", "reasoning"];
const OUTCOMES: [Outcome; 6] = [
    Outcome::Completed,
    Outcome::ClientGone,
    Outcome::UpstreamError,
    Outcome::UpstreamFailed,
    Outcome::InternalError,
    Outcome::Blocked,
];

#[derive(Default)]
struct Cells {
    series: [[Series; 3]; 3],
    occupancy: Occupancy,
    spool_lag_bytes: AtomicI64,
    config_age_seconds: AtomicI64,
    /// Refusals are off the path that must be fast, and their codes are a closed list.
    refusals: std::sync::Mutex<Refusals>,
    /// Failed attempts, by the closed list of failures.
    attempts: std::sync::Mutex<Refusals>,
    /// Likewise; by which text it was, and what was done.
    guardrails: std::sync::Mutex<Judgements>,
}

type Judgements = std::collections::BTreeMap<(Plan, DataSegment, &'static str, &'static str), u64>;

type Refusals = std::collections::BTreeMap<(Plan, DataSegment, &'static str), u64>;

/// Those that are our own doing, from 0 on: an alarm sees growth, and misses what a series is born with.
fn none_of_ours() -> Refusals {
    let ours = [
        Refusal::ChangesUnknown,
        Refusal::Internal,
        Refusal::LedgerUnavailable,
        Refusal::Overloaded,
        Refusal::ProviderKeyUnreadable(ProviderName::none()),
        Refusal::RecordsUnavailable,
        Refusal::ShuttingDown,
    ];
    let codes = ours.map(|refusal| refusal.code());
    let pairs = Plan::ALL.into_iter().flat_map(|plan| DataSegment::ALL.map(|segment| (plan, segment)));
    pairs.flat_map(|(plan, segment)| codes.map(|code| ((plan, segment, code), 0))).collect()
}

impl Cells {
    fn of(&self, labels: Labels) -> &Series {
        let [[first, ..], ..] = &self.series;
        let by_plan = self.series.get(labels.plan as usize);
        by_plan.and_then(|row| row.get(labels.segment as usize)).unwrap_or(first)
    }

    fn each(&self) -> impl Iterator<Item = ([(&'static str, &'static str); 2], &Series)> {
        Plan::ALL.into_iter().flat_map(move |plan| {
            DataSegment::ALL.into_iter().map(move |segment| {
                ([("plan", plan.name()), ("data_segment", segment.name())], self.of(Labels { plan, segment }))
            })
        })
    }
}

/// Everything counted for one pair of labels.
#[derive(Default)]
struct Series {
    in_flight: AtomicI64,
    requests: [[AtomicU64; CLASSES.len()]; OPERATIONS],
    outcomes: [AtomicU64; OUTCOMES.len()],
    tokens: [AtomicU64; TOKEN_KINDS.len()],
    overhead: Histogram,
    first_byte: Histogram,
    duration: Histogram,
}

impl Series {
    fn request(&self, operation: Option<Operation>, status: u16) {
        let operation = operation.map_or(Operation::ALL.len(), |o| o as usize);
        let class = match status {
            499 => 3,
            500.. => 2,
            400.. => 1,
            _ => 0,
        };
        if let Some(cell) = self.requests.get(operation).and_then(|row| row.get(class)) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Upper bounds, microseconds: from 10 µs, what a gateway should add, to 10 minutes, what a model may take.
const BOUNDS_US: [u64; 19] = [
    10,
    25,
    50,
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    100_000,
    500_000,
    1_000_000,
    5_000_000,
    20_000_000,
    60_000_000,
    180_000_000,
    600_000_000,
];

/// A histogram of plain atomics: observing takes no lock.
#[derive(Default)]
struct Histogram {
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

impl Histogram {
    fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_US.partition_point(|bound| *bound < micros);
        if let Some(cell) = self.buckets.get(bucket) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
        self.sum_us.fetch_add(micros, Ordering::Relaxed);
    }

    #[expect(clippy::cast_precision_loss, reason = "metrics are floating point in their format")]
    fn read(&self) -> (f64, u64, Vec<(f64, u64)>) {
        let counts: Vec<u64> = self.buckets.iter().map(|cell| cell.load(Ordering::Relaxed)).collect();
        let bounds = BOUNDS_US.iter().map(|us| *us as f64 / 1e6).chain([f64::INFINITY]);
        let sum = self.sum_us.load(Ordering::Relaxed) as f64 / 1e6;
        (sum, counts.iter().sum(), bounds.zip(counts).collect())
    }
}

/// How the cells are written out.
struct Exposition(Arc<Cells>);

impl fmt::Debug for Exposition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exposition")
    }
}

impl Collector for Exposition {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let cells = &self.0;
        write_requests(cells, &mut encoder)?;
        write_outcomes(cells, &mut encoder)?;
        write_family(&mut encoder, "tokens", "Tokens by kind; kinds never overlap", |emit| {
            cells.each().try_for_each(|(labels, series)| {
                TOKEN_KINDS
                    .iter()
                    .zip(&series.tokens)
                    .try_for_each(|(kind, cell)| emit(&labels, &[("kind", kind)], cell))
            })
        })?;
        write_refusals(cells, &mut encoder)?;
        write_guardrails(cells, &mut encoder)?;
        write_histogram(
            cells,
            &mut encoder,
            "gateway_overhead_seconds",
            "Time in Top Dog less time waited for others",
            |s| &s.overhead,
        )?;
        write_histogram(
            cells,
            &mut encoder,
            "ttft_seconds",
            "From arrival to the first byte relayed",
            |s| &s.first_byte,
        )?;
        write_histogram(
            cells,
            &mut encoder,
            "request_duration_seconds",
            "From arrival to settlement",
            |s| &s.duration,
        )?;
        write_in_flight(cells, &mut encoder)?;
        write_gauge(
            &mut encoder,
            "buffered_body_bytes",
            "Bytes of bodies that are held whole in memory",
            i64::try_from(cells.occupancy.body_bytes.now()).unwrap_or(i64::MAX),
        )?;
        write_gauge(
            &mut encoder,
            "spool_lag_bytes",
            "Bytes spooled and not yet shipped",
            cells.spool_lag_bytes.load(Ordering::Relaxed),
        )?;
        write_gauge(
            &mut encoder,
            "config_seq_age_seconds",
            "Since changes were last asked for",
            cells.config_age_seconds.load(Ordering::Relaxed),
        )
    }
}

type Labelled<'a> = &'a [(&'static str, &'static str)];

fn write_family(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    each: impl FnOnce(&mut dyn FnMut(Labelled<'_>, Labelled<'_>, &AtomicU64) -> fmt::Result) -> fmt::Result,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    each(&mut |labels, more, cell| {
        let count = cell.load(Ordering::Relaxed);
        if count == 0 {
            return Ok(());
        }
        let all: Vec<_> = labels.iter().chain(more).copied().collect();
        family.encode_family(&all)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)
    })
}

fn write_requests(cells: &Cells, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let names = || Operation::ALL.iter().map(|o| o.name()).chain(["other"]);
    write_family(encoder, "requests", "Answered requests", |emit| {
        cells.each().try_for_each(|(labels, series)| {
            names().zip(&series.requests).try_for_each(|(operation, row)| {
                CLASSES.iter().zip(row).try_for_each(|(class, cell)| {
                    emit(&labels, &[("operation", operation), ("status_class", class)], cell)
                })
            })
        })
    })
}

/// Failures from 0 on, like the refusals that are ours.
fn write_outcomes(cells: &Cells, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Settled requests by how they ended";
    let mut family = encoder.encode_descriptor("outcomes", help, None, MetricType::Counter)?;
    for ([plan, segment], series) in cells.each() {
        for (outcome, cell) in OUTCOMES.iter().zip(&series.outcomes) {
            let count = cell.load(Ordering::Relaxed);
            if count > 0 || matches!(outcome, Outcome::InternalError | Outcome::UpstreamFailed) {
                let labels = [plan, segment, ("outcome", outcome.name())];
                family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
            }
        }
    }
    Ok(())
}

fn write_refusals(cells: &Cells, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    write_coded(&cells.refusals, encoder, ("refusals", "Requests refused by Top Dog"), "code")?;
    let attempts = ("attempt_failures", "Attempts of policies' routes that failed, by how");
    write_coded(&cells.attempts, encoder, attempts, "failure")
}

fn write_coded(
    counts: &std::sync::Mutex<Refusals>,
    encoder: &mut DescriptorEncoder<'_>,
    (name, help): (&str, &str),
    label: &'static str,
) -> fmt::Result {
    let counts = counts.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
    for ((plan, segment, code), count) in counts {
        let labels = [("plan", plan.name()), ("data_segment", segment.name()), (label, code)];
        family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
    }
    Ok(())
}

fn write_guardrails(cells: &Cells, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let counts = cells.guardrails.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone();
    let help = "What guardrails found, by the text it was in and what was done";
    let mut family = encoder.encode_descriptor("guardrail_matches", help, None, MetricType::Counter)?;
    for ((plan, segment, side, action), count) in counts {
        let labels =
            [("plan", plan.name()), ("data_segment", segment.name()), ("on", side), ("action", action)];
        family.encode_family(&labels)?.encode_counter::<NoLabelSet, u64, u64>(&count, None)?;
    }
    Ok(())
}

fn write_histogram(
    cells: &Cells,
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    of: impl Fn(&Series) -> &Histogram,
) -> fmt::Result {
    let mut family = encoder.encode_descriptor(name, help, None, MetricType::Histogram)?;
    for (labels, series) in cells.each() {
        let (sum, count, buckets) = of(series).read();
        if count > 0 {
            family.encode_family(&labels)?.encode_histogram::<NoLabelSet>(sum, count, &buckets, None)?;
        }
    }
    Ok(())
}

/// Those that are 0 too: nothing under way is something to know.
fn write_in_flight(cells: &Cells, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
    let help = "Model requests under way, from the known key to the answer's end";
    let mut family = encoder.encode_descriptor("requests_in_flight", help, None, MetricType::Gauge)?;
    cells.each().try_for_each(|(labels, series)| {
        family.encode_family(&labels)?.encode_gauge(&series.in_flight.load(Ordering::Relaxed))
    })
}

fn write_gauge(encoder: &mut DescriptorEncoder<'_>, name: &str, help: &str, value: i64) -> fmt::Result {
    let gauge = prometheus_client::metrics::gauge::ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
}
