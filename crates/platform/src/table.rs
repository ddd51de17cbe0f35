//! The one table of routes: the router and the OpenAPI document are both made of it, and what the document says
//! of a route is read off the types of its handler.

use crate::describe::{Described, Operation};
use crate::platform::Shared;
use axum::handler::Handler;
use axum::routing::{MethodFilter, MethodRouter, on};
use axum::{Extension, Router};

/// A route's name: its operation id, and what audit entries call it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RouteId(pub(crate) &'static str);

/// The methods in use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    /// As the OpenAPI document writes it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::Post => "post",
            Self::Put => "put",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    const fn filter(self) -> MethodFilter {
        match self {
            Self::Get => MethodFilter::GET,
            Self::Post => MethodFilter::POST,
            Self::Put => MethodFilter::PUT,
            Self::Patch => MethodFilter::PATCH,
            Self::Delete => MethodFilter::DELETE,
        }
    }
}

/// One route.
pub(crate) struct Route {
    /// Its name, as `noun.verb`.
    pub(crate) id: RouteId,
    /// Its method.
    pub(crate) method: Method,
    /// Its path, under `/api/v1`.
    pub(crate) path: &'static str,
    /// What it does, in a sentence.
    pub(crate) summary: &'static str,
    /// Who may call it, what it takes and what it gives.
    pub(crate) operation: Operation,
    handler: MethodRouter<Shared>,
}

impl Route {
    /// A route to that handler.
    pub(crate) fn new<H, Arguments, Types>(
        id: &'static str,
        method: Method,
        path: &'static str,
        summary: &'static str,
        handler: H,
    ) -> Self
    where
        H: Handler<Arguments, Shared> + Described<Types>,
        Arguments: 'static,
    {
        let id = RouteId(id);
        Self {
            id,
            method,
            path,
            summary,
            operation: H::describe(),
            handler: on(method.filter(), handler).layer(Extension(id)),
        }
    }
}

/// Where the API lives.
pub(crate) const BASE: &str = "/api/v1";

/// The router of a table.
pub(crate) fn router(table: Vec<Route>) -> Router<Shared> {
    table
        .into_iter()
        .fold(Router::new(), |router, route| router.route(&format!("{BASE}{}", route.path), route.handler))
}
