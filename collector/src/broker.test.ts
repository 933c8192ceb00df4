/** Who may do what at the broker: by hand-made MQTT 3.1.1 packets, as a gateway that does not behave would send. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { Gate } from '@edgeward/shared/gate';
import { silentLogger } from '@edgeward/shared/log';
import { topicOf } from '@edgeward/shared/topics';
import { Broker, type BrokerOptions } from './broker.js';
import type { Message } from './ingest.js';

const limit = { timeout: 20_000 };

function packet(head: number, ...parts: (Buffer | number)[]): Buffer {
  const body = Buffer.concat(parts.map(part => (typeof part === 'number' ? Buffer.from([part]) : part)));
  assert.ok(body.length < 128);
  return Buffer.concat([Buffer.from([head, body.length]), body]);
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 255]), bytes]);
}

interface Login {
  readonly user?: string;
  readonly password?: string;
  readonly will?: string;
}

/** One connection; `ask` resolves with the broker's next packet, or undefined when it hangs up instead. */
class Client implements Disposable {
  readonly #socket: Socket;
  readonly #changed = new Gate();
  #received = Buffer.alloc(0);

  constructor({ port }: { port: number }) {
    this.#socket = connect({ host: '127.0.0.1', port });
    this.#socket.on('data', bytes => {
      this.#received = Buffer.concat([this.#received, bytes]);
      this.#changed.open();
    });
    this.#socket.on('error', () => undefined);
    this.#socket.on('connect', () => this.#changed.open());
    this.#socket.on('close', () => this.#changed.open());
  }

  login(id: string, { user, password, will }: Login = {}): Promise<Buffer | undefined> {
    const flags = 2 | (will ? 4 : 0) | (password ? 64 : 0) | (user ? 128 : 0);
    const given = [...(will ? [will, 'gone'] : []), ...(user ? [user] : []), ...(password ? [password] : [])];
    return this.#ask(packet(0x10, text('MQTT'), 4, flags, 0, 0, text(id), ...given.map(text)));
  }

  publish(topic: string): Promise<Buffer | undefined> {
    return this.#ask(packet(0x32, text(topic), 0, 1, Buffer.from('hello')));
  }

  async mayRead(topic: string): Promise<boolean> {
    const answer = await this.#ask(packet(0x82, 0, 1, text(topic), 1));
    return answer !== undefined && answer.at(-1) !== 0x80;
  }

  async untilConnected(): Promise<void> {
    while (this.#socket.connecting) await this.#changed.wait();
  }

  async untilGone(): Promise<void> {
    while (!this.#socket.destroyed) await this.#changed.wait();
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  async #ask(request: Buffer): Promise<Buffer | undefined> {
    this.#received = Buffer.alloc(0);
    this.#socket.write(request);
    while (this.#received.length < 4 && !this.#socket.destroyed) await this.#changed.wait();
    return this.#received.length > 0 ? this.#received : undefined;
  }
}

async function open(options: Partial<BrokerOptions> = {}) {
  const [topics, arrived] = [[] as string[], new Gate()];
  const onMessage = ({ gateway, kind }: Message) => {
    topics.push(topicOf(gateway, kind));
    arrived.open();
  };
  const room = async () => undefined;
  const broker = await Broker.open({
    host: '127.0.0.1',
    port: 0,
    users: undefined,
    log: silentLogger,
    room,
    onMessage,
    ...options,
  });
  return { broker, topics, arrived, [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose]() };
}

test('a gateway publishes under its own name only, and only what gateways say', limit, async () => {
  await using at = await open();
  const mine = (['block', 'state', 'reported', 'events'] as const).map(kind => topicOf('gw-1', kind));
  using honest = new Client(at.broker);
  await honest.login('gw-1');
  for (const topic of mine) assert.equal((await honest.publish(topic))?.[0], 0x40, topic);
  const others = [
    topicOf('gw-2', 'block'),
    topicOf('gw-1', 'receipt'),
    topicOf('gw-1', 'desired'),
    'edgeward/v1/gw-1/secret',
    '$SYS/gw-1/new',
    'anything',
  ];
  for (const topic of others) {
    using liar = new Client(at.broker);
    await liar.login('gw-1');
    assert.equal(await liar.publish(topic), undefined, topic);
  }
  assert.deepEqual(at.topics, mine);
});

test('it reads its own receipts and commands, and nothing of others', limit, async () => {
  await using at = await open();
  const reads = async (topic: string) => {
    using client = new Client(at.broker);
    await client.login('gw-1');
    return await client.mayRead(topic);
  };
  for (const kind of ['receipt', 'desired'] as const) assert.ok(await reads(topicOf('gw-1', kind)));
  const others = ['#', '+/+/+/+', 'edgeward/v1/+/receipt', 'edgeward/v1/gw-1/+', '$SYS/#'];
  for (const topic of [...others, topicOf('gw-2', 'receipt'), topicOf('gw-1', 'block')])
    assert.equal(await reads(topic), false, topic);
});

test('a name that is none is turned away', limit, async () => {
  await using at = await open();
  for (const id of ['', '+', 'a/b', '..', '-x', 'ä']) {
    using client = new Client(at.broker);
    const answer = await client.login(id);
    assert.notEqual(answer?.[3], 0, JSON.stringify(id));
  }
});

test('where passwords are set, only the name they belong to gets in with them', limit, async () => {
  const users = new Map([
    ['gw-1', 'one'],
    ['gw-2', 'two'],
  ]);
  await using at = await open({ users });
  const code = async (id: string, login: Login) => {
    using client = new Client(at.broker);
    return (await client.login(id, login))?.[3];
  };
  assert.equal(await code('gw-1', { user: 'gw-1', password: 'one' }), 0);
  const wrong: [string, Login][] = [
    ['gw-1', {}],
    ['gw-1', { user: 'gw-1' }],
    ['gw-1', { user: 'gw-1', password: 'two' }],
    ['gw-1', { user: 'gw-1', password: 'onexx' }],
    ['gw-2', { user: 'gw-1', password: 'one' }],
    ['gw-3', { user: 'gw-3', password: 'one' }],
    ['toString', { user: 'toString', password: 'x' }],
  ];
  for (const [id, login] of wrong) assert.equal(await code(id, login), 4, `${id} ${JSON.stringify(login)}`);
});

test('a last will speaks for its own gateway and for no other', limit, async () => {
  await using at = await open();
  for (const will of [topicOf('gw-2', 'state'), topicOf('gw-1', 'receipt'), topicOf('gw-1', 'state')]) {
    using client = new Client(at.broker);
    await client.login('gw-1', { will });
  }
  while (!at.topics.length) await at.arrived.wait();
  assert.deepEqual(at.topics, [topicOf('gw-1', 'state')]);
});

test('a full collector holds its gateways back, and an end lets them go', limit, async () => {
  const held = new Gate();
  const at = await open({ room: signal => held.wait(signal) });
  using client = new Client(at.broker);
  await client.login('gw-1');
  let answered = false;
  const first = client.publish(topicOf('gw-1', 'block')).then(answer => {
    answered = true;
    return answer;
  });
  for (let i = 0; i < 20; i++) await new Promise(setImmediate);
  assert.deepEqual([answered, at.topics.length], [false, 0]);
  while (!answered) {
    held.open();
    await new Promise(setImmediate);
  }
  assert.equal((await first)?.[0], 0x40);
  const second = client.publish(topicOf('gw-1', 'block'));
  await at[Symbol.asyncDispose]();
  await at[Symbol.asyncDispose]();
  await second;
});

test('an end hangs up on everybody, whether they have said who they are or not', limit, async () => {
  const at = await open();
  using silent = new Client(at.broker);
  await silent.untilConnected();
  using client = new Client(at.broker); // taken after the silent one
  await client.login('gw-1');
  await at[Symbol.asyncDispose]();
  await Promise.all([silent.untilGone(), client.untilGone()]);
});

test('whoever never says who it is is hung up on, and nobody else', limit, async () => {
  await using at = await open({ connectTimeoutMs: 200 });
  using client = new Client(at.broker);
  await client.login('gw-1');
  using silent = new Client(at.broker);
  await silent.untilGone();
  assert.equal((await client.publish(topicOf('gw-1', 'state')))?.[0], 0x40);
});

test('a port that is taken is said in words', limit, async () => {
  await using at = await open();
  await assert.rejects(open({ port: at.broker.port }), { code: 'EW_LISTEN' });
});
