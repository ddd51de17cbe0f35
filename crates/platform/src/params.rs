use crate::api::UtcTime;
use crate::describe::{Operation, Takes};
use crate::platform::Shared;
use crate::problem::Problem;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequestParts, Query, RawPathParams};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use std::marker::PhantomData;
use std::num::ParseIntError;
use std::str::FromStr;
use topdog_domain::policy::PolicyScope;
use topdog_domain::ports::PageWish;
use topdog_domain::provider::ProviderName;
use topdog_domain::tier::TierName;
use topdog_domain::{ApiKeyId, OrgId, ProviderKeyId, RecordId};

/// What a path names besides the organisation. What can't be one is not there: 404.
pub(crate) struct Named<T>(pub(crate) T);

/// Something that a path can name, or a page can begin behind.
pub(crate) trait PathName: Sized {
    /// The parameter in the path.
    const PARAM: &'static str;
    /// What it is called in a 404.
    const WHAT: &'static str;
    /// It, where the text can be one.
    fn read(text: &str) -> Option<Self>;
}

/// The number of a version, by which pages of versions go.
pub(crate) struct VersionNumber;

impl FromStr for VersionNumber {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse::<u32>().map(|_| Self)
    }
}

macro_rules! path_names {
    ($($name:ty = $param:literal, $what:literal, $read:expr;)*) => {$(
        impl PathName for $name {
            const PARAM: &'static str = $param;
            const WHAT: &'static str = $what;

            fn read(text: &str) -> Option<Self> {
                $read(text).ok()
            }
        }
    )*};
}

path_names! {
    ApiKeyId = "id", "api key", ApiKeyId::from_str;
    ProviderKeyId = "id", "provider key", ProviderKeyId::from_str;
    ProviderName = "name", "endpoint", ProviderName::parse;
    TierName = "name", "tier", TierName::parse;
    OrgId = "org", "organisation", OrgId::from_str;
    RecordId = "id", "record", RecordId::from_str;
    PolicyScope = "scope", "policy", PolicyScope::from_str;
    VersionNumber = "version", "version", VersionNumber::from_str;
}

impl<T: PathName> FromRequestParts<Shared> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let missing = || Problem::NotFound(T::WHAT);
        let params = RawPathParams::from_request_parts(parts, &()).await.map_err(|_| missing())?;
        let text = params.iter().find(|(name, _)| *name == T::PARAM);
        text.and_then(|(_, text)| T::read(text)).map(Self).ok_or_else(missing)
    }
}

impl<T: PathName> Takes for Named<T> {
    fn describe(_: &mut Operation) {}
}

/// Which page of a list is wanted, whose rows are in the order of their `Key`s.
pub(crate) struct PageParams<Key> {
    /// As the port takes it.
    pub(crate) wish: PageWish,
    key: PhantomData<Key>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PageQuery {
    limit: Option<u32>,
    cursor: Option<String>,
}

/// The most rows of a page.
const MAX_LIMIT: u32 = 200;
const DEFAULT_LIMIT: u32 = 50;

impl<Key: PathName + Send> FromRequestParts<Shared> for PageParams<Key> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let query: PageQuery = query(parts).await?;
        if query.cursor.as_deref().is_some_and(|cursor| Key::read(cursor).is_none()) {
            return Err(Problem::BadParameter(
                "`cursor` is not one of this list's; give the `next_cursor` of the page before".to_owned(),
            ));
        }
        let wish = PageWish { after: query.cursor, limit: checked_limit(query.limit)? };
        Ok(Self { wish, key: PhantomData })
    }
}

impl<Key> Takes for PageParams<Key> {
    fn describe(operation: &mut Operation) {
        operation.parameters.extend([
            limit_parameter(),
            parameter("cursor", "The `next_cursor` of the page before.", json!({ "type": "string" })),
        ]);
    }
}

/// From which place of the audit chain, and how much of it.
pub(crate) struct ChainParams {
    /// The place before the first entry wanted.
    pub(crate) after: u64,
    /// How many at the most.
    pub(crate) limit: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ChainQuery {
    after: Option<u64>,
    limit: Option<u32>,
}

impl FromRequestParts<Shared> for ChainParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let query: ChainQuery = query(parts).await?;
        // A place that no chain reaches, and that a store can count to.
        let after = query.after.unwrap_or(0).min(i64::MAX as u64 - 1);
        Ok(Self { after, limit: checked_limit(query.limit)? })
    }
}

impl Takes for ChainParams {
    fn describe(operation: &mut Operation) {
        operation.parameters.extend([
            limit_parameter(),
            parameter(
                "after",
                "Entries behind that place; the `next_after` of the stretch before.",
                json!({ "type": "integer", "minimum": 0, "default": 0 }),
            ),
        ]);
    }
}

/// Which version must be in force for what is asked; none: any.
pub(crate) struct ExpectedVersion(pub(crate) Option<u32>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VersionQuery {
    expected_version: Option<u32>,
}

impl FromRequestParts<Shared> for ExpectedVersion {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        let query: VersionQuery = query(parts).await?;
        Ok(Self(query.expected_version))
    }
}

impl Takes for ExpectedVersion {
    fn describe(operation: &mut Operation) {
        operation.parameters.push(parameter(
            "expected_version",
            "Only where that version is in force; any else.",
            json!({ "type": "integer", "minimum": 1 }),
        ));
    }
}

/// Which span of time; what is left out begins or ends today.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SpanParams {
    /// From then, inclusive.
    pub(crate) from: Option<UtcTime>,
    /// To then, exclusive.
    pub(crate) to: Option<UtcTime>,
}

impl FromRequestParts<Shared> for SpanParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Shared) -> Result<Self, Problem> {
        query(parts).await
    }
}

impl Takes for SpanParams {
    fn describe(operation: &mut Operation) {
        let instant = || json!({ "type": "string", "format": "date-time" });
        operation.parameters.extend([
            parameter("from", "From then, inclusive; the beginning of the present UTC day else.", instant()),
            parameter("to", "To then, exclusive; the end of the present UTC day else.", instant()),
        ]);
    }
}

async fn query<T: DeserializeOwned>(parts: &mut Parts) -> Result<T, Problem> {
    let read: Result<Query<T>, QueryRejection> = Query::from_request_parts(parts, &()).await;
    read.map(|Query(query)| query).map_err(|_| {
        Problem::BadParameter(
            "a query parameter is unknown, doubled or not what belongs there; GET /api/v1/openapi.json lists what a route takes"
                .to_owned(),
        )
    })
}

fn checked_limit(limit: Option<u32>) -> Result<u32, Problem> {
    let limit = limit.unwrap_or(DEFAULT_LIMIT);
    if (1..=MAX_LIMIT).contains(&limit) {
        Ok(limit)
    } else {
        Err(Problem::BadParameter(format!("`limit` is a number from 1 to {MAX_LIMIT}")))
    }
}

fn limit_parameter() -> serde_json::Value {
    parameter(
        "limit",
        "How many rows at the most.",
        json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT }),
    )
}

fn parameter(name: &str, description: &str, schema: serde_json::Value) -> serde_json::Value {
    json!({ "name": name, "in": "query", "required": false, "description": description, "schema": schema })
}
