//! Any exchange, as generators of the model, of what a [`Scope`] can say. What still can't be said in one
//! case its writer tells, and the proof skips that case (and fails if those are many).

use crate::scope::Scope;
use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;
use topdog_domain::usage::TokenUsage;
use topdog_wire::translate::Dialect;
use topdog_wire::translate::model::*;

/// Those of the choices that the scope has; the first is one that all have.
fn one_of<T: std::fmt::Debug + Clone + 'static>(
    choices: Vec<(bool, BoxedStrategy<T>)>,
) -> impl Strategy<Value = T> {
    let choices = choices.into_iter().filter(|(is_had, _)| *is_had).map(|(_, choice)| choice);
    proptest::strategy::Union::new(choices)
}

fn only<T: std::fmt::Debug + Clone + 'static>(
    is_had: bool,
    some: impl Strategy<Value = T> + 'static,
) -> BoxedStrategy<Option<T>> {
    if is_had { of(some).boxed() } else { Just(None).boxed() }
}

type Cow = std::borrow::Cow<'static, str>;

fn text() -> impl Strategy<Value = Cow> {
    // Never blank: one dialect refuses such texts.
    prop_oneof!["[a-z]{1,8}", "x[ -~]{0,20}", "x\\PC{0,10}", Just("\u{1f436}\n\t\"\\\u{0}\u{1}/".to_owned()),]
        .prop_map(Cow::Owned)
}

fn word() -> impl Strategy<Value = Cow> {
    "[a-zA-Z][a-zA-Z0-9_-]{0,10}".prop_map(Cow::Owned)
}

/// A name that every dialect takes.
fn label() -> impl Strategy<Value = Cow> {
    "[a-z]{1,8}".prop_map(Cow::Owned)
}

fn object() -> impl Strategy<Value = Raw<'static>> {
    prop_oneof![
        Just("{}".to_owned()),
        Just(r#"{"z":1.50,"a":[null,1e3,{"é":"\u00e9"}]}"#.to_owned()),
        "[a-z]{1,5}".prop_map(|word| format!("{{ \"{word}\" : [true, \"{word}\"] }}")),
    ]
    .prop_map(|json| Raw::object(json.into()).unwrap())
}

fn made<T>(value: T) -> Field<T> {
    Field::made(value)
}

fn native(scope: Scope, kind: &'static str) -> impl Strategy<Value = Native<'static>> {
    word().prop_map(move |word| {
        let json = match scope.dialect {
            Dialect::BedrockConverse => format!("{{\"{kind}\":{{\"x\":\"{word}\"}}}}"),
            _ => format!("{{\"type\":\"{kind}\",\"x\":\"{word}\"}}"),
        };
        Native {
            owner: scope.maker,
            name: "".into(),
            value: Raw::object(json.into()).unwrap(),
            at: Spot::NOWHERE,
        }
    })
}

fn cache(scope: Scope) -> BoxedStrategy<Option<CacheMark>> {
    let mut times = vec![None];
    if scope.has_chats() {
        times.extend([Some(CacheTtl::ThirtyMinutes), Some(CacheTtl::TwelveHours)]);
    }
    if scope.has_claudes_marks() {
        times.extend([Some(CacheTtl::FiveMinutes), Some(CacheTtl::OneHour)]);
    }
    let mark = prop::sample::select(times).prop_map(|ttl| CacheMark { ttl, at: Spot::NOWHERE });
    only(scope.has_cache_marks(), mark)
}

/// Marks on what is no text.
fn mark(scope: Scope) -> BoxedStrategy<Option<CacheMark>> {
    if scope.has_claudes_marks() { cache(scope) } else { Just(None).boxed() }
}

fn plain(scope: Scope) -> impl Strategy<Value = Text<'static>> {
    (text(), cache(scope)).prop_map(|(text, cache)| Text {
        text,
        citations: Vec::new(),
        seal: None,
        cache,
        at: Spot::NOWHERE,
    })
}

