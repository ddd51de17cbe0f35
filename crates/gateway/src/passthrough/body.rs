//! A request that is passed through, as its provider gets it.

use crate::edge::body::BodyReader;
use crate::forward::Upload;
use crate::worker::Worker;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Uri};
use topdog_egress::RequestBody;

/// Where it goes, and its body.
pub(crate) struct Through {
    pub(super) method: Method,
    pub(super) uri: Uri,
    pub(super) body: ThroughBody,
}

pub(super) enum ThroughBody {
    /// JSON that has been read, or nothing.
    Whole(Bytes),
    /// Whatever it is, as it comes.
    Stream(Box<BodyReader>),
}

impl Through {
    /// Bytes that have been read of it so far.
    pub(crate) fn len(&self) -> usize {
        match &self.body {
            ThroughBody::Whole(body) => body.len(),
            ThroughBody::Stream(_) => 0,
        }
    }

    pub(crate) fn request(self, worker: &Worker, headers: HeaderMap) -> Box<Request<RequestBody>> {
        let body = match self.body {
            ThroughBody::Whole(body) => RequestBody::Full(body),
            ThroughBody::Stream(reader) => RequestBody::stream(Upload::plain(worker, *reader)),
        };
        let mut request = Box::new(Request::new(body));
        *request.method_mut() = self.method;
        *request.uri_mut() = self.uri;
        *request.headers_mut() = headers;
        request
    }
}
