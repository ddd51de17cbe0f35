// Vercel's AI SDK with its packages for both APIs, each with a provider that speaks the same and one that doesn't.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { after, describe } from "node:test";
import { pathToFileURL } from "node:url";
import { bed, nothingWentElsewhere, recorded, rejects, settled, shows } from "./bed.mjs";

const installed = createRequire(`${bed.testbed}/node/`);
const load = (name) => import(pathToFileURL(installed.resolve(name)));
const { APICallError, Output, generateText, isStepCount, jsonSchema, streamText, tool } = await load("ai");
const { createOpenAI } = await load("@ai-sdk/openai");
const { createAnthropic } = await load("@ai-sdk/anthropic");

const place = { apiKey: bed.api_keys.acme, baseURL: bed.base_url };
const openai = createOpenAI(place);
const anthropic = createAnthropic(place);
const apis = [
  ["@ai-sdk/openai", "chat completions", openai.chat],
  ["@ai-sdk/openai", "Responses", openai.responses],
  ["@ai-sdk/anthropic", "Messages", anthropic],
];
const models = ["openai/gpt-4o-mini", "anthropic/claude-sonnet-5"];

const weather = tool({
  description: "now",
  inputSchema: jsonSchema({ type: "object", properties: { city: { type: "string" }, unit: { type: "string" } } }),
  execute: async ({ city }) => `21 degrees in ${city}`,
});

after(nothingWentElsewhere);

for (const [sdk, api, named] of apis) {
  describe(`${sdk}, ${api}`, { skip: bed.direct }, () => {
    for (const name of models) {
      const model = named(name);
      const asked = { model, maxRetries: 0 };

      shows(sdk, api, name, "chat", async () => {
        const answer = await generateText({ ...asked, instructions: "be kind", prompt: "say hello", maxOutputTokens: 64 });
        assert.equal(answer.text, "Hello from upstream, café 😀.");
        assert.deepEqual([answer.usage.inputTokens, answer.usage.outputTokens], [11, 7]);
      });

      shows(sdk, api, name, "stream", async () => {
        const answer = streamText({ ...asked, prompt: "answer in pieces" });
        const pieces = [];
        for await (const piece of answer.textStream) pieces.push(piece);
        assert.match(pieces.join(""), /^one two three .* sixteen$/);
        assert.ok(pieces.length > 4, `${pieces.length} pieces`);
      });

      shows(sdk, api, name, "tools", async () => {
        const tools = { get_weather: weather };
        const answer = await generateText({ ...asked, tools, prompt: "weather in Paris", stopWhen: isStepCount(3) });
        assert.equal(answer.text, "It is 21 degrees in Paris.");
      });

      shows(sdk, api, name, "errors", async () => {
        const error = await rejects(APICallError, generateText({ ...asked, prompt: "fail with 429" }));
        assert.deepEqual([error.statusCode, error.isRetryable], [429, true]);
        assert.match(error.message, /slow down/);
      });

      // Anthropic's package asks for it by a tool where it doesn't know the model, and the emulator calls none.
      if (sdk !== "@ai-sdk/openai") continue;
      shows(sdk, api, name, "structured", async () => {
        const mark = await settled();
        const schema = jsonSchema({
          type: "object", properties: { name: { type: "string" }, age: { type: "number" } },
          required: ["name", "age"], additionalProperties: false,
        });
        const answer = await generateText({ ...asked, prompt: "a person as json", output: Output.object({ schema }) });
        assert.deepEqual(answer.output, { name: "Ada", age: 36 });
        assert.match(JSON.stringify((await recorded(mark)).json), /"age"/, "the provider was told the schema");
      });
    }
  });
}