fn media(scope: Scope) -> impl Strategy<Value = Media<'static>> {
    let picture = one_of(vec![(true, base64("image/png").boxed()), (scope.has_addresses(), url().boxed())]);
    let image = (picture, only(scope.has_chats(), detail()))
        .prop_map(|(source, detail)| (MediaKind::Image, source, detail, None));
    let kept = one_of(vec![
        (true, base64("application/pdf").boxed()),
        (scope.is_own() && scope.has_addresses(), stored(scope).boxed()),
    ]);
    let title = if scope.has_addresses() { text().boxed() } else { label().boxed() };
    let document =
        (kept, title).prop_map(|(source, title)| (MediaKind::Document, source, None, Some(made(title))));
    let sound = prop_oneof![base64("audio/wav"), base64("audio/mpeg")]
        .prop_map(|source| (MediaKind::Audio, source, None, None));
    let any = one_of(vec![
        (true, image.boxed()),
        (scope.has_files(), document.boxed()),
        (scope.has_chats(), sound.boxed()),
    ]);
    (any, cache(scope)).prop_map(|((kind, source, detail, title), cache)| Media {
        kind,
        source,
        detail,
        title,
        context: None,
        cites: None,
        cache,
        at: Spot::NOWHERE,
    })
}

fn url() -> impl Strategy<Value = Source<'static>> {
    word().prop_map(|word| Source::Url(format!("https://e.com/{word}").into()))
}

fn base64(media_type: &'static str) -> impl Strategy<Value = Source<'static>> {
    "[A-Za-z0-9+/]{4,8}"
        .prop_map(move |data| Source::Base64 { media_type: media_type.into(), data: data.into() })
}

fn stored(scope: Scope) -> impl Strategy<Value = Source<'static>> {
    word().prop_map(move |id| Source::Stored { owner: scope.keeper(), id })
}

fn detail() -> impl Strategy<Value = Field<Detail>> {
    prop::sample::select(vec![Detail::Auto, Detail::Low, Detail::High, Detail::Original]).prop_map(made)
}

fn content(scope: Scope) -> impl Strategy<Value = Content<'static>> {
    one_of(vec![
        (true, plain(scope).prop_map(Content::Text).boxed()),
        (true, media(scope).prop_map(Content::Media).boxed()),
        (scope.is_own(), native(scope, "some_part").prop_map(Content::Native).boxed()),
    ])
}

fn reasoning(scope: Scope) -> BoxedStrategy<AssistantPart<'static>> {
    if scope.has_summaries() {
        return openais_reasoning().boxed();
    }
    if !scope.has_seals() {
        return bare_reasoning(false).boxed();
    }
    let data = "[A-Za-z0-9+/]{4,12}={0,2}";
    let signed = (prop_oneof![text(), Just("".into())], data)
        .prop_map(|(text, data)| (text, SealKind::Signature, data));
    let withheld = data.prop_map(|data| ("".into(), SealKind::Encrypted, data));
    let sealed = one_of(vec![(true, signed.boxed()), (scope.has_withheld_reasoning(), withheld.boxed())]);
    let sealed = sealed.prop_map(move |(text, kind, data): (Cow, _, String)| {
        let is_bedrocks = scope.maker == Maker::Bedrock && kind == SealKind::Encrypted;
        let maker = match scope.is_geminis() {
            true => Maker::Gemini,
            false if is_bedrocks => Maker::Bedrock,
            false => Maker::Anthropic,
        };
        let is_summary = scope.is_geminis() && kind == SealKind::Signature;
        let seal = Some(Seal { maker, kind, data: data.into() });
        AssistantPart::Reasoning(Reasoning { text, is_summary, seal, id: None, at: Spot::NOWHERE })
    });
    sealed.boxed()
}

fn bare_reasoning(is_summary: bool) -> impl Strategy<Value = AssistantPart<'static>> {
    text().prop_map(move |text| {
        AssistantPart::Reasoning(Reasoning { text, is_summary, seal: None, id: None, at: Spot::NOWHERE })
    })
}

/// A summary or nothing, with the whole sealed beside it.
fn openais_reasoning() -> impl Strategy<Value = AssistantPart<'static>> {
    (of(text()), "[A-Za-z0-9+/]{4,12}={0,2}", of("rs_[a-z]{4}")).prop_map(|(text, data, id)| {
        let is_summary = text.is_some();
        let seal = Some(Seal { maker: Maker::OpenAi, kind: SealKind::Encrypted, data: data.into() });
        let (text, id) = (text.unwrap_or_default(), id.map(Cow::from));
        AssistantPart::Reasoning(Reasoning { text, is_summary, seal, id, at: Spot::NOWHERE })
    })
}

