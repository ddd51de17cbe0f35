use crate::api::{AuditChain, AuditEntry, AuditHead, AuditLog, Page};
use crate::authority::{ChainReader, Operator};
use crate::body::Answer;
use crate::pages::page;
use crate::params::{ChainParams, PageParams};
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use axum::extract::State;
use topdog_domain::OrgId;

pub(super) async fn list(
    State(platform): State<Shared>,
    reader: ChainReader,
    wish: ChainParams,
) -> Result<Answer<AuditLog>, Problem> {
    let log = stretch(&platform, reader.org, &wish).await?;
    if log.head.seq == 0 && log.data.is_empty() && !reader.is_known {
        return Err(Problem::NotFound("organisation"));
    }
    Ok(Answer(log))
}

pub(super) async fn list_installation(
    State(platform): State<Shared>,
    _: Operator,
    wish: ChainParams,
) -> Result<Answer<AuditLog>, Problem> {
    stretch(&platform, OrgId::INSTALLATION, &wish).await.map(Answer)
}

pub(super) async fn list_chains(
    State(platform): State<Shared>,
    _: Operator,
    PageParams { wish, .. }: PageParams<OrgId>,
) -> Result<Answer<Page<AuditChain>>, Problem> {
    let chains = platform.parts.records.audit_chain_list(&wish).await?;
    let known = platform.parts.directory.snapshot();
    Ok(Answer(page(chains, |org| AuditChain {
        org,
        name: known.org(org).map(|view| view.facts.organisation.name.clone()),
        is_of_installation: org == OrgId::INSTALLATION,
    })))
}

async fn stretch(platform: &Platform, org: OrgId, wish: &ChainParams) -> Result<AuditLog, Problem> {
    let records = &platform.parts.records;
    // The head first: entries that come meanwhile lie behind it, and none before it can be missing.
    let (seq, hash) = records.audit_head(org).await?;
    let entries = records.audit_list(org, wish.after, wish.limit).await?;
    let new: Vec<u64> = entries.iter().map(|entry| entry.seq).filter(|seq| *seq > wish.after).collect();
    let is_full = u32::try_from(new.len()).is_ok_and(|count| count >= wish.limit);
    Ok(AuditLog {
        next_after: new.last().copied().filter(|_| is_full),
        data: entries.into_iter().map(AuditEntry::from).collect(),
        head: AuditHead { seq, hash: hash.to_string() },
    })
}
