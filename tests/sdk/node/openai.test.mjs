// The official OpenAI SDK for JavaScript, unmodified but for base URL and key, against the gateway and the emulator.
// bed.py starts the machine and says where it is in the file that TOPDOG_BED names.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { bed, nothingWentElsewhere, recorded, records, rejects, settled, shows } from "./bed.mjs";

const installed = createRequire(`${bed.testbed}/node/`);
const { default: OpenAI } = await import(pathToFileURL(installed.resolve("openai")));

const chatModel = bed.direct ? "gpt-4o-mini" : "openai/gpt-4o-mini";
const named = (model) => (bed.direct ? model : `openai/${model}`);
const user = (content) => [{ role: "user", content }];

function client(org = "acme", options = {}) {
  return new OpenAI({ apiKey: bed.api_keys[org], baseURL: bed.base_url, maxRetries: 0, timeout: 20_000, ...options });
}

async function gather(stream) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  return { chunks, text: chunks.map((c) => c.choices?.[0]?.delta?.content ?? "").join("") };
}

after(() => {
  const all = records();
  assert.ok(all.length > 0, "nothing reached the upstream at all");
  for (const record of all) {
    assert.doesNotMatch(JSON.stringify(record), /td_(live|test)_/, `${record.path} carried our own key`);
    for (const [name, value] of record.headers) {
      if (name.toLowerCase() === "authorization") assert.match(value, /^Bearer sk-proj-/);
    }
  }
  nothingWentElsewhere();
});

describe("endpoints", () => {
  shows("openai", "chat completions", "openai", "chat", async () => {
    const mark = await settled();
    const answer = await client().chat.completions.create({ model: chatModel, messages: user("say hello") });
    assert.equal(answer.choices[0].message.content, "Hello from upstream, café 😀.");
    assert.equal(answer.usage.total_tokens, 18);
    const sent = await recorded(mark);
    assert.equal(sent.json.model, "gpt-4o-mini");
    const keys = sent.headers.filter(([name]) => name.toLowerCase() === "authorization").map(([, value]) => value);
    assert.deepEqual(keys, [`Bearer ${bed.provider_key}`]);
  });

  shows("openai", "chat completions", "openai", "tools", async () => {
    const tools = [{ type: "function", function: { name: "get_weather", parameters: { type: "object" } } }];
    const answer = await client().chat.completions.create({ model: chatModel, messages: user("weather in Paris"), tools });
    assert.equal(answer.choices[0].finish_reason, "tool_calls");
    assert.equal(JSON.parse(answer.choices[0].message.tool_calls[0].function.arguments).city, "Paris");
  });

  shows("openai", "chat completions", "openai", "structured", async () => {
    const schema = { type: "object", properties: { name: { type: "string" } }, required: ["name"] };
    const answer = await client().chat.completions.parse({
      model: chatModel, messages: user("a person as json"),
      response_format: { type: "json_schema", json_schema: { name: "person", schema, strict: true } },
    });
    assert.deepEqual(JSON.parse(answer.choices[0].message.content), { name: "Ada", age: 36 });
  });

  test("vision input", async () => {
    const mark = await settled();
    const content = [
      { type: "text", text: "what is in this picture" },
      { type: "image_url", image_url: { url: "data:image/png;base64,iVBORw0KGgo=" } },
    ];
    const answer = await client().chat.completions.create({ model: chatModel, messages: user(content) });
    assert.equal(answer.choices[0].message.content, "A small red square.");
    assert.deepEqual((await recorded(mark)).json.messages[0].content, content);
  });

  test("embeddings, as floats and in the SDK's own base64", async () => {
    const model = named("text-embedding-3-small");
    const asked = { model, input: "embed me" };
    const floats = await client().embeddings.create({ ...asked, encoding_format: "float" });
    assert.deepEqual(floats.data[0].embedding, [0.25, -0.5, 0.75, 1]);
    const decoded = await client().embeddings.create(asked);
    assert.deepEqual(decoded.data[0].embedding, [0.25, -0.5, 0.75, 1]);
  });

  shows("openai", "Responses", "openai", "chat", async () => {
    const answer = await client().responses.create({ model: chatModel, input: "say hello" });
    assert.equal(answer.output_text, "Hello from upstream, café 😀.");
  });

  test("models", async () => {
    const ids = [];
    for await (const model of client().models.list()) ids.push(model.id);
    assert.ok(ids.length > 0);
    if (!bed.direct) assert.ok(ids.every((id) => !id.includes("mistral")), "no key for that provider");
  });

  test("moderations", async () => {
    const answer = await client().moderations.create({ model: named("omni-moderation-latest"), input: "a kind word" });
    assert.equal(answer.results[0].flagged, false);
  });

  test("images", async () => {
    const answer = await client().images.generate({ model: named("gpt-image-1"), prompt: "a red square" });
    assert.equal(answer.data[0].b64_json, "iVBORw0KGgo=");
  });

  test("speech", async () => {
    const audio = await client().audio.speech.create({ model: named("tts-1"), voice: "alloy", input: "read this aloud" });
    assert.equal(Buffer.from(await audio.arrayBuffer()).subarray(0, 3).toString(), "ID3");
  });

  test("transcription, a multipart upload", async () => {
    const mark = await settled();
    const file = new File([new Uint8Array(1 << 20).fill(0xff)], "speech.wav", { type: "audio/wav" });
    const answer = await client().audio.transcriptions.create({ model: named("whisper-1"), file });
    assert.equal(answer.text, "the words that were spoken");
    assert.ok((await recorded(mark)).body_bytes > 1 << 20);
  });
});

