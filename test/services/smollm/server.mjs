/** Chat completions over node-llama-cpp, one at a time: `server.mjs WEIGHTS HOST PORT`. */
import { createServer } from 'node:http';
import { getLlama, LlamaChatSession } from 'node-llama-cpp';

const [weights, host, port] = process.argv.slice(2);
const llama = await getLlama({ build: 'never', gpu: false, skipDownload: true, logLevel: 'error' });
const model = await llama.loadModel({ modelPath: weights });
let busy = Promise.resolve();

const server = createServer((request, response) => {
  if (request.method === 'GET') return send(response, 200, { data: [{ id: 'smollm2-135m' }] });
  busy = busy
    .then(async () => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const gone = new AbortController();
      response.once('close', () => gone.abort());
      send(response, 200, await complete(JSON.parse(Buffer.concat(chunks)), gone.signal));
    })
    .catch(error => send(response, 500, { error: { message: String(error) } }));
});
server.listen(Number(port), host);

async function complete({ messages, max_tokens, temperature, response_format }, signal) {
  const context = await model.createContext({ contextSize: 4096, threads: 1 });
  try {
    const [system, user] = ['system', 'user'].map(role => messages.find(one => one.role === role).content);
    const session = new LlamaChatSession({ contextSequence: context.getSequence(), systemPrompt: system });
    const schema = response_format?.json_schema?.schema;
    const grammar = schema && (await llama.createGrammarForJsonSchema(bounded(schema)));
    const options = { maxTokens: max_tokens, temperature: temperature ?? 0, signal, stopOnAbortSignal: true };
    const { responseText, stopReason } = await session.promptWithMeta(user, { ...options, grammar });
    const { usedInputTokens, usedOutputTokens } = session.sequence.tokenMeter;
    return {
      object: 'chat.completion',
      model: 'smollm2-135m',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: responseText },
          finish_reason: stopReason === 'maxTokens' ? 'length' : 'stop',
        },
      ],
      usage: {
        prompt_tokens: usedInputTokens,
        completion_tokens: usedOutputTokens,
        total_tokens: usedInputTokens + usedOutputTokens,
      },
    };
  } finally {
    await context.dispose();
  }
}

/** A model so small repeats itself without end. */
function bounded(schema) {
  if (schema.enum) return schema;
  if (schema.type === 'string') return { ...schema, maxLength: 160 };
  if (schema.type === 'array') return { ...schema, items: bounded(schema.items), minItems: 1, maxItems: 2 };
  const properties = Object.entries(schema.properties).map(([name, one]) => [name, bounded(one)]);
  return { ...schema, properties: Object.fromEntries(properties) };
}

function send(response, status, json) {
  if (response.destroyed) return;
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
}
