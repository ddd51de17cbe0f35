use super::credential::Credential;
use super::exit::Exit;
use super::failure::Failure;
use super::route::Route;
use bytes::Bytes;
use http::{Method, Request, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use topdog_egress::{AnswerLimits, BaseUrl, Client, EgressError};
use topdog_platform::api::Page;

/// The management API of one server, spoken for one caller.
pub(crate) struct Api {
    base: BaseUrl,
    client: Client,
    credential: Credential,
}

impl Api {
    /// The API below that address.
    pub(crate) const fn new(base: BaseUrl, client: Client, credential: Credential) -> Self {
        Self { base, client, credential }
    }

    /// Does it speak for the operator?
    pub(crate) const fn is_operator(&self) -> bool {
        self.credential.is_operator()
    }

    /// Reads what is there.
    pub(crate) async fn get<T: DeserializeOwned>(&self, route: Route) -> Result<T, Failure> {
        read(&self.send(Method::GET, &route, Bytes::new()).await?)
    }

    /// Reads all pages of a list.
    pub(crate) async fn get_all<T: DeserializeOwned>(&self, route: Route) -> Result<Vec<T>, Failure> {
        self.get_first(route, usize::MAX).await
    }

    /// Reads the first rows of a list, over as many pages as it takes.
    pub(crate) async fn get_first<T: DeserializeOwned>(
        &self,
        route: Route,
        count: usize,
    ) -> Result<Vec<T>, Failure> {
        let mut rows = Vec::new();
        let mut cursor = None;
        while rows.len() < count {
            let limit = (count - rows.len()).min(PAGE).to_string();
            let page: Page<T> =
                self.get(route.clone().with("limit", limit).with_any("cursor", cursor)).await?;
            rows.extend(page.data);
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    /// Makes something, or has something done.
    pub(crate) async fn post<T: DeserializeOwned>(
        &self,
        route: Route,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        read(&self.send(Method::POST, &route, written(body)?).await?)
    }

    /// Puts something in the place of what is there.
    pub(crate) async fn put<T: DeserializeOwned>(
        &self,
        route: Route,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        read(&self.send(Method::PUT, &route, written(body)?).await?)
    }

    /// Changes some of what is there.
    pub(crate) async fn patch<T: DeserializeOwned>(
        &self,
        route: Route,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        read(&self.send(Method::PATCH, &route, written(body)?).await?)
    }

    /// Takes something away.
    pub(crate) async fn delete(&self, route: Route) -> Result<(), Failure> {
        self.send(Method::DELETE, &route, Bytes::new()).await.map(drop)
    }

    async fn send(&self, method: Method, route: &Route, body: Bytes) -> Result<Bytes, Failure> {
        let uri = self
            .base
            .join(&route.written())
            .map_err(|_| Failure::usage("the name given can't be part of an address; give its id instead"))?;
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::AUTHORIZATION, self.credential.header())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, application/problem+json")
            .header(header::USER_AGENT, concat!("topdog/", env!("CARGO_PKG_VERSION")))
            .body(body)
            .map_err(|_| Failure::failed("the request can't be put together"))?;
        let answer = self
            .client
            .request(self.base.origin(), request, LIMITS)
            .await
            .map_err(|error| self.unreachable(error))?;
        if answer.status().is_success() {
            Ok(answer.into_body())
        } else {
            Err(Failure::of_answer(answer.status().as_u16(), answer.body()))
        }
    }

    fn unreachable(&self, error: EgressError) -> Failure {
        let message = format!(
            "the server at {} can't be reached: {error}; is it running there, and is this the right --url or \
             --data-dir?",
            self.base
        );
        Failure::with(Exit::Unreachable, message)
    }
}

fn written(body: &impl Serialize) -> Result<Bytes, Failure> {
    serde_json::to_vec(body)
        .map(Bytes::from)
        .map_err(|_| Failure::failed("the request can't be written as JSON"))
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Failure> {
    // An answer may hold a new key's secret, so what the reader says of it is not repeated.
    serde_json::from_slice(body).map_err(|error| {
        Failure::failed(format!(
            "the server's answer can't be understood (line {}, column {}); is it a Top Dog of this version?",
            error.line(),
            error.column()
        ))
    })
}

/// The API's own maximum.
const PAGE: usize = 200;
const LIMITS: AnswerLimits =
    AnswerLimits { timeout: Duration::from_secs(60), max_body_bytes: 16 * 1024 * 1024 };