describe("streams", () => {
  shows("openai", "chat completions", "openai", "stream", async () => {
    const arrivals = [];
    const stream = await client().chat.completions.create({ model: chatModel, messages: user("answer at length"), stream: true });
    for await (const chunk of stream) arrivals.push([performance.now(), chunk]);
    const gaps = arrivals.slice(1).map(([at], i) => at - arrivals[i][0]);
    assert.ok(gaps.filter((gap) => gap > 30).length >= 8, `${gaps.map(Math.round)}`);
  });

  test("a usage chunk only when it was asked for", async () => {
    const asked = { model: chatModel, messages: user("say hello"), stream: true };
    const without = await gather(await client().chat.completions.create(asked));
    assert.equal(without.text, "Hello from upstream, café 😀.");
    assert.ok(without.chunks.every((c) => !c.usage && c.choices.length === 1));
    const options = { stream_options: { include_usage: true } };
    const { chunks } = await gather(await client().chat.completions.create({ ...asked, ...options }));
    assert.equal(chunks.at(-1).usage.total_tokens, 18);
    assert.deepEqual(chunks.at(-1).choices, []);
  });

  test("CRLF, comments and characters split over writes", async () => {
    const asked = { model: named("scripted-odd-sse"), messages: user("say hello"), stream: true };
    assert.equal((await gather(await client().chat.completions.create(asked))).text, "café 😀 done");
  });

  shows("openai", "Responses", "openai", "stream", async () => {
    const kinds = [];
    let text = "";
    for await (const event of await client().responses.create({ model: chatModel, input: "say hello", stream: true })) {
      kinds.push(event.type);
      if (event.type === "response.output_text.delta") text += event.delta;
    }
    assert.equal(text, "Hello from upstream, café 😀.");
    assert.equal(kinds.at(-1), "response.completed");
  });

  test("leaving a stream cancels it upstream", async () => {
    const mark = await settled();
    const stream = await client().chat.completions.create({ model: chatModel, messages: user("answer for ever"), stream: true });
    for await (const chunk of stream) if (chunk.choices[0]?.delta?.content) break;
    const left = Date.now() / 1000;
    const record = await recorded(mark);
    assert.equal(record.outcome, "caller_left");
    assert.ok(record.ended - left < 0.15, `cancelled after ${record.ended - left} s`);
  });

  test("a stream that broke off upstream is an error", { skip: bed.direct }, async () => {
    const asked = { model: chatModel, messages: user("break off"), stream: true };
    await rejects(OpenAI.APIError, (async () => gather(await client().chat.completions.create(asked)))());
  });
});

