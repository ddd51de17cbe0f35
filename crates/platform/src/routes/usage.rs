use crate::api::{Page, RequestFacts, UsageLine, UsageReport, UtcTime};
use crate::authority::{OrgCaller, ReadUsage};
use crate::body::Answer;
use crate::pages::page;
use crate::params::{PageParams, SpanParams};
use crate::platform::Shared;
use crate::problem::Problem;
use axum::extract::State;
use topdog_domain::RecordId;

pub(super) async fn sum(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadUsage>,
    span: SpanParams,
) -> Result<Answer<UsageReport>, Problem> {
    let today = caller.trail.at.day();
    let from = span.from.map_or(today.start(), |from| from.0);
    let to = span.to.map_or(today.end(), |to| to.0);
    if from >= to {
        return Err(Problem::BadParameter("`from` is not before `to`; exchange them".to_owned()));
    }
    let rows = platform.parts.records.usage_sum(caller.org_id(), from, to).await?;
    Ok(Answer(UsageReport {
        from: UtcTime(from),
        to: UtcTime(to),
        data: rows.into_iter().map(UsageLine::from).collect(),
    }))
}

pub(super) async fn events(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadUsage>,
    PageParams { wish, .. }: PageParams<RecordId>,
) -> Result<Answer<Page<RequestFacts>>, Problem> {
    let rows = platform.parts.records.usage_list(caller.org_id(), &wish).await?;
    Ok(Answer(page(rows, |row| RequestFacts::of(row.id, &row.record))))
}

pub(super) async fn debug_logs(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadUsage>,
    PageParams { wish, .. }: PageParams<RecordId>,
) -> Result<Answer<Page<RequestFacts>>, Problem> {
    let rows = platform.parts.records.debug_log_list(caller.org_id(), &wish).await?;
    Ok(Answer(page(rows, |row| RequestFacts::of(row.id, &row.record))))
}
