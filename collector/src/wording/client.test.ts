import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { type Behaviour, completion, LlmServer, sendJson } from '../testing/llm-server.js';
import { LlmClient } from './client.js';
import { llmConfig } from './config.js';
import { type FailureKind, LlmFailure } from './failure.js';

const prompt = {
  system: 'Be plain.',
  user: '{"device":"D1"}',
  schema: { type: 'object', additionalProperties: false },
};
const never = new AbortController().signal;
const secretKey = 'sk-do-not-tell';
process.env.EDGEWARD_TEST_LLM_KEY = secretKey;

function clientOf(url: string, more: Record<string, unknown> = {}) {
  const given = { provider: 'openai', model: 'tiny', key: { env: 'EDGEWARD_TEST_LLM_KEY' }, url, ...more };
  return new LlmClient(
    { ...llmConfig.parse(given), ...(more.timeoutMs ? {} : { timeoutMs: 5000 }) },
    systemClock,
  );
}

async function failureOf(client: LlmClient, stop = never): Promise<LlmFailure> {
  try {
    const { value } = await client.ask(prompt, stop);
    throw new Error(`answered ${JSON.stringify(value)}`);
  } catch (error) {
    if (!(error instanceof LlmFailure)) throw error;
    assert.ok(!error.message.includes(secretKey));
    return error;
  }
}

test('chat completions: question, schema and key as they want them; the answer and its tokens', async t => {
  const server = await LlmServer.start(t, (_, response) => sendJson(response, completion({ summary: 'x' })));
  const answer = await clientOf(`${server.url}/v1/`, { temperature: 0 }).ask(prompt, never);
  assert.deepEqual(answer, { value: { summary: 'x' }, tokens: 1000 });
  const [received] = server.received;
  assert.equal(`${received!.method} ${received!.path}`, 'POST /v1/chat/completions');
  assert.equal(received!.headers.authorization, `Bearer ${secretKey}`);
  assert.deepEqual(JSON.parse(received!.text), {
    model: 'tiny',
    messages: [
      { role: 'system', content: prompt.system },
      { role: 'user', content: prompt.user },
    ],
    max_tokens: 2000,
    stream: false,
    temperature: 0,
    response_format: {
      type: 'json_schema',
      json_schema: { name: 'wording', strict: true, schema: prompt.schema },
    },
  });
});

test('chat completions of servers that know no schema, and of those without a key', async t => {
  const server = await LlmServer.start(t, (_, response) => sendJson(response, completion({})));
  await clientOf(server.url, { format: 'object', key: undefined }).ask(prompt, never);
  await clientOf(server.url, { format: 'none' }).ask(prompt, never);
  const [object, none] = server.received.map(({ text }) => JSON.parse(text));
  assert.deepEqual(object.response_format, { type: 'json_object' });
  assert.equal(none.response_format, undefined);
  assert.equal(server.received[0]!.headers.authorization, undefined);
});

test('Gemini: key in a header and never in the address; thoughts are no part of the answer', async t => {
  const server = await LlmServer.start(t, (_, response) =>
    sendJson(response, {
      candidates: [
        {
          content: { parts: [{ text: 'hm', thought: true }, { text: '{"sum' }, { text: 'mary":"x"}' }] },
          finishReason: 'STOP',
        },
      ],
      usageMetadata: { totalTokenCount: 7 },
    }),
  );
  const client = clientOf(`${server.url}/v1beta`, { provider: 'gemini', model: 'gemini-flash' });
  assert.deepEqual(await client.ask(prompt, never), { value: { summary: 'x' }, tokens: 7 });
  const [received] = server.received;
  assert.equal(received!.path, '/v1beta/models/gemini-flash:generateContent');
  assert.equal(received!.headers['x-goog-api-key'], secretKey);
  const body = JSON.parse(received!.text);
  assert.equal(body.contents[0].parts[0].text, prompt.user);
  assert.deepEqual(body.generationConfig.responseSchema, { type: 'object' });
});

test('Anthropic: the answer is the input of the tool that it must call', async t => {
  const server = await LlmServer.start(t, (_, response) =>
    sendJson(response, {
      content: [
        { type: 'text', text: 'Here it is.' },
        { type: 'tool_use', id: 't', name: 'wording', input: { summary: 'x' } },
      ],
      stop_reason: 'tool_use',
      usage: { input_tokens: 4, output_tokens: 3 },
    }),
  );
  const client = clientOf(server.url, { provider: 'anthropic' });
  assert.deepEqual(await client.ask(prompt, never), { value: { summary: 'x' }, tokens: 7 });
  const [received] = server.received;
  assert.equal(received!.path, '/messages');
  assert.equal(received!.headers['x-api-key'], secretKey);
  assert.equal(received!.headers['anthropic-version'], '2023-06-01');
  const body = JSON.parse(received!.text);
  assert.deepEqual(body.tool_choice, { type: 'tool', name: 'wording' });
  assert.deepEqual(body.tools[0].input_schema, prompt.schema);
});

