import assert from 'node:assert/strict';
import { get, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { errorOf, type TestApi, testApi } from '../testing/api.js';
import { FakeViews } from '../testing/fake-views.js';
import type { StreamMessage } from '../views.js';
import { type StreamClient, StreamHub } from './stream-hub.js';

async function listen(api: TestApi): Promise<number> {
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  return (api.app.server.address() as AddressInfo).port;
}

function open(port: number): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port, path: '/api/stream' }, resolve).on('error', reject);
  });
}

interface Frame {
  readonly event: string;
  readonly data: unknown;
  readonly comment: boolean;
}

async function* frames(response: IncomingMessage): AsyncGenerator<Frame, void, void> {
  let text = '';
  for await (const chunk of response) {
    text += String(chunk);
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const lines = text.slice(0, end).split('\n');
      text = text.slice(end + 2);
      const find = (name: string) => lines.find(line => line.startsWith(name))?.slice(name.length);
      yield {
        event: find('event: ') ?? 'message',
        data: JSON.parse(find('data: ') ?? 'null'),
        comment: lines.some(line => line.startsWith(':')),
      };
    }
  }
}

async function until(source: AsyncGenerator<Frame>, wanted: (frame: Frame) => boolean): Promise<Frame[]> {
  const seen: Frame[] = [];
  for (let next = await source.next(); !next.done; next = await source.next()) {
    seen.push(next.value);
    if (wanted(next.value)) return seen;
  }
  throw new Error(`the stream ended after ${seen.length} frames`);
}

test('over a socket: snapshot, ready, then messages live; the end is noticed', async () => {
  await using api = testApi();
  const response = await open(await listen(api));
  assert.equal(response.headers['content-type'], 'text/event-stream; charset=utf-8');
  assert.match(String(response.headers['content-security-policy']), /default-src 'self'/);
  const stream = frames(response);
  const snapshot = await until(stream, frame => frame.event === 'ready');
  const kinds = snapshot.slice(0, -1).map(frame => (frame.data as StreamMessage).kind);
  assert.deepEqual(kinds.slice(0, 2), ['gateways', 'ledger']);
  api.views.tell({ gateway: 'gw-cold-1', kind: 'gap', text: 'rows lost at a kill' });
  const [live] = await until(stream, () => true);
  assert.ok(live);
  assert.equal(live.event, 'message');
  assert.equal((live.data as StreamMessage).kind, 'event');
  assert.equal(api.views.listeners, 1);
  response.destroy();
  while (api.views.listeners > 0) await new Promise(resolve => setTimeout(resolve, 5));
});

test('a heartbeat comes while nothing happens', async () => {
  await using api = testApi({ stream: { heartbeatMs: 20 } });
  const response = await open(await listen(api));
  const seen = await until(frames(response), frame => frame.event === 'heartbeat');
  assert.equal(seen.at(-1)?.comment, true);
  response.destroy();
});

test('close() ends open streams', async () => {
  const api = testApi();
  const response = await open(await listen(api));
  const ended = new Promise(resolve =>
    response
      .on('close', resolve)
      .on('error', () => {})
      .resume(),
  );
  await api.app.close();
  await ended;
  assert.equal(api.views.listeners, 0);
});

test('more pages than allowed are told so', async () => {
  await using api = testApi({ stream: { maxClients: 1 } });
  const response = await open(await listen(api));
  await until(frames(response), frame => frame.event === 'ready');
  errorOf(await api.get('/api/stream'), 503);
  response.destroy();
});

test('all pages share one subscription; a slow one is dropped, the others go on', () => {
  const views = new FakeViews();
  const hub = new StreamHub(views, { maxClients: 4, maxPendingBytes: 1000 });
  const [fast, slow] = [fakeClient(), fakeClient()];
  hub.add(fast);
  hub.add(slow);
  assert.equal(views.listeners, 1);
  slow.pending = 1001;
  views.tell({ gateway: 'gw-cold-1', kind: 'gap', text: 'one' });
  assert.equal(slow.dropped, true);
  assert.equal(fast.dropped, false);
  assert.match(fast.written.at(-1) ?? '', /"text":"one"/);
  assert.doesNotMatch(slow.written.join(''), /"text":"one"/);
  hub.remove(fast);
  assert.equal(views.listeners, 0);
});

function fakeClient() {
  const client: StreamClient & { pending: number; dropped: boolean; written: string[] } = {
    pending: 0,
    dropped: false,
    written: [],
    write: text => void client.written.push(text),
    drop: () => {
      client.dropped = true;
    },
  };
  return client;
}