describe("errors", { skip: bed.direct }, () => {
  const chat = (with_, model = chatModel, text = "say hello", options = {}) =>
    with_.chat.completions.create({ model, messages: user(text) }, options);

  test("AuthenticationError", async () => {
    const error = await rejects(OpenAI.AuthenticationError, chat(client("acme", { apiKey: "td_live_wrong" })));
    assert.equal(error.code, "invalid_api_key");
    assert.equal(error.headers.get("x-topdog-error-source"), "gateway");
    assert.ok(error.requestID);
  });

  test("PermissionDeniedError: scope, provider", async () => {
    assert.equal((await rejects(OpenAI.PermissionDeniedError, chat(client("acme-manager")))).code, "scope_missing");
    const error = await rejects(OpenAI.PermissionDeniedError, chat(client("limits"), "anthropic/claude-sonnet-4-5"));
    assert.equal(error.code, "tier_limit");
    assert.equal(error.error.lifted_by, "PRO");
  });

  test("NotFoundError", async () => {
    const error = await rejects(OpenAI.NotFoundError, chat(client(), "gpt-4o-minny"));
    assert.equal(error.code, "model_not_found");
    assert.match(error.message, /gpt-4o-mini/);
  });

  test("RateLimitError: FREE's third LLM request, even asked for at the same time", async () => {
    const all = await Promise.allSettled(Array.from({ length: 12 }, () => chat(client("free"))));
    assert.equal(all.filter((one) => one.status === "fulfilled").length, 2);
    const refused = all.filter((one) => one.status === "rejected").map((one) => one.reason);
    assert.ok(refused.every((error) => error instanceof OpenAI.RateLimitError), `${refused}`);
    assert.deepEqual([refused[0].error.limit, refused[0].error.allowed], ["llm_requests_per_day", 2]);
  });

  test("BadRequestError: ours and the provider's", async () => {
    const ours = await rejects(OpenAI.BadRequestError, chat(client(), 7));
    assert.equal(ours.headers.get("x-topdog-error-source"), "gateway");
    const theirs = await rejects(OpenAI.BadRequestError, chat(client(), chatModel, "fail with 400"));
    assert.equal(theirs.headers.get("x-topdog-error-source"), "upstream");
    assert.equal(theirs.code, "context_length_exceeded");
  });

  test("InternalServerError: the provider's, and a provider that is not there", async () => {
    const theirs = await rejects(OpenAI.InternalServerError, chat(client(), chatModel, "fail with 500"));
    assert.equal(theirs.status, 500);
    const dead = client("acme", { baseURL: bed.dead_base_url, apiKey: bed.dead_api_key });
    assert.equal((await rejects(OpenAI.InternalServerError, chat(dead))).status, 502);
  });

  shows("openai", "chat completions", "openai", "errors", async () => {
    // It is not tried again behind the caller's back.
    const mark = await settled();
    await rejects(OpenAI.RateLimitError, chat(client(), chatModel, "fail with 429"));
    await recorded(mark);
    assert.equal(await settled(), mark + 1);
  });

  test("APIConnectionTimeoutError and APIUserAbortError reach the provider as a hang-up", async () => {
    const mark = await settled();
    const slow = client("acme", { timeout: 400 });
    await rejects(OpenAI.APIConnectionTimeoutError, chat(slow, "openai/scripted-hang"));
    assert.equal((await recorded(mark)).outcome, "caller_left");
    const aborted = new AbortController();
    const asked = chat(client(), "openai/scripted-hang", "say hello", { signal: aborted.signal });
    setTimeout(() => aborted.abort(), 300);
    await rejects(OpenAI.APIUserAbortError, asked);
    assert.equal((await recorded(mark + 1)).outcome, "caller_left");
  });

  test("APIConnectionError", async () => {
    await rejects(OpenAI.APIConnectionError, chat(client("acme", { baseURL: "http://127.0.0.1:1/v1" })));
  });
});