/// Reasoning, where it can be sent back in any form.
fn some_reasoning(scope: Scope, most: usize) -> BoxedStrategy<Vec<AssistantPart<'static>>> {
    if scope.has_summaries() || scope.has_seals() || scope.has_bare_reasoning() {
        vec(reasoning(scope), 0..=most).boxed()
    } else {
        Just(Vec::new()).boxed()
    }
}

fn call(scope: Scope) -> impl Strategy<Value = AssistantPart<'static>> {
    let broken = prop::sample::select(vec!["{\"a\": ", "[1]", "not json"]);
    let arguments = one_of(vec![
        (true, object().prop_map(Arguments::Object).boxed()),
        (true, broken.prop_map(|text| Arguments::Broken(text.into())).boxed()),
        (scope.has_custom_tools(), text().prop_map(Arguments::Free).boxed()),
    ]);
    let seal = "[A-Za-z0-9+/]{4,8}".prop_map(|data| Seal {
        maker: Maker::Gemini,
        kind: SealKind::Signature,
        data: data.into(),
    });
    (word(), word(), arguments, mark(scope), only(scope.has_chats(), seal)).prop_map(
        |(id, name, arguments, cache, seal)| {
            AssistantPart::ToolCall(ToolCall { id, name, arguments, seal, cache, at: Spot::NOWHERE })
        },
    )
}

/// Reasoning and texts in any order, calls behind them: the order that both dialects have.
fn assistant(scope: Scope) -> impl Strategy<Value = Vec<AssistantPart<'static>>> {
    let text = plain(scope).prop_map(move |text| {
        let cache = text.cache.filter(|_| scope.has_marks_on_answers());
        AssistantPart::Text(Text { cache, ..text })
    });
    let said = (text, some_reasoning(scope, 1), any::<bool>()).prop_map(|(text, reasoning, is_first)| {
        if is_first { [reasoning, vec![text]].concat() } else { [vec![text], reasoning].concat() }
    });
    let plan = only(scope.has_plans(), bare_reasoning(true));
    (vec(said, 1..3), plan, vec(call(scope), 0..3))
        .prop_map(|(said, plan, calls)| said.into_iter().flatten().chain(plan).chain(calls).collect())
}

fn results(scope: Scope) -> impl Strategy<Value = Turn<'static>> {
    let unmarked = plain(scope).prop_map(move |text| match scope.has_marks_in_results() {
        true => text,
        false => Text { cache: None, ..text },
    });
    let texts = vec(unmarked.prop_map(Content::Text), 1..3);
    let parts = if scope.has_claudes() { vec(content(scope), 0..3).boxed() } else { texts.boxed() };
    let failed = only(scope.has_failed_results(), Just(made(())));
    let result = (word(), parts, failed, mark(scope)).prop_map(|(call_id, parts, is_error, cache)| {
        ToolResult { call_id, parts, is_error, cache, at: Spot::NOWHERE }
    });
    vec(result, 1..3).prop_map(Turn::Tools)
}

/// One exchange: what the user and tools say, what the model answers. So no two turns of a side meet.
fn exchange(scope: Scope) -> impl Strategy<Value = Vec<Turn<'static>>> {
    let name = move || only(scope.has_chats(), text().prop_map(made));
    let user = (vec(content(scope), 1..4), name()).prop_map(|(parts, name)| Turn::User {
        parts,
        name,
        at: made(()),
    });
    let assistant =
        (assistant(scope), name()).prop_map(|(parts, name)| Turn::Assistant { parts, name, at: made(()) });
    let later = (vec(plain(scope), 1..2), Just(Authority::System))
        .prop_map(|(parts, authority)| Turn::Instructions { authority, parts, name: None, at: made(()) });
    let later = only(scope.has_late_instructions(), later);
    (of(results(scope)), user, later, assistant).prop_map(|(results, user, later, assistant)| {
        results.into_iter().chain([user]).chain(later).chain([assistant]).collect()
    })
}

fn turns(scope: Scope) -> impl Strategy<Value = Vec<Turn<'static>>> {
    let first = vec(plain(scope), 1..3).prop_map(|parts| Turn::Instructions {
        authority: Authority::System,
        parts,
        name: None,
        at: made(()),
    });
    (of(first), vec(exchange(scope), 1..3))
        .prop_map(|(first, exchanges)| first.into_iter().chain(exchanges.concat()).collect())
}

