use super::entry::{Entry, Kind, Material, Step, Verdict};
use super::file::{KeyPlace, WantedApiKey};
use super::policy::PolicyPlace;
use crate::cli::failure::Failure;
use crate::cli::print::{self, Output};
use crate::cli::route::Route;
use crate::cli::secret_file::SecretFile;
use crate::cli::secret_source::{from_file, from_variable};
use crate::cli::session::Session;
use serde::Serialize;
use serde::de::IgnoredAny;
use std::path::Path;
use topdog_domain::WorkspaceId;
use topdog_domain::policy::PolicyScope;
use topdog_platform::api::{
    ApiKey, CreateApiKey, CreateProviderKey, IssuedApiKey, List, PutPolicy, RotateProviderKey, Secret,
    Workspace,
};

/// What was done.
#[derive(Debug, Default)]
pub(super) struct CarriedOut {
    /// How many steps.
    pub(super) steps: usize,
    /// New secrets that no file took, for programs; people have been shown them.
    pub(super) secrets: Vec<NewSecret>,
    /// What stopped it.
    pub(super) failure: Option<Failure>,
}

/// The secret of a new key, shown this once.
#[derive(Debug, Serialize)]
pub(super) struct NewSecret {
    organisation: String,
    name: String,
    secret: Secret,
}

/// Does what the entries say, in their order, up to the first step that fails; a later run goes on from there.
pub(super) async fn carry_out(entries: Vec<Entry>, session: &Session, folder: &Path) -> CarriedOut {
    let mut work = Work { session, folder, done: CarriedOut::default() };
    for entry in entries {
        let (Verdict::Create(step) | Verdict::Change(_, step) | Verdict::Prune(step)) = entry.verdict else {
            continue;
        };
        let what = label(entry.kind, &entry.organisation, &entry.name);
        if let Err(failure) = work.step(&entry.organisation, step).await {
            work.done.failure = Some(failure.about(what));
            break;
        }
        work.done.steps += 1;
    }
    work.done
}

struct Work<'a> {
    session: &'a Session,
    folder: &'a Path,
    done: CarriedOut,
}

