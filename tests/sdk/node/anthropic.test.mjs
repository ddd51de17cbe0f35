// The official Anthropic SDK for TypeScript, unmodified but for base URL and key, against the gateway and the emulator;
// and both SDKs across: each against a provider of the other's API. bed.py starts the machine.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, describe, test } from "node:test";
import { pathToFileURL } from "node:url";
import { bed, nothingWentElsewhere, recorded, records, rejects, settled, shows } from "./bed.mjs";

const installed = createRequire(`${bed.testbed}/node/`);
const { default: Anthropic } = await import(pathToFileURL(installed.resolve("@anthropic-ai/sdk")));
const { default: OpenAI } = await import(pathToFileURL(installed.resolve("openai")));

const claude = "anthropic/claude-sonnet-5";
const gpt = "openai/gpt-4o-mini";
const tools = [{ name: "get_weather", input_schema: { type: "object", properties: { city: { type: "string" } } } }];
const hello = "Hello from upstream, café 😀.";

function client(org = "acme", options = {}) {
  const baseURL = bed.base_url.replace(/\/v1$/, "");
  return new Anthropic({ apiKey: bed.api_keys[org], baseURL, maxRetries: 0, timeout: 20_000, ...options });
}

const asked = (content, more = {}) => ({ model: claude, max_tokens: 64, messages: [{ role: "user", content }], ...more });

after(() => {
  for (const record of records()) {
    assert.doesNotMatch(JSON.stringify(record), /td_(live|test)_/, `${record.path} carried our own key`);
    const keys = record.headers.filter(([name]) => /^(authorization|x-api-key)$/i.test(name)).map(([, value]) => value);
    assert.equal(keys.length, 1, `${record.path} carried ${keys.length} keys`);
    const isAnthropics = record.path.startsWith("/v1/messages");
    assert.equal(keys[0] === bed.anthropic_key || keys[0] === bed.wrong_provider_key, isAnthropics, record.path);
  }
  nothingWentElsewhere();
});

describe("Anthropic's Messages", () => {
  shows("@anthropic-ai/sdk", "Messages", "anthropic", "chat", async () => {
    const mark = await settled();
    const answer = await client().messages.create(asked("say hello", { system: "be kind" }));
    assert.equal(answer.content[0].text, hello);
    assert.deepEqual([answer.usage.input_tokens, answer.usage.output_tokens], [11, 7]);
    const sent = await recorded(mark);
    assert.equal(sent.path, "/v1/messages");
    assert.deepEqual([sent.json.model, sent.json.system], ["claude-sonnet-5", "be kind"]);
  });

  shows("@anthropic-ai/sdk", "Messages", "anthropic", "tools", async () => {
    const answer = await client().messages.create(asked("weather in Paris", { tools }));
    const call = answer.content.find((block) => block.type === "tool_use");
    assert.deepEqual([answer.stop_reason, call.input.city], ["tool_use", "Paris"]);
    const result = { type: "tool_result", tool_use_id: call.id, content: "21 degrees" };
    const messages = [{ role: "user", content: "weather in Paris" }, { role: "assistant", content: answer.content },
      { role: "user", content: [result] }];
    const told = await client().messages.create(asked("", { tools, messages }));
    assert.equal(told.content[0].text, "It is 21 degrees in Paris.");
  });

  test("counting tokens", async () => {
    const { model, messages } = asked("one two three");
    assert.equal((await client().messages.countTokens({ model, messages })).input_tokens, 3);
  });

  test("models", async () => {
    const ids = [];
    for await (const model of client().models.list()) ids.push(model.id);
    assert.ok(ids.includes(claude) && ids.includes(gpt));
  });

  shows("@anthropic-ai/sdk", "Messages", "anthropic", "stream", async () => {
    const stream = client().messages.stream(asked("answer at length"));
    let text = "", pieces = 0;
    stream.on("text", (piece) => { text += piece; pieces += 1; });
    const answer = await stream.finalMessage();
    assert.ok(text.startsWith("one two three") && text.endsWith("sixteen") && pieces > 8, text);
    assert.deepEqual([answer.stop_reason, answer.usage.output_tokens], ["end_turn", 16]);
  });

  test("a streamed tool call", async () => {
    const answer = await client().messages.stream(asked("weather in Paris", { tools })).finalMessage();
    assert.equal(answer.content[0].input.city, "Paris");
  });

  test("streamed thinking with its signature", async () => {
    const thinking = { type: "enabled", budget_tokens: 1024 };
    const answer = await client().messages.stream(asked("think it over", { max_tokens: 2048, thinking })).finalMessage();
    assert.ok(answer.content[0].signature.endsWith("ds+/="));
    assert.equal(answer.content[1].text, "The GCD is 21.");
  });

  test("streams that break off or fail are no answers", async () => {
    await rejects(Anthropic.APIError, client().messages.stream(asked("break off")).finalMessage());
    const model = "anthropic/scripted-529-in-stream";
    const error = await rejects(Anthropic.APIError, client().messages.stream(asked("say hello", { model })).finalMessage());
    assert.match(error.message, /overloaded_error/);
  });
});

