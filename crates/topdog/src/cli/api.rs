use super::credential::Credential;
use super::exit::Exit;
use super::failure::Failure;
use super::route::Route;
use bytes::Bytes;
use http::{Method, Request, header};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::time::Duration;
use topdog_domain::RecordId;
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
        // Named, so that it can be sent again where its answer was lost: what is made may show a secret, once.
        let once = RecordId::new().to_string();
        read(&self.exchange(Method::POST, &route, written(body)?, Some(&once)).await?)
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
        self.exchange(method, route, body, None).await
    }

    /// Sends it; what has a name by which it is done once, again where the connection broke before the answer was here.
    async fn exchange(
        &self,
        method: Method,
        route: &Route,
        body: Bytes,
        once: Option<&str>,
    ) -> Result<Bytes, Failure> {
        let mut pauses = once.map_or(&[][..], |_| &PAUSES).iter();
        let mut was_lost = false;
        let answer = loop {
            let request = self.request(&method, route, body.clone(), once)?;
            match self.client.request(self.base.origin(), request, LIMITS).await {
                Ok(answer) => break answer,
                Err(error) => {
                    was_lost |= matches!(error, EgressError::Protocol(_));
                    let pause = pauses.next().filter(|_| was_lost).ok_or_else(|| self.unreachable(error))?;
                    tokio::time::sleep(*pause).await;
                }
            }
        };
        if answer.status().is_success() {
            Ok(answer.into_body())
        } else {
            Err(Failure::of_answer(answer.status().as_u16(), answer.body()))
        }
    }

    fn request(
        &self,
        method: &Method,
        route: &Route,
        body: Bytes,
        once: Option<&str>,
    ) -> Result<Request<Bytes>, Failure> {
        let uri = self
            .base
            .join(&route.written())
            .map_err(|_| Failure::usage("the name given can't be part of an address; give its id instead"))?;
        let mut request = Request::builder()
            .method(method)
            .uri(uri)
            .header(header::AUTHORIZATION, self.credential.header())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json, application/problem+json")
            .header(header::USER_AGENT, concat!("topdog/", env!("CARGO_PKG_VERSION")));
        if let Some(once) = once {
            request = request.header("idempotency-key", once);
        }
        request.body(body).map_err(|_| Failure::failed("the request can't be put together"))
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

/// Before what was lost is sent again: a server that is started anew is there by then.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(800), Duration::from_secs(3)];

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

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;
    use topdog_egress::{Egress, EgressPolicy};

    /// A server that breaks off so many requests and answers the next; the names by which each was to be done once.
    async fn broken_off(count: usize) -> (Result<Bytes, Failure>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = BaseUrl::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let server = async {
            let mut names = Vec::new();
            loop {
                let (mut socket, _) = listener.accept().await.unwrap();
                let mut head = Vec::new();
                while !head.ends_with(b"{}") && socket.read_buf(&mut head).await.is_ok_and(|n| n > 0) {}
                let head = String::from_utf8(head).unwrap();
                let name = head.lines().find_map(|line| line.strip_prefix("idempotency-key: "));
                names.push(name.unwrap_or_default().to_owned());
                if names.len() > count {
                    socket.write_all(b"HTTP/1.1 201 Made\r\ncontent-length: 2\r\n\r\n{}").await.unwrap();
                    return names;
                }
            }
        };
        let client = Client::new(Egress::new(EgressPolicy::operator()).unwrap());
        let api = Api::new(base, client, Credential::of("td_operator_x").unwrap());
        let (route, body) = (Route::new("organisations"), Bytes::from_static(b"{}"));
        let call = api.exchange(Method::POST, &route, body, Some("a-name"));
        tokio::join!(call, server)
    }

    #[tokio::test]
    async fn what_is_made_once_is_sent_again_where_its_answer_was_lost() {
        let (answer, names) = broken_off(2).await;
        assert_eq!(answer, Ok(Bytes::from_static(b"{}")));
        assert_eq!(names, ["a-name"; 3]);
    }
}