impl Work<'_> {
    async fn step(&mut self, org: &str, step: Step) -> Result<(), Failure> {
        let api = &self.session.api;
        let of_org = |collection: &str| Route::of_org(org).then(collection);
        match step {
            Step::CreateOrganisation(new) => {
                api.post::<IgnoredAny>(Route::new("organisations"), &new).await.map(drop)
            }
            Step::ChangeOrganisation(change) => {
                api.patch::<IgnoredAny>(Route::of_org(org), &change).await.map(drop)
            }
            Step::CreateEndpoint(new) => api.post::<IgnoredAny>(of_org("endpoints"), &new).await.map(drop),
            Step::ReplaceEndpoint(name, wanted) => {
                api.put::<IgnoredAny>(of_org("endpoints").then(name.as_str()), &wanted).await.map(drop)
            }
            Step::DeleteEndpoint(name) => api.delete(of_org("endpoints").then(name.as_str())).await,
            Step::CreateProviderKey { provider, name, material } => {
                let (secret, reference) = self.read(material)?;
                let new = CreateProviderKey { provider, name, secret, reference };
                api.post::<IgnoredAny>(of_org("provider-keys"), &new).await.map(drop)
            }
            Step::RotateProviderKey(id, material) => {
                let (secret, reference) = self.read(material)?;
                let route = of_org("provider-keys").then(id.to_string()).then("rotate");
                api.post::<IgnoredAny>(route, &RotateProviderKey { secret, reference }).await.map(drop)
            }
            Step::DeleteProviderKey(id) => api.delete(of_org("provider-keys").then(id.to_string())).await,
            Step::CreateApiKey(wanted) => self.create_api_key(org, *wanted).await,
            Step::RevokeApiKey(id) => api.delete(of_org("api-keys").then(id.to_string())).await,
            Step::PutPolicy { place, document, expected_version } => {
                let scope = self.scope(org, &place).await?;
                let put = PutPolicy { expected_version, document: *document };
                api.put::<IgnoredAny>(of_org("policies").then(scope.to_string()), &put).await.map(drop)
            }
            Step::DeletePolicy { scope, expected_version } => {
                let route = of_org("policies").then(scope.to_string());
                api.delete(route.with("expected_version", expected_version.to_string())).await
            }
        }
    }

    fn read(&self, material: Material) -> Result<(Option<Secret>, Option<String>), Failure> {
        match material {
            Material::Reference(reference) => Ok((None, Some(reference))),
            Material::Sealed(KeyPlace::Env(name)) => Ok((Some(from_variable(&name)?), None)),
            Material::Sealed(KeyPlace::File(path)) => Ok((Some(from_file(&self.folder.join(path))?), None)),
            Material::Sealed(KeyPlace::Vault(_)) => {
                Err(Failure::usage("seal takes env:… and file:…; leave it out for vault:…"))
            }
        }
    }

    async fn create_api_key(&mut self, org: &str, wanted: WantedApiKey) -> Result<(), Failure> {
        let file = match &wanted.secret_file {
            Some(file) => Some(SecretFile::reserve(&self.folder.join(file))?),
            None => None,
        };
        let name = wanted.name.clone();
        let new = CreateApiKey {
            workspace: self.workspace(org, wanted.workspace.as_deref()).await?,
            name: wanted.name,
            scopes: wanted.scopes,
            models: wanted.models,
            ip_allow: wanted.ip_allow,
            mode: wanted.mode,
            expires_at: wanted.expires_at,
            expires_in_seconds: None,
            llm_requests_per_day: wanted.llm_requests_per_day,
        };
        let route = Route::of_org(org).then("api-keys");
        let issued: IssuedApiKey = self.session.api.post(route, &new).await?;
        match (file, self.session.output) {
            (Some(file), _) => file.fill(issued.secret.expose()),
            (None, Output::Table) => {
                print::note(&format_args!("the secret of {org}: api_key {name}, shown this once:"));
                print::secret(issued.secret.expose())
            }
            (None, Output::Json) => {
                self.done.secrets.push(NewSecret {
                    organisation: org.to_owned(),
                    name,
                    secret: issued.secret,
                });
                Ok(())
            }
        }
    }

    /// Whose requests a policy is for, now that everything that the file names is there.
    async fn scope(&self, org: &str, place: &PolicyPlace) -> Result<PolicyScope, Failure> {
        let missing =
            || Failure::usage(format!("there is no {place}; name one that is there, or have it made here"));
        match place {
            PolicyPlace::Organisation => Ok(PolicyScope::Organisation),
            PolicyPlace::Workspace(named) => {
                self.workspace(org, Some(named)).await?.map(PolicyScope::Workspace).ok_or_else(missing)
            }
            PolicyPlace::ApiKey(named) => {
                let all: Vec<ApiKey> = self.session.api.get_all(Route::of_org(org).then("api-keys")).await?;
                let found = all.iter().find(|key| key.revoked_at.is_none() && key.name == *named);
                found.map(|key| PolicyScope::Key(key.id)).ok_or_else(missing)
            }
        }
    }

    /// The workspace that is named, by its id or its name.
    async fn workspace(&self, org: &str, named: Option<&str>) -> Result<Option<WorkspaceId>, Failure> {
        let Some(named) = named else { return Ok(None) };
        if let Ok(id) = named.parse() {
            return Ok(Some(id));
        }
        let all: List<Workspace> = self.session.api.get(Route::of_org(org).then("workspaces")).await?;
        let found = all.data.iter().find(|workspace| workspace.name == named);
        found.map(|workspace| Some(workspace.id)).ok_or_else(|| {
            Failure::usage(format!(
                "there is no workspace `{named}`; name one that is there, such as default"
            ))
        })
    }
}

fn label(kind: Kind, organisation: &str, name: &str) -> String {
    match kind {
        Kind::Organisation => format!("organisation {name}"),
        Kind::Endpoint | Kind::ProviderKey | Kind::ApiKey | Kind::Policy => {
            format!("{organisation}: {} {name}", kind.name())
        }
    }
}