fn tool(scope: Scope) -> impl Strategy<Value = Tool<'static>> {
    let strict = any::<bool>().prop_map(move |strict| made(strict || !scope.has_lax_tools()));
    let strict = only(scope.has_strict_tools(), strict);
    let function = (word(), of(text()), object(), strict, mark(scope)).prop_map(
        |(name, description, schema, strict, cache)| {
            Tool::Function(FunctionTool {
                name,
                description,
                schema: Some(schema),
                strict,
                cache,
                at: Spot::NOWHERE,
            })
        },
    );
    let custom = (word(), of(text()), of(object())).prop_map(|(name, description, format)| {
        Tool::Custom(CustomTool { name, description, format, at: Spot::NOWHERE })
    });
    one_of(vec![
        (true, function.boxed()),
        (scope.has_custom_tools(), custom.boxed()),
        (scope.is_own(), native(scope, "web_search").prop_map(Tool::Native).boxed()),
    ])
}

fn choice(scope: Scope) -> impl Strategy<Value = Field<ToolChoice<'static>>> {
    let usual = prop_oneof![Just(ToolChoice::Required), Just(ToolChoice::None)];
    let more = prop_oneof![Just(ToolChoice::Auto), word().prop_map(ToolChoice::Function)];
    let chats = prop_oneof![
        word().prop_map(ToolChoice::Custom),
        (any::<bool>(), vec(word(), 1..3))
            .prop_map(|(is_required, names)| ToolChoice::Allowed { is_required, names }),
    ];
    one_of(vec![
        (true, usual.boxed()),
        (scope.has_every_choice(), more.boxed()),
        (scope.has_custom_tools(), chats.boxed()),
        (scope.has_own_choices(), native(scope, "own_choice").prop_map(ToolChoice::Native).boxed()),
    ])
    .prop_map(made)
}

fn format(scope: Scope) -> impl Strategy<Value = Field<OutputFormat<'static>>> {
    let label = if scope.has_labels() { word().prop_map(Some).boxed() } else { Just(None).boxed() };
    let description = only(scope.has_chats(), text().prop_map(made));
    let strict = only(scope.has_chats(), any::<bool>().prop_map(made));
    let schema = (label, description, object(), strict).prop_map(|(name, description, schema, strict)| {
        OutputFormat::Schema(SchemaFormat { name, description, schema: Some(schema), strict })
    });
    let bare = prop_oneof![Just(OutputFormat::Text), Just(OutputFormat::JsonObject)];
    one_of(vec![(true, schema.boxed()), (scope.has_json_objects(), bare.boxed())]).prop_map(made)
}

fn thinking(scope: Scope) -> impl Strategy<Value = Thinking> {
    let mut all = vec![Effort::Low, Effort::Medium, Effort::High, Effort::XHigh, Effort::Max];
    if scope.has_chats() {
        all.push(Effort::Minimal);
    }
    let effort = prop::sample::select(all).prop_map(made);
    let off = Just(Thinking { mode: Some(made(ThinkingMode::Off)), ..Thinking::default() });
    let shown = only(scope.has_claudes(), any::<bool>().prop_map(made));
    let on = (effort, shown).prop_map(|(effort, is_shown)| Thinking {
        mode: Some(made(ThinkingMode::Adaptive)),
        effort: Some(effort),
        is_shown,
    });
    let mode = |mode| Thinking { mode: Some(made(mode)), ..Thinking::default() };
    let bare = Just(mode(ThinkingMode::Adaptive));
    let budget = (1024u64..4000).prop_map(move |budget| mode(ThinkingMode::Budget(budget)));
    one_of(vec![
        (true, Just(Thinking::default()).boxed()),
        (true, off.boxed()),
        (scope.has_efforts(), on.boxed()),
        (scope.has_bare_thinking(), bare.boxed()),
        (scope.has_budgets(), budget.boxed()),
    ])
}

