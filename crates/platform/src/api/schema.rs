//! Schemas of what `domain` defines: it knows nothing of OpenAPI.

use serde_json::json;
use topdog_domain::api_key::Scope;
use topdog_domain::guardrail::{Action, checked};
use topdog_domain::labels::DataSegment;
use topdog_domain::policy::checked::MOST_RULES;
use topdog_domain::policy::route::{MOST_ROUTES, MOST_TARGETS};
use topdog_domain::provider::Operation;
use topdog_domain::routing::{Balance, Failure};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, SchemaType, Type,
};
use utoipa::openapi::{RefOr, Schema};

/// A whole number, or the word `unlimited`.
pub(crate) fn limit() -> RefOr<Schema> {
    let number = ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0));
    let word = ObjectBuilder::new().schema_type(Type::String).enum_values(Some([json!("unlimited")]));
    RefOr::T(Schema::OneOf(OneOfBuilder::new().item(number).item(word).build()))
}

/// One of the data segments.
pub(crate) fn data_segment() -> Object {
    words(DataSegment::ALL.iter().map(|segment| segment.name()))
}

/// One of the data segments, or null.
pub(crate) fn optional_data_segment() -> Object {
    let mut values: Vec<_> = DataSegment::ALL.iter().map(|s| json!(s.name())).collect();
    values.push(json!(null));
    ObjectBuilder::new()
        .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
        .enum_values(Some(values))
        .build()
}

/// One of the scopes.
pub(crate) fn scope() -> Object {
    words(Scope::ALL.iter().map(|scope| scope.name()))
}

/// Live or test.
pub(crate) fn key_mode() -> Object {
    words(["live", "test"].into_iter())
}

/// A kind of request.
pub(crate) fn operation() -> Object {
    words(Operation::ALL.iter().map(|operation| operation.name()))
}

/// A policy as it is written.
pub(crate) fn policy_document() -> Object {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let patterns = |description: &str| {
        ArrayBuilder::new().items(text()).max_items(Some(MOST_RULES)).description(Some(description))
    };
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "aliases",
            ObjectBuilder::new()
                .schema_type(Type::Object)
                .description(Some("Other names for models: each with a model, or another alias."))
                .additional_properties(Some(text())),
        )
        .property(
            "allow",
            patterns("The only models that may be used: `provider/model`, or `model` for every provider; `*` at the end stands for any rest."),
        )
        .property("deny", patterns("Models that may not be used, as in `allow`."))
        .property(
            "routes",
            ArrayBuilder::new().items(route()).max_items(Some(MOST_ROUTES)).description(Some(
                "Where requests go, and what is tried where that fails; of several that are for a request the first counts.",
            )),
        )
        .property("guardrails", guardrails())
        .property(
            "caps",
            ArrayBuilder::new()
                .items(cap())
                .description(Some("How much may be spent, used or under way: each kind once for each window.")),
        )
        .property("cache", cache())
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
}

