//! `topdog orgs`: organisations, for the operator.

use super::failure::Failure;
use super::print;
use super::route::Route;
use super::session::Session;
use super::table::{Table, or_dash};
use topdog_domain::labels::DataSegment;
use topdog_domain::tier::TierName;
use topdog_platform::api::{ChangeOrganisation, CreateOrganisation, CreatedOrganisation, Organisation};

/// What to do with organisations.
#[derive(Debug, clap::Subcommand)]
pub(crate) enum Orgs {
    /// List all organisations
    List,
    /// Show one organisation
    Show {
        /// Its name or id; left out, that of the key
        org: Option<String>,
    },
    /// Make an organisation with its owner and its default workspace
    Create {
        /// Its name
        name: String,
        #[command(flatten)]
        new: NewOrg,
    },
    /// Move an organisation to another tier
    SetTier {
        /// Its name or id
        org: String,
        /// The tier
        #[arg(value_parser = tier_name)]
        tier: TierName,
    },
    /// Set the data segment below which none of an organisation's requests is labelled
    SetSegment {
        /// Its name or id
        org: String,
        /// general, scientific, medical, or none
        #[arg(value_parser = segment_or_none)]
        segment: SegmentOrNone,
    },
    /// Delete an organisation and destroy its keys: nothing that they sealed can ever be opened again
    Delete {
        /// Its name or id
        org: String,
        /// Its name once more
        #[arg(long, value_name = "NAME")]
        yes: String,
    },
}

/// What a new organisation is to be like.
#[derive(Debug, clap::Args)]
pub(crate) struct NewOrg {
    /// Its tier, such as PRO
    #[arg(long, value_parser = tier_name)]
    tier: TierName,
    /// What its owner is called
    #[arg(long, default_value = "owner", value_name = "NAME")]
    owner: String,
    /// Its data segment: general, scientific or medical
    #[arg(long, value_parser = data_segment, value_name = "SEGMENT")]
    data_segment: Option<DataSegment>,
}

impl NewOrg {
    /// Makes it, under that name.
    pub(super) async fn make(self, name: String, session: &Session) -> Result<CreatedOrganisation, Failure> {
        let Self { tier, owner, data_segment } = self;
        let new = CreateOrganisation { name, tier, owner, data_segment };
        session.api.post(Route::new("organisations"), &new).await
    }
}

/// A data segment, or that there is to be none.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SegmentOrNone(Option<DataSegment>);

pub(super) async fn run(orgs: Orgs, session: &Session) -> Result<(), Failure> {
    match orgs {
        Orgs::List => {
            let all: Vec<Organisation> = session.api.get_all(Route::new("organisations")).await?;
            session.output.answer(&all, |all| table(all))
        }
        Orgs::Show { org } => {
            let org = session.org(org.as_deref())?;
            let organisation: Organisation = session.api.get(Route::of_org(org)).await?;
            session.output.answer(&organisation, facts)
        }
        Orgs::Create { name, new } => {
            let created = new.make(name, session).await?;
            session.output.answer(&created, |created| facts(&created.organisation))
        }
        Orgs::SetTier { org, tier } => {
            change(session, &org, ChangeOrganisation { tier: Some(tier), ..Default::default() }).await
        }
        Orgs::SetSegment { org, segment } => {
            let change_to = ChangeOrganisation { data_segment: Some(segment.0), ..Default::default() };
            change(session, &org, change_to).await
        }
        Orgs::Delete { org, yes } => delete(session, &org, &yes).await,
    }
}

async fn change(session: &Session, org: &str, change: ChangeOrganisation) -> Result<(), Failure> {
    let changed: Organisation = session.api.patch(Route::of_org(org), &change).await?;
    session.output.answer(&changed, facts)
}

async fn delete(session: &Session, org: &str, yes: &str) -> Result<(), Failure> {
    let found: Organisation = session.api.get(Route::of_org(org)).await?;
    if found.name != yes {
        return Err(Failure::usage(format!(
            "deleting can't be undone, and --yes does not name the organisation; write --yes '{}' if it is meant",
            found.name
        )));
    }
    // By id: the name could have been given to another organisation meanwhile.
    session.api.delete(Route::of_org(&found.id.to_string())).await?;
    print::note(&format_args!("{} is deleted and its keys are destroyed", found.name));
    Ok(())
}

fn table(organisations: &[Organisation]) -> Table {
    let mut table = Table::new(&["id", "name", "tier", "data segment", "created"]);
    for org in organisations {
        table.row([
            org.id.to_string(),
            org.name.clone(),
            org.tier.to_string(),
            or_dash(org.data_segment.map(DataSegment::name)),
            org.created_at.to_string(),
        ]);
    }
    table
}

fn facts(org: &Organisation) -> Table {
    Table::of_facts([
        ("id", org.id.to_string()),
        ("name", org.name.clone()),
        ("tier", org.tier.to_string()),
        ("data segment", or_dash(org.data_segment.map(DataSegment::name))),
        ("created", org.created_at.to_string()),
    ])
}

/// Reads a tier's name as an argument.
pub(super) fn tier_name(text: &str) -> Result<TierName, String> {
    TierName::parse(text).map_err(|bad| format!("{bad}, such as PRO-PLUS"))
}

/// Reads a data segment as an argument.
pub(super) fn data_segment(text: &str) -> Result<DataSegment, String> {
    DataSegment::from_name(text).ok_or_else(|| "a data segment is general, scientific or medical".to_owned())
}

fn segment_or_none(text: &str) -> Result<SegmentOrNone, String> {
    match text {
        "none" => Ok(SegmentOrNone(None)),
        segment => data_segment(segment).map(|segment| SegmentOrNone(Some(segment))),
    }
}