fn sampling(scope: Scope) -> impl Strategy<Value = Sampling<'static>> {
    let tenths = |most: u8| (1u8..=most).prop_map(|tenths| made(f64::from(tenths) / 10.0));
    let is_chat = scope.has_chats();
    let bias = Just(made(Raw::object("{\"50256\":-100}".into()).unwrap()));
    (
        (
            of(tenths(if is_chat { 20 } else { 10 })),
            of(tenths(9)),
            only(scope.has_top_k(), (1u64..9).prop_map(made)),
        ),
        (
            only(scope.has_penalties(), tenths(if is_chat { 20 } else { 10 })),
            only(is_chat, tenths(20)),
            only(scope.has_seeds(), (if is_chat { i64::MIN } else { 0 }..=i64::MAX).prop_map(made)),
        ),
        vec(text().prop_map(made), if scope.has_stop_texts() { 0..4 } else { 0..1 }),
        (
            only(is_chat, Just(made(2))),
            only(scope.has_logprobs(), Just(made(true))),
            only(is_chat, Just(made(3))),
        ),
        only(is_chat, bias),
    )
        .prop_map(
            |(
                (temperature, top_p, top_k),
                (frequency_penalty, presence_penalty, seed),
                stop,
                more,
                logit_bias,
            )| {
                let (n, logprobs, top_logprobs) = more;
                Sampling {
                    temperature,
                    top_p,
                    top_k,
                    seed,
                    frequency_penalty,
                    presence_penalty,
                    stop,
                    n,
                    logprobs,
                    top_logprobs,
                    logit_bias,
                }
            },
        )
}

fn delivery(scope: Scope) -> impl Strategy<Value = Delivery<'static>> {
    let own = || only(scope.has_chats(), word().prop_map(made));
    let tier = one_of(vec![
        (true, prop_oneof![Just(ServiceTier::Auto), Just(ServiceTier::Standard)].boxed()),
        (scope.has_chats(), Just(ServiceTier::Named("flex".into())).boxed()),
    ]);
    let kept = (
        only(scope.has_chats(), object().prop_map(made)),
        only(scope.has_chats(), any::<bool>().prop_map(made)),
    );
    let tier = only(scope.has_service_tiers(), tier);
    let user = only(scope.has_users(), word());
    let is_stream = any::<bool>().prop_map(move |wanted| wanted && scope.has_all_in_body());
    (is_stream, tier, user, (own(), own(), own()), kept).prop_map(
        move |(
            is_stream,
            tier,
            user,
            (safety_identifier, prompt_cache_key, retention),
            (metadata, store),
        )| Delivery {
            is_stream,
            wants_usage: is_stream || scope.dialect != Dialect::OpenAiChat,
            obfuscation: None,
            service_tier: tier.map(made),
            store,
            metadata,
            user: user.map(made),
            safety_identifier,
            prompt_cache_key,
            prompt_cache_retention: retention,
        },
    )
}

/// Any request that a dialect may be able to say.
pub(crate) fn request(scope: Scope) -> impl Strategy<Value = Request<'static>> {
    let natives = word().prop_map(move |name| Native {
        owner: scope.maker,
        name: format!("own_{name}").into(),
        value: Raw::new("[1, {\"a\":null}]".into()).unwrap(),
        at: Spot::NOWHERE,
    });
    let tools = (vec(tool(scope), 1..3), of(choice(scope)), of(any::<bool>().prop_map(made)));
    let tools =
        if scope.has_calls_without_tools() { of(tools).boxed() } else { tools.prop_map(Some).boxed() };
    (
        turns(scope),
        tools,
        of(format(scope)),
        thinking(scope),
        sampling(scope),
        delivery(scope),
        (
            of((1u64..9999).prop_map(made)),
            only(scope.has_chats(), word().prop_map(made)),
            only(scope.is_own(), natives),
        ),
    )
        .prop_map(
            move |(turns, tools, format, thinking, sampling, delivery, (limit, verbosity, natives))| {
                let (tools, tool_choice, parallel) = tools.unwrap_or_default();
                // Messages has the one only within the other.
                let has_no_place = matches!(
                    tool_choice,
                    None | Some(Field { value: ToolChoice::None | ToolChoice::Native(_), .. })
                );
                let has_place = scope.has_parallel_calls() && (scope.has_chats() || !has_no_place);
                let parallel_tool_calls = parallel.filter(|_| has_place);
                Request {
                    model: if scope.has_all_in_body() { "target-model" } else { "" }.into(),
                    turns,
                    tools,
                    tool_choice,
                    parallel_tool_calls,
                    format,
                    max_tokens: limit.or((scope.dialect == Dialect::Anthropic).then_some(made(4096))),
                    verbosity,
                    modalities: None,
                    thinking,
                    sampling,
                    delivery,
                    natives: natives.into_iter().collect(),
                }
            },
        )
}