/// A route as it is written.
fn route() -> Object {
    let number = |description: &str| {
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(1)).description(Some(description))
    };
    let table = |fields: &[(&str, &str)]| {
        let empty = ObjectBuilder::new().schema_type(Type::Object);
        let full = fields.iter().fold(empty, |table, (name, means)| table.property(*name, number(means)));
        full.additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
    };
    let targets = |description: &str| {
        let text = || ObjectBuilder::new().schema_type(Type::String);
        let told = ObjectBuilder::new()
            .schema_type(Type::Object)
            .property("model", text().description(Some("`provider/model`.")))
            .property(
                "key",
                text().description(Some("The provider key by its name; the newest, if it is left out.")),
            )
            .property("weight", number("Its share of the requests beside the others'; 1, if it is left out."))
            .required("model")
            .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
        let either = OneOfBuilder::new().item(text()).item(told);
        ArrayBuilder::new().items(either).max_items(Some(MOST_TARGETS)).description(Some(description))
    };
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .property(
            "for",
            ArrayBuilder::new()
                .items(ObjectBuilder::new().schema_type(Type::String))
                .max_items(Some(MOST_TARGETS))
                .description(Some(
                    "Patterns of names that are asked for, of aliases on the way, and of models.",
                )),
        )
        .property(
            "targets",
            targets("Where the requests go, one of these first; to the model itself, if there are none."),
        )
        .property(
            "balance",
            words([Balance::Weight, Balance::Latency, Balance::Cost].into_iter().map(Balance::name)),
        )
        .property("fallbacks", targets("Where they go after that, in this order."))
        .property("on", ArrayBuilder::new().items(words(Failure::ALL.iter().map(|failure| failure.name()))))
        .property(
            "retries",
            table(&[
                ("most", "Retries of a target and request, at most."),
                ("budget_percent", "Retries for a hundred requests, at most."),
                ("first_wait_ms", "The first wait, at most."),
                ("longest_wait_ms", "Any wait, at most."),
                ("longest_retry_after_ms", "A target that asks for more is not asked again."),
            ])
            .required("most"),
        )
        .property(
            "timeouts",
            table(&[
                ("attempt_ms", "For an attempt's head."),
                ("first_token_ms", "For the first piece of an attempt's answer."),
                ("idle_ms", "For each further piece."),
                ("total_ms", "For everything."),
            ]),
        )
        .property(
            "breaker",
            table(&[
                ("failures", "A target is left alone after so many failures in a row."),
                ("open_ms", "For so long."),
                ("probes", "Until so many probes in a row went well."),
            ]),
        )
        .property(
            "hedge_after_ms",
            number("Without an answer for so long, a second attempt joins the first."),
        )
        .required("for")
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
}

/// Guardrails as they are written.
fn guardrails() -> Object {
    let text =
        |description: &str| ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    let detectors = ["secret", "email", "phone", "iban", "card", "ipv4", "us_ssn"];
    let rule = ObjectBuilder::new()
        .schema_type(Type::Object)
        .property("name", text("What refusals and metrics call it."))
        .property("action", words(Action::ALL.iter().map(|action| action.name())))
        .property("on", words(["input", "output", "both"].into_iter()))
        .property("detect", ArrayBuilder::new().items(words(detectors.into_iter())))
        .property("keywords", ArrayBuilder::new().items(text("Found in any case.")))
        .property("pattern", text("A regular expression that says how long a match can be."))
        .property("replacement", text("What stands where something was redacted."))
        .required("name")
        .required("action")
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("What of texts may go to a model and come back."))
        .property("max_input_bytes", ObjectBuilder::new().schema_type(Type::Integer))
        .property("rules", ArrayBuilder::new().items(rule).max_items(Some(checked::MOST_RULES)))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
}

/// What a policy says of caching.
fn cache() -> Object {
    let truth =
        |description: &str| ObjectBuilder::new().schema_type(Type::Boolean).description(Some(description));
    let ttl = "How long an answer may be given again, seconds; 0: not at all.";
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("Which answers may be given again; left out: none."))
        .property(
            "ttl_seconds",
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(0))
                .maximum(Some(86_400))
                .description(Some(ttl)),
        )
        .required("ttl_seconds")
        .property("sampled", truth("Also answers that were meant to vary: of any temperature but 0."))
        .property("regulated", truth("Also in regulated segments."))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
}

/// A cap as it is written.
fn cap() -> Object {
    let count = |description: &str| {
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).description(Some(description))
    };
    let dollars = "Dollars at the providers' list prices, such as \"25.50\".";
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some("One of `dollars`, `tokens`, `requests` and `concurrent`."))
        .property("dollars", ObjectBuilder::new().schema_type(Type::String).description(Some(dollars)))
        .property("tokens", count("Tokens of all kinds together."))
        .property("requests", count("Requests that a provider accepted."))
        .property("concurrent", count("Requests under way at a time, on each node."))
        .property("per", words(["minute", "day", "month"].into_iter()))
        .property("unknown_price", words(["refuse", "allow"].into_iter()))
        .additional_properties(Some(AdditionalProperties::<Schema>::FreeForm(false)))
        .build()
}

fn words<'a>(words: impl Iterator<Item = &'a str>) -> Object {
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).build()
}
