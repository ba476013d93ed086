// The official Node SDKs as clients, driven by test_node_sdks.py: one JSON command a line on standard
// input, one JSON answer a line on standard output. A command is
//   {sdk: "openai" | "responses" | "anthropic", base_url, key, do, beta, retries, request}; `do` is a name below,
// an answer {value} or {error: {name, status, body, message}}, with `sent` (the requests that the
// SDK made of it, retries included) and `headers` (of the last answer). The first argument is the
// folder that holds node_modules.

import { createRequire } from "node:module";
import path from "node:path";
import { createInterface } from "node:readline";

const require = createRequire(path.join(process.argv[2], "package.json"));
const { default: OpenAI } = require("openai");
const { default: Anthropic } = require("@anthropic-ai/sdk");
const { betaTool } = require("@anthropic-ai/sdk/helpers/beta/json-schema");

const asks = {
  async openai(client, request) {
    if (!request.stream) return { final: await client.chat.completions.create(request), events: [] };
    const events = [];
    const stream = client.chat.completions.stream(request);
    // Each as it came: the helper goes on writing into its snapshot.
    stream.on("chunk", (chunk) => events.push(structuredClone(chunk)));
    return { final: await stream.finalChatCompletion(), events };
  },
  async responses(client, request) {
    if (!request.stream) return { final: await client.responses.create(request), events: [] };
    const events = [];
    const stream = client.responses.stream(request);
    stream.on("event", (event) => events.push(structuredClone(event)));
    return { final: await stream.finalResponse(), events };
  },
  async anthropic(client, request, beta) {
    const messages = beta ? client.beta.messages : client.messages;
    if (!request.stream) return { final: await messages.create(request), events: [] };
    const events = [];
    const stream = messages.stream(request);
    stream.on("streamEvent", (event) => events.push(structuredClone(event)));
    return { final: await stream.finalMessage(), events };
  },
};

const does = {
  ask: (client, { sdk, request, beta }) => asks[sdk](client, request, beta),
  embed: async (client, { request }) => await client.embeddings.create(request),
  async models(client) {
    const listed = [];
    for await (const model of client.models.list()) listed.push(model);
    return { listed, first: await client.models.retrieve(listed[0].id) };
  },
  async run_tool(client, { request }) {
    const weather = betaTool({
      name: "get_weather",
      description: "Tell the weather in a city.",
      inputSchema: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
      run: ({ city }) => `${city}: sun`,
    });
    return await client.beta.messages.toolRunner({ ...request, tools: [weather] }).runUntilDone();
  },
};

async function answer(command) {
  const sent = [];
  let headers = {};
  const isOpenAI = command.sdk !== "anthropic";
  const options = {
    baseURL: isOpenAI ? `${command.base_url}/v1` : command.base_url,
    apiKey: command.key,
    timeout: 30_000,
    maxRetries: command.retries,
    fetch: async (url, init) => {
      sent.push({ url: String(url), body: init?.body ? JSON.parse(init.body) : null });
      const response = await fetch(url, init);
      headers = Object.fromEntries(response.headers);
      return response;
    },
  };
  const client = isOpenAI ? new OpenAI(options) : new Anthropic(options);
  try {
    return { value: await does[command.do](client, command), sent, headers };
  } catch (error) {
    const { status = null, error: body = null, message } = error;
    return { error: { name: error.constructor.name, status, body, message }, sent, headers };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(`${JSON.stringify(await answer(JSON.parse(line)))}\n`);
}
