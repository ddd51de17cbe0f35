use crate::api::{
    ChangeOrganisation, CreateOrganisation, CreatedOrganisation, List, Organisation, Page, Workspace,
};
use crate::authority::{OWN, Operator, OrgCaller, OrgOperator, ReadOrg, Trail, WriteOrg};
use crate::body::{Answer, Done, Input};
use crate::checks::{known_tier, name};
use crate::idempotency::{Create, Created, Keep};
use crate::pages::page;
use crate::params::PageParams;
use crate::platform::{Platform, Shared};
use crate::problem::Problem;
use axum::extract::State;
use topdog_domain::labels::DataSegment;
use topdog_domain::ports::{NewOrganisation, OrganisationChange, PortError};
use topdog_domain::tenant::{self, Member, Role};
use topdog_domain::{MemberId, OrgId, WorkspaceId};

pub(super) async fn list(
    State(platform): State<Shared>,
    _: Operator,
    PageParams { wish, .. }: PageParams<OrgId>,
) -> Result<Answer<Page<Organisation>>, Problem> {
    let rows = platform.parts.organisations.organisation_list(&wish).await?;
    Ok(Answer(page(rows, Organisation::from)))
}

pub(super) async fn create(
    State(platform): State<Shared>,
    operator: Operator,
    input: Create<CreateOrganisation>,
) -> Result<Created<CreatedOrganisation>, Problem> {
    let trail = operator.trail;
    input.once(&platform, &trail, Keep::Plain, |wish| make(&platform, &trail, wish)).await
}

async fn make(
    platform: &Platform,
    trail: &Trail,
    wish: CreateOrganisation,
) -> Result<CreatedOrganisation, Problem> {
    let new = checked(platform, trail, wish)?;
    let org = new.organisation.id;
    let audit =
        trail.draft(org, org).with("name", &new.organisation.name).with("tier", &new.organisation.tier);
    let organisations = &platform.parts.organisations;
    organisations.organisation_create(&new, &audit).await.map_err(|error| match error {
        PortError::Conflict(_) => Problem::Conflict("an organisation of that name is there".to_owned()),
        other => other.into(),
    })?;
    if let Err(error) = platform.parts.vault.create_org_key(org, trail.at).await {
        // Without a key it could keep nothing: it goes again, so that a repeat finds its name free.
        let undone = trail.draft(org, org).with("reason", "no_organisation_key");
        organisations.organisation_destroy(org, &undone).await?;
        return Err(Problem::of_vault(&error));
    }
    platform.refresh(org).await;
    Ok(CreatedOrganisation {
        organisation: new.organisation.into(),
        owner: new.owner.id,
        workspace: new.workspace.id,
    })
}

fn checked(platform: &Platform, trail: &Trail, wish: CreateOrganisation) -> Result<NewOrganisation, Problem> {
    name("name", &wish.name)?;
    name("owner", &wish.owner)?;
    if wish.name == OWN || wish.name.parse::<OrgId>().is_ok() {
        return Err(Problem::BadField {
            param: "name",
            message: "a path would take it for something else; choose another".to_owned(),
        });
    }
    known_tier(platform, &wish.tier)?;
    let (org, created_at) = (OrgId::new(), trail.at);
    Ok(NewOrganisation {
        organisation: tenant::Organisation {
            id: org,
            name: wish.name,
            tier: wish.tier,
            data_segment: wish.data_segment,
            created_at,
        },
        owner: Member { id: MemberId::new(), org, name: wish.owner, role: Role::Owner, created_at },
        workspace: tenant::Workspace {
            id: WorkspaceId::new(),
            org,
            name: "default".to_owned(),
            data_segment: None,
            created_at,
        },
    })
}

pub(super) async fn show(caller: OrgCaller<ReadOrg>) -> Result<Answer<Organisation>, Problem> {
    Ok(Answer(caller.org.facts.organisation.clone().into()))
}

pub(super) async fn change(
    State(platform): State<Shared>,
    caller: OrgCaller<WriteOrg>,
    Input(wish): Input<ChangeOrganisation>,
) -> Result<Answer<Organisation>, Problem> {
    let org = caller.org_id();
    caller.require_reach(&platform, None, org)?;
    let mut audit = caller.trail.draft(org, org);
    if let Some(tier) = &wish.tier {
        caller.require_operator("change a tier")?;
        known_tier(&platform, tier)?;
        audit = audit.with("tier", tier);
    }
    if let Some(segment) = wish.data_segment {
        audit = audit.with("data_segment", segment.map_or("none", DataSegment::name));
    }
    let change = OrganisationChange { tier: wish.tier, data_segment: wish.data_segment };
    if change == OrganisationChange::default() {
        return Ok(Answer(caller.org.facts.organisation.clone().into()));
    }
    let changed = platform
        .parts
        .organisations
        .organisation_change(org, &change, &audit)
        .await
        .map_err(|error| Problem::of_port(error, "organisation"))?;
    platform.refresh(org).await;
    Ok(Answer(changed.into()))
}

pub(super) async fn destroy(State(platform): State<Shared>, operator: OrgOperator) -> Result<Done, Problem> {
    let organisation = &operator.org.facts.organisation;
    let org = organisation.id;
    let audit = operator.trail.draft(org, org).with("name", &organisation.name);
    let destroyed = platform.parts.organisations.organisation_destroy(org, &audit).await;
    destroyed.map_err(|error| Problem::of_port(error, "organisation"))?;
    platform.refresh_or(org, |facts| facts.api_keys.clear()).await;
    Ok(Done)
}

pub(super) async fn workspaces(
    State(platform): State<Shared>,
    caller: OrgCaller<ReadOrg>,
) -> Result<Answer<List<Workspace>>, Problem> {
    let rows = platform.parts.organisations.workspace_list(caller.org_id()).await?;
    Ok(Answer(List { data: rows.into_iter().map(Workspace::from).collect() }))
}