test('models that were cut short or would not answer, of each provider', async t => {
  const server = await LlmServer.start(t, () => undefined);
  const cases: [string, unknown, FailureKind][] = [
    ['openai', completion('{"summary":"K', { finish_reason: 'length' }), 'cut'],
    ['openai', completion('{"summary":"K'), 'cut'],
    ['openai', completion('Sure! Here is your summary.'), 'cut'],
    ['openai', completion('{}', { finish_reason: 'content_filter' }), 'refused'],
    ['openai', completion('', { message: { content: null, refusal: 'I cannot.' } }), 'refused'],
    ['openai', { choices: [] }, 'unreadable'],
    ['openai', { error: { message: 'no' } }, 'unreadable'],
    ['openai', null, 'unreadable'],
    ['gemini', { candidates: [{ finishReason: 'MAX_TOKENS' }] }, 'cut'],
    ['gemini', { candidates: [{ finishReason: 'SAFETY' }] }, 'refused'],
    ['gemini', { promptFeedback: { blockReason: 'OTHER' } }, 'refused'],
    ['gemini', { candidates: 'x' }, 'unreadable'],
    ['anthropic', { content: [], stop_reason: 'max_tokens' }, 'cut'],
    ['anthropic', { content: [], stop_reason: 'refusal' }, 'refused'],
    ['anthropic', { content: [{ type: 'text', text: 'No.' }], stop_reason: 'end_turn' }, 'refused'],
    ['anthropic', {}, 'unreadable'],
  ];
  for (const [provider, json, kind] of cases) {
    server.behaviour = (_, response) => sendJson(response, json);
    const failure = await failureOf(clientOf(server.url, { provider }));
    assert.equal(failure.kind, kind, `${provider} ${JSON.stringify(json)}`);
  }
});

test('servers that fail, lie about what they send, send too much, hang, or point elsewhere', async t => {
  const elsewhere = await LlmServer.start(t, (_, response) => sendJson(response, completion({})));
  const json = { 'content-type': 'application/json' };
  const cases: [string, Behaviour, FailureKind, number?][] = [
    ['500', (_, response) => sendJson(response, {}, 500), 'server'],
    ['401', (_, response) => sendJson(response, { error: secretKey }, 401), 'denied'],
    ['429', (_, response) => response.writeHead(429, { 'retry-after': '7' }).end(), 'limited', 7000],
    ['429 for years', (_, response) => response.writeHead(429, { 'retry-after': '9e9' }).end(), 'limited'],
    ['503', (_, response) => response.writeHead(503, { 'retry-after': '2' }).end(), 'server', 2000],
    [
      'html',
      (_, response) => response.writeHead(200, { 'content-type': 'text/html' }).end('{}'),
      'unreadable',
    ],
    ['garbage', (_, response) => response.writeHead(200, json).end('{"choices": [}'), 'unreadable'],
    ['nothing', (_, response) => response.writeHead(200, json).end(), 'unreadable'],
    [
      'endless',
      (_, response) => {
        response.writeHead(200, json);
        const more = () => {
          while (!response.destroyed && response.write(' '.repeat(65_536)));
          if (!response.destroyed) response.once('drain', more);
        };
        more();
      },
      'unreadable',
    ],
    ['redirect', (_, response) => response.writeHead(307, { location: elsewhere.url }).end(), 'server'],
    ['hang up', (_, response) => response.destroy(), 'unreachable'],
  ];
  const server = await LlmServer.start(t, () => undefined);
  for (const [name, behaviour, kind, retryAfterMs] of cases) {
    server.behaviour = behaviour;
    const failure = await failureOf(clientOf(server.url));
    assert.equal(failure.kind, kind, name);
    assert.equal(failure.retryAfterMs, retryAfterMs, name);
  }
  assert.equal(elsewhere.received.length, 0, 'the key went to no other server');
});

test('one that hangs, before the head or within the body, is left in time; so is one when all ends', {
  timeout: 30_000,
}, async t => {
  const server = await LlmServer.start(t, () => undefined);
  const config = llmConfig.parse({ provider: 'openai', model: 'tiny', url: server.url });
  const client = new LlmClient({ ...config, timeoutMs: 100 }, systemClock);
  assert.equal((await failureOf(client)).kind, 'timeout');
  server.behaviour = (_, response) => {
    response.writeHead(200, { 'content-type': 'application/json' }).write('{"choices"');
  };
  assert.equal((await failureOf(client)).kind, 'timeout');
  const stop = new AbortController();
  server.behaviour = () => stop.abort();
  assert.equal((await failureOf(clientOf(server.url, { timeoutMs: 60_000 }), stop.signal)).kind, 'timeout');
});

test('no server there, no key where it should be', async t => {
  const server = await LlmServer.start(t, () => undefined);
  assert.equal((await failureOf(clientOf('http://127.0.0.1:9'))).kind, 'unreachable');
  const noKey = clientOf(server.url, { key: { env: 'EDGEWARD_TEST_NO_SUCH' } });
  assert.equal((await failureOf(noKey)).kind, 'denied');
  assert.equal(server.received.length, 0);
});

test('addresses: https unless it is this machine, and nothing but an address', () => {
  const faultOf = (url: string) =>
    llmConfig.safeParse({ provider: 'openai', model: 'm', url }).error?.issues[0]?.message;
  assert.match(faultOf('http://10.0.0.7/v1')!, /Remedy: write https/);
  assert.match(faultOf('https://me:pass@llm.example/v1')!, /put the key under key/);
  assert.match(faultOf('https://llm.example/v1?key=abc')!, /put the key under key/);
  assert.ok(faultOf('file:///etc/passwd'));
  for (const url of [
    'http://127.0.0.1:8080/v1',
    'http://localhost:11434/v1',
    'http://[::1]/v1',
    'https://x.example',
  ])
    assert.equal(faultOf(url), undefined, url);
  assert.equal(llmConfig.parse({ provider: 'anthropic', model: 'm' }).url, 'https://api.anthropic.com/v1');
  assert.match(
    llmConfig.safeParse({ provider: 'openai', model: 'm', key: 'sk-123' }).error!.issues[0]!.message,
    /does not stand in the configuration/,
  );
});
