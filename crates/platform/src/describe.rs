//! What the OpenAPI document says of a handler, read off its types, so that the two can't differ.

use crate::authority::{
    CatalogueReader, ChainReader, Operator, OrgCaller, OrgOperator, Permission, ReadAudit, ReadOrg,
};
use crate::platform::Shared;
use crate::problem::Problem;
use axum::extract::State;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::future::Future;
use topdog_domain::api_key::Scope;
use utoipa::ToSchema;

/// Who may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Access {
    /// Anyone, without a key.
    #[default]
    Anyone,
    /// The operator.
    Operator,
    /// The operator, and an organisation's key with the scope.
    Scope(Scope),
}

/// What a handler takes and gives.
#[derive(Debug, Default)]
pub(crate) struct Operation {
    /// Who may call it.
    pub(crate) access: Access,
    /// Query parameters and headers, as OpenAPI writes them.
    pub(crate) parameters: Vec<Value>,
    /// The schema of the body it takes, and whether it must be there.
    pub(crate) body: Option<(Value, bool)>,
    /// The status of success.
    pub(crate) status: u16,
    /// The schema of the body it gives.
    pub(crate) answer: Option<Value>,
    /// The named schemas that the others refer to.
    pub(crate) schemas: BTreeMap<String, Value>,
}

impl Operation {
    /// A reference to the type's schema, which is kept under its name.
    pub(crate) fn refer<T: ToSchema>(&mut self) -> Value {
        let mut named = vec![(T::name().into_owned(), T::schema())];
        T::schemas(&mut named);
        for (name, schema) in named {
            self.schemas.insert(name, serde_json::to_value(schema).unwrap_or_default());
        }
        json!({ "$ref": format!("#/components/schemas/{}", T::name()) })
    }

    /// Says that the route takes such a body, which may be left out where nothing in it is required.
    pub(crate) fn takes_body<T: ToSchema + DeserializeOwned>(&mut self) {
        let is_required = serde_json::from_str::<T>("{}").is_err();
        self.body = Some((self.refer::<T>(), is_required));
    }
}

/// An argument of a handler.
pub(crate) trait Takes {
    /// Adds what it says of the operation.
    fn describe(operation: &mut Operation);
}

/// An answer of a handler.
pub(crate) trait Gives {
    /// Adds what it says of the operation.
    fn describe(operation: &mut Operation);
}

/// A handler whose types say what it is.
pub(crate) trait Described<Types> {
    /// What they say.
    fn describe() -> Operation;
}

macro_rules! described {
    ($($argument:ident)*) => {
        impl<F, Answering, Answer, $($argument,)*> Described<($($argument,)*)> for F
        where
            F: Fn($($argument,)*) -> Answering,
            Answering: Future<Output = Result<Answer, Problem>>,
            Answer: Gives,
            $($argument: Takes,)*
        {
            fn describe() -> Operation {
                let mut operation = Operation::default();
                $($argument::describe(&mut operation);)*
                Answer::describe(&mut operation);
                operation
            }
        }
    };
}

described!();
described!(A);
described!(A B);
described!(A B C);
described!(A B C D);
described!(A B C D E);

impl Takes for State<Shared> {
    fn describe(_: &mut Operation) {}
}

impl Takes for Operator {
    fn describe(operation: &mut Operation) {
        operation.access = Access::Operator;
    }
}

impl<P: Permission> Takes for OrgCaller<P> {
    fn describe(operation: &mut Operation) {
        operation.access = Access::Scope(P::SCOPE);
    }
}

impl Takes for OrgOperator {
    fn describe(operation: &mut Operation) {
        operation.access = Access::Operator;
    }
}

impl Takes for CatalogueReader {
    fn describe(operation: &mut Operation) {
        operation.access = Access::Scope(ReadOrg::SCOPE);
    }
}

impl Takes for ChainReader {
    fn describe(operation: &mut Operation) {
        operation.access = Access::Scope(ReadAudit::SCOPE);
    }
}