describe("refusals and errors", () => {
  const send = (org, more = {}, options = {}) => () => client(org, options).messages.create(asked("say hello", more));

  test("Top Dog's own, in Anthropic's shape", async () => {
    for (const [request, kind, type, code] of [
      [send("acme", {}, { apiKey: "wrong" }), Anthropic.AuthenticationError, "authentication_error", "invalid_api_key"],
      [send("bare"), Anthropic.PermissionDeniedError, "permission_error", "no_provider_key"],
      [send("limits"), Anthropic.PermissionDeniedError, "permission_error", "tier_limit"],
      [send("acme", { model: "claude-sonnet-55" }), Anthropic.NotFoundError, "not_found_error", "model_not_found"],
      [send("acme", { model: 7 }), Anthropic.BadRequestError, "invalid_request_error", "invalid_type"],
    ]) {
      const { error, headers } = await rejects(kind, request());
      assert.deepEqual([error.type, error.error.type, error.error.code], ["error", type, code]);
      assert.equal(error.request_id, headers.get("x-request-id"));
    }
  });

  shows("@anthropic-ai/sdk", "Messages", "anthropic", "errors", async () => {
    const limited = await rejects(Anthropic.RateLimitError, client().messages.create(asked("fail with 429")));
    assert.equal(limited.headers.get("retry-after"), "7");
    await rejects(Anthropic.BadRequestError, client().messages.create(asked("fail with 400")));
    await rejects(Anthropic.AuthenticationError, send("globex")());
    const full = await rejects(Anthropic.InternalServerError, send("acme", { model: "anthropic/scripted-529" })());
    assert.deepEqual([full.status, full.error.error.type], [529, "overloaded_error"]);
  });
});

describe("across", () => {
  shows("@anthropic-ai/sdk", "Messages", gpt, ["chat", "stream", "tools", "errors"], async () => {
    const mark = await settled();
    const answer = await client().messages.create(asked("say hello", { model: gpt }));
    assert.deepEqual([answer.content[0].text, answer.usage.output_tokens], [hello, 7]);
    assert.equal((await recorded(mark)).path, "/v1/chat/completions");
    const streamed = await client().messages.stream(asked("answer at length", { model: gpt })).finalMessage();
    assert.ok(streamed.content[0].text.endsWith("sixteen") && streamed.usage.output_tokens === 16);
    const called = await client().messages.stream(asked("weather in Paris", { model: gpt, tools })).finalMessage();
    assert.deepEqual([called.stop_reason, called.content.at(-1).input.city], ["tool_use", "Paris"]);
    await rejects(Anthropic.RateLimitError, client().messages.create(asked("fail with 429", { model: gpt })));
    await rejects(Anthropic.APIError, client().messages.stream(asked("break off", { model: gpt })).finalMessage());
  });

  shows("openai", "chat completions", claude, ["chat", "stream", "tools", "errors"], async () => {
    const openai = new OpenAI({ apiKey: bed.api_keys.acme, baseURL: bed.base_url, maxRetries: 0, timeout: 20_000 });
    const chat = (content, more = {}) => openai.chat.completions.create({ model: claude, messages: [{ role: "user", content }], ...more });
    const mark = await settled();
    assert.equal((await chat("say hello")).choices[0].message.content, hello);
    assert.equal((await recorded(mark)).path, "/v1/messages");
    let text = "";
    for await (const chunk of await chat("answer at length", { stream: true })) text += chunk.choices[0]?.delta?.content ?? "";
    assert.ok(text.endsWith("sixteen"), text);
    const functions = tools.map(({ name, input_schema }) => ({ type: "function", function: { name, parameters: input_schema } }));
    const called = await chat("weather in Paris", { tools: functions });
    assert.equal(JSON.parse(called.choices[0].message.tool_calls[0].function.arguments).city, "Paris");
    await rejects(OpenAI.RateLimitError, chat("fail with 429"));
    await rejects(OpenAI.APIError, (async () => { for await (const _ of await chat("break off", { stream: true })); })());
  });
});
