//! `topdog usage`, `debug-logs` and `quota`: what was used, request by request, and what is left.

use super::failure::Failure;
use super::org_arg::OrgArg;
use super::route::Route;
use super::session::Session;
use super::table::{Table, or_dash};
use topdog_domain::Timestamp;
use topdog_platform::api::{Quota, RequestFacts, UsageReport};

/// Which usage to show.
#[derive(Debug, clap::Args)]
pub(crate) struct Usage {
    #[command(flatten)]
    org: OrgArg,
    /// From then, such as 2026-11-24 or 2026-11-24T09:00:00Z [default: the beginning of the UTC day]
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with = "events")]
    from: Option<Timestamp>,
    /// Until then, not included [default: the end of the UTC day]
    #[arg(long, value_name = "TIME", value_parser = instant, conflicts_with = "events")]
    to: Option<Timestamp>,
    /// Request by request, newest first, instead of sums by model
    #[arg(long)]
    events: bool,
    /// How many events at the most
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
}

/// Which debug logs to show.
#[derive(Debug, clap::Args)]
pub(crate) struct DebugLogs {
    #[command(flatten)]
    org: OrgArg,
    /// How many at the most, newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 50)]
    limit: usize,
}

/// Whose quota to show.
#[derive(Debug, clap::Args)]
pub(crate) struct QuotaOf {
    #[command(flatten)]
    org: OrgArg,
}

pub(super) async fn usage(usage: Usage, session: &Session) -> Result<(), Failure> {
    let route = Route::of_org(session.org(usage.org.given())?).then("usage");
    if usage.events {
        let events: Vec<RequestFacts> = session.api.get_first(route.then("events"), usage.limit).await?;
        return session.output.answer(&events, |events| event_table(events));
    }
    let route = route
        .with_any("from", usage.from.map(|at| at.to_string()))
        .with_any("to", usage.to.map(|at| at.to_string()));
    let report: UsageReport = session.api.get(route).await?;
    session.output.answer(&report, sums)
}

pub(super) async fn debug_logs(logs: DebugLogs, session: &Session) -> Result<(), Failure> {
    let route = Route::of_org(session.org(logs.org.given())?).then("debug-logs");
    let records: Vec<RequestFacts> = session.api.get_first(route, logs.limit).await?;
    session.output.answer(&records, |records| log_table(records))
}

pub(super) async fn quota(quota: QuotaOf, session: &Session) -> Result<(), Failure> {
    let route = Route::of_org(session.org(quota.org.given())?).then("quota");
    let quota: Quota = session.api.get(route).await?;
    session.output.answer(&quota, |quota| {
        let mut table = Table::new(&["limit", "allowed", "used", "resets"]);
        for line in &quota.data {
            table.row([
                line.limit.clone(),
                line.allowed.to_string(),
                or_dash(line.used),
                or_dash(line.resets_at),
            ]);
        }
        table
    })
}

fn sums(report: &UsageReport) -> Table {
    let mut table = Table::new(&[
        "model",
        "requests",
        "input",
        "cache read",
        "cache write",
        "output",
        "reasoning",
        "cost",
    ]);
    for line in &report.data {
        table.row([
            format!("{}/{}", line.provider, line.model),
            line.requests.to_string(),
            line.input_tokens.to_string(),
            line.cache_read_tokens.to_string(),
            line.cache_write_tokens.to_string(),
            line.output_tokens.to_string(),
            line.reasoning_tokens.to_string(),
            cost(line.cost_nanodollars, line.unpriced_requests, line.requests),
        ]);
    }
    table
}

/// What is not known is said, never counted as nothing.
fn cost(known: i64, unpriced: u64, requests: u64) -> String {
    match unpriced {
        0 => dollars(known),
        all if all >= requests => "unknown".to_owned(),
        some => format!("{} + unknown for {some}", dollars(known)),
    }
}

/// Nano-dollars to the hundredth of a cent, rounded up: what costs anything is not shown as nothing.
fn dollars(nanodollars: i64) -> String {
    let hundredths = nanodollars.max(0).cast_unsigned().div_ceil(100_000);
    format!("${}.{:04}", hundredths / 10_000, hundredths % 10_000)
}

fn event_table(events: &[RequestFacts]) -> Table {
    let mut table = Table::new(&["at", "request", "key", "model", "input", "output", "tokens by", "cost"]);
    for event in events {
        table.row([
            event.at.to_string(),
            event.request.to_string(),
            event.api_key.to_string(),
            format!("{}/{}", event.provider, event.model),
            event.input_tokens.to_string(),
            event.output_tokens.to_string(),
            event.usage_source.clone(),
            event.cost_nanodollars.map_or_else(|| "unknown".to_owned(), dollars),
        ]);
    }
    table
}

fn log_table(records: &[RequestFacts]) -> Table {
    let mut table =
        Table::new(&["at", "request", "model", "status", "outcome", "total ms", "overhead us", "error"]);
    for record in records {
        table.row([
            record.at.to_string(),
            record.request.to_string(),
            format!("{}/{}", record.provider, record.model),
            record.status.to_string(),
            record.outcome.clone(),
            (record.total_us / 1_000).to_string(),
            record.overhead_us.to_string(),
            or_dash(record.error_code.as_deref()),
        ]);
    }
    table
}

/// An RFC 3339 instant, or a date, which is the first instant of that UTC day.
fn instant(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .or_else(|_| Timestamp::parse(&format!("{text}T00:00:00Z")))
        .map_err(|_| "write a time as 2026-11-24 or 2026-11-24T09:00:00Z".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_costs_anything_is_not_shown_as_nothing() {
        assert_eq!(dollars(0), "$0.0000");
        assert_eq!(dollars(1), "$0.0001");
        assert_eq!(dollars(1_234_500_000), "$1.2345");
    }

    #[test]
    fn unknown_cost_is_said() {
        assert_eq!(cost(0, 3, 3), "unknown");
        assert_eq!(cost(100_000, 1, 3), "$0.0001 + unknown for 1");
        assert_eq!(cost(100_000, 0, 3), "$0.0001");
    }

    #[test]
    fn a_date_is_the_beginning_of_its_day() {
        assert_eq!(instant("2026-11-24"), instant("2026-11-24T00:00:00Z"));
        assert!(instant("yesterday").is_err());
    }
}