/// Any answer that a dialect may be able to say.
pub(crate) fn answer(scope: Scope) -> impl Strategy<Value = Answer<'static>> {
    let one_text = text().prop_map(|text| {
        AssistantPart::Text(Text { text, citations: Vec::new(), seal: None, cache: None, at: Spot::NOWHERE })
    });
    let bare = |part| match part {
        AssistantPart::ToolCall(call) => AssistantPart::ToolCall(ToolCall { cache: None, ..call }),
        other => other,
    };
    let parts =
        (some_reasoning(scope, 2), one_text, some_reasoning(scope, 1), vec(call(scope).prop_map(bare), 0..3))
            .prop_map(|(first, text, second, calls)| [first, vec![text], second, calls].concat());
    let reasons = match scope.dialect {
        Dialect::OpenAiChat => {
            vec![StopReason::End, StopReason::MaxTokens, StopReason::ToolCalls, StopReason::Filtered]
        }
        Dialect::Cohere => vec![
            StopReason::End,
            StopReason::StopText(None),
            StopReason::MaxTokens,
            StopReason::ToolCalls,
            StopReason::Malformed,
            StopReason::Other("TIMEOUT".into()),
        ],
        Dialect::Gemini => {
            vec![StopReason::End, StopReason::MaxTokens, StopReason::Filtered, StopReason::Malformed]
        }
        Dialect::BedrockConverse => vec![
            StopReason::End,
            StopReason::StopText(None),
            StopReason::StopText(Some("END".into())),
            StopReason::MaxTokens,
            StopReason::ContextFull,
            StopReason::ToolCalls,
            StopReason::Filtered,
            StopReason::Malformed,
        ],
        Dialect::OpenAiResponses => vec![StopReason::End, StopReason::MaxTokens, StopReason::Filtered],
        _ => vec![
            StopReason::End,
            StopReason::StopText(Some("END".into())),
            StopReason::MaxTokens,
            StopReason::ContextFull,
            StopReason::ToolCalls,
            StopReason::Refused,
            StopReason::Paused,
        ],
    };
    let stop = prop::sample::select(reasons).prop_map(|reason| Stop { reason, explanation: None });
    let counts = prop::array::uniform6(0u64..1000);
    let names_itself = scope.has_all_in_body() || scope.is_geminis();
    (word(), parts, stop, counts).prop_map(move |(id, parts, stop, [a, b, c, d, e, f])| Answer {
        id: if names_itself { id } else { "".into() },
        model: if scope.has_models_in_answers() || scope.is_geminis() { "m" } else { "" }.into(),
        created: scope.has_dates().then_some(7),
        choices: vec![Choice { index: 0, stop: Some(fitting(scope, stop, &parts)), parts, logprobs: None }],
        usage: Some(Usage {
            tokens: TokenUsage {
                input: a,
                cache_read: b,
                cache_write_5m: if scope.has_fine_usage() && !scope.is_geminis() { c } else { 0 },
                cache_write_1h: if scope.has_dates() || !scope.has_fine_usage() || scope.is_geminis() {
                    0
                } else {
                    d
                },
                output: e,
                reasoning: if scope.has_fine_usage() && scope.dialect != Dialect::BedrockConverse {
                    f
                } else {
                    0
                },
            },
            ..Usage::default()
        }),
        service_tier: None,
        natives: Vec::new(),
    })
}

/// Responses and Gemini say that an answer ended, and not why: it ended with calls or without.
fn fitting(scope: Scope, stop: Stop<'static>, parts: &[AssistantPart<'_>]) -> Stop<'static> {
    let has_calls = parts.iter().any(|part| matches!(part, AssistantPart::ToolCall(_)));
    let is_silent = matches!(scope.dialect, Dialect::OpenAiResponses | Dialect::Gemini);
    let is_over = is_silent && stop.reason == StopReason::End;
    if is_over && has_calls { Stop { reason: StopReason::ToolCalls, ..stop } } else { stop }
}
