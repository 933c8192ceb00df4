import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { createServer as createTlsServer } from 'node:tls';
import { cellOf, RowNumbers } from '@edgeward/shared/batch';
import { systemClock } from '@edgeward/shared/clock';
import type { RecordBatch, Source, SourcePosition } from '@edgeward/shared/contracts';
import { isRetryable } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { qualityReasons } from '@edgeward/shared/quality';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { testCertificate, testKey } from '@edgeward/shared/testing/test-certificate';
import { FakeBroker, type FakeBrokerOptions, type FakeMessage, FakeSession } from '../testing/fake-broker.js';
import { type SourceHarness, sourceConformance } from '../testing/source-conformance.js';
import { mqtt } from './mqtt.js';

const limit = { timeout: 30_000 };
const numbers = { topic: 'plant/{line}/{device}/{field}', payload: 'number', deviceType: 'machine' };

/** The agent as far as a source sees it: keeps batches, positions and rejects; can fail and be killed. */
class Agent {
  readonly batches: RecordBatch[] = [];
  readonly rejects: { device: string; count: number; reason: string }[] = [];
  position: SourcePosition | undefined;
  /** Thrown out of `read`. */
  fault: unknown;
  /** Called with each batch before it counts as stored; false: kill -9 just before that. */
  store: (batch: RecordBatch) => Promise<boolean> | boolean = () => true;
  readonly #options: object;
  #stop = new AbortController();
  #reading: Promise<void> = Promise.resolve();
  source: Source | undefined;

  constructor(broker: { url: string }, options: object = {}) {
    this.#options = { url: broker.url, subscriptions: [numbers], lingerMs: 5, joinMs: 0, ...options };
  }

  /** Like a new process: only the position is known. */
  start(): void {
    this.#stop = new AbortController();
    this.source = mqtt.create(mqtt.config.parse(this.#options), {
      clock: systemClock,
      rows: new RowNumbers(),
      log: silentLogger,
      id: 'gw-1-mqtt',
      position: this.position,
      reject: (device, count, reason) => this.rejects.push({ device, count, reason }),
    });
    this.readOn();
  }

  /** The pump comes back to the same source. */
  readOn(): void {
    this.#reading = this.#read(this.source!).catch((error: unknown) => {
      this.fault = error;
    });
  }

  async #read(source: Source): Promise<void> {
    for await (const batch of source.read(this.#stop.signal)) {
      const position = source.position?.();
      if (!(await this.store(batch))) return;
      this.position = JSON.parse(JSON.stringify(position)) as SourcePosition;
      if (batch.row.length > 0) this.batches.push(batch);
    }
  }

  /** Resolves when `read` has ended by itself. */
  ended(): Promise<void> {
    return this.#reading;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#reading;
  }

  /** `device field=value …`, in the order stored. */
  get rows(): string[] {
    return this.batches.flatMap(batch => Array.from(batch.row, (_, i) => rowText(batch, i)));
  }
}

function rowText(batch: RecordBatch, i: number): string {
  const cells = batch.schema.fields.flatMap(({ name }, f) => {
    const value = cellOf(batch, f, i);
    return value === undefined ? [] : [`${name}=${String(value)}`];
  });
  return [batch.schema.devices[batch.device[i]!], ...cells].join(' ');
}

function counted(n: number, from = 0): FakeMessage[] {
  return Array.from({ length: n }, (_, i) => ({ topic: 'plant/a/m-1/n', payload: String(from + i) }));
}

const expected = (n: number) => Array.from({ length: n }, (_, i) => `m-1 n=${i}`);

async function bench(options: object = {}, broker: FakeBrokerOptions = {}) {
  const at = await FakeBroker.open(broker);
  const agent = new Agent(at, options);
  return {
    at,
    agent,
    /** Started, subscribed. */
    connected: async () => {
      agent.start();
      await at.until('subscribed', () => at.sessions.size > 0 && at.session.subscribes > 0);
    },
    rows: (n: number) => at.until(`${n} rows`, () => agent.rows.length >= n),
    [Symbol.asyncDispose]: async () => {
      await agent.stop();
      await at[Symbol.asyncDispose]();
    },
  };
}

test('messages become rows of the device and field that their topic names', limit, async () => {
  await using b = await bench({
    subscriptions: [
      { ...numbers, device: '{line}-{device}' },
      { topic: 'doors/+/{name}/#', payload: 'bool', device: '{name}', field: 'open', deviceType: 'door' },
    ],
  });
  await b.connected();
  b.at.publish(
    { topic: 'plant/a/m-1/temp', payload: ' 21.5\n' },
    { topic: 'plant/b/m-1/temp', payload: '-3e2' },
    { topic: 'doors/x/gate/state/now', payload: 'ON' },
  );
  await b.rows(3);
  assert.deepEqual(b.agent.rows.sort(), ['a-m-1 temp=21.5', 'b-m-1 temp=-300', 'gate open=true']);
  assert.deepEqual(b.agent.batches.map(({ schema }) => schema.type).sort(), ['door', 'machine']);
});

test('JSON gives the fields declared, found by path, at its own time', limit, async () => {
  const fields = [
    { name: 'temp', path: 'v.t', unit: 'Cel', max: 200 },
    { name: 'count', kind: 'int' },
    { name: 'state', kind: 'string' },
  ];
  const json = { topic: 'plant/{device}', deviceType: 'press', timePath: 'ts', fields };
  await using b = await bench({ subscriptions: [json] });
  await b.connected();
  const send = (value: unknown) => b.at.publish({ topic: 'plant/p-1', payload: JSON.stringify(value) });
  send({ ts: 1_700_000_000, v: { t: '21.25' }, count: 7, state: 'run', other: 1 });
  send({ ts: 'never', v: { t: 'hot' }, count: 0.5 });
  await b.rows(2);
  assert.deepEqual(b.agent.rows, ['p-1 temp=21.25 count=7 state=run', 'p-1']);
  const [first] = b.agent.batches;
  assert.deepEqual(first!.schema.fields[0], { name: 'temp', kind: 'float', unit: 'Cel', max: 200 });
  assert.equal(first!.time[0], 1_700_000_000_000);
  const last = b.agent.batches.at(-1)!;
  const at = last.row.length - 1;
  assert.ok(Math.abs(last.time[at]! - Date.now()) < 60_000, 'a time that is none is that of the arrival');
  assert.deepEqual(qualityReasons(last.quality[at]!), ['missing', 'invalid']);
});

test('JSON without declared fields gives every number and boolean it has', limit, async () => {
  const json = { topic: 'plant/{device}', deviceType: 'press', timePath: 'ts' };
  await using b = await bench({ subscriptions: [json] });
  await b.connected();
  b.at.publish(
    { topic: 'plant/p-1', payload: '{"ts":1700000000000,"a":1,"deep":{"b °C":2.5,"c":[3]},"unit":"bar"}' },
    { topic: 'plant/p-1', payload: '{"ts":1700000000001,"on":true}' },
  );
  await b.rows(2);
  assert.deepEqual(b.agent.rows, ['p-1 a=1 deep.b__C=2.5', 'p-1 on=true']);
});

test('plain values that come together join into rows; no value overwrites another', limit, async () => {
  await using b = await bench({ joinMs: 1000, lingerMs: 50 });
  await b.connected();
  for (let i = 0; i < 3; i++) {
    for (const field of ['temp', 'speed'])
      b.at.publish({ topic: `plant/a/m-1/${field}`, payload: String(i) });
  }
  b.at.publish({ topic: 'plant/a/m-2/temp', payload: '9' });
  await b.rows(4);
  assert.deepEqual(b.agent.rows.sort(), [
    'm-1 temp=0 speed=0',
    'm-1 temp=1 speed=1',
    'm-1 temp=2 speed=2',
    'm-2 temp=9',
  ]);
});

test('times of arrival are unique and rise for each device', limit, async () => {
  await using b = await bench();
  await b.connected();
  b.at.publish(...counted(200));
  await b.rows(200);
  const times = b.agent.batches.flatMap(({ time }) => [...time]);
  for (let i = 1; i < times.length; i++) assert.ok(times[i]! > times[i - 1]!);
});

test('what cannot be read is acknowledged and counted, and the flow goes on', limit, async () => {
  await using b = await bench();
  await b.connected();
  b.at.publish(
    { topic: 'plant/a/m-1/n', payload: 'warm' },
    { topic: 'plant/a/m-1/n', payload: '' },
    { topic: 'plant/a/@@@/n', payload: '1' },
    { topic: 'somewhere/else', payload: '1' },
  );
  await b.at.until('acknowledged', () => b.at.session.acknowledged.length === 4);
  assert.ok(b.agent.position, 'what was counted is durable before it is acknowledged');
  b.at.publish(...counted(1));
  await b.rows(1);
  const counts = new Map<string, number>();
  for (const { device, reason, count } of b.agent.rejects)
    counts.set(`${device}: ${reason}`, (counts.get(`${device}: ${reason}`) ?? 0) + count);
  assert.deepEqual(Object.fromEntries(counts), {
    'm-1: the payload is not a number': 2,
    'unmapped: the topic gives no name that a device can have': 1,
    'unmapped: no subscription has this topic': 1,
  });
});

test(
  'PUBACKs come only after the commit, in order, and what comes meanwhile is one batch',
  limit,
  async () => {
    await using b = await bench({ batchRows: 50 }, { window: 1000 });
    let release: () => void = () => undefined;
    const sizes: number[] = [];
    b.agent.store = async batch => {
      sizes.push(batch.row.length);
      await new Promise<void>(resolve => {
        release = resolve;
      });
      return true;
    };
    await b.connected();
    b.at.publish(...counted(1));
    await b.at.until('the first batch', () => sizes.length === 1);
    b.at.publish(...counted(120, 1));
    assert.equal(b.at.session.acknowledged.length, 0);
    for (let n = 1; n <= 4; n++) {
      await b.at.until(`batch ${n}`, () => sizes.length === n);
      release();
    }
    await b.at.until('all acknowledged', () => b.at.session.acknowledged.length === 121);
    assert.deepEqual(
      b.at.session.acknowledged,
      Array.from({ length: 121 }, (_, i) => i + 1),
    );
    assert.deepEqual(sizes, [1, 50, 50, 20]);
  },
);

test('QoS 0 is taken too, without an acknowledgement', limit, async () => {
  await using b = await bench();
  await b.connected();
  b.at.publish({ ...counted(1)[0]!, qos: 0 }, ...counted(1, 1));
  await b.rows(2);
  assert.deepEqual(b.agent.rows, expected(2));
  await b.at.until('acknowledged', () => b.at.session.acknowledged.length === 1);
});

for (const ids of ['up', 'lowest'] as const)
  test(`acknowledgements lost with the connection double nothing (identifiers: ${ids})`, limit, async () => {
    await using b = await bench({}, { ids });
    await b.connected();
    b.at.deaf = true;
    b.at.publish(...counted(30));
    await b.rows(30);
    for (const restart of [false, true]) {
      b.at.cut();
      await b.agent.ended();
      assert.ok(isRetryable(b.agent.fault), String(b.agent.fault));
      if (restart) b.at.deaf = false;
      if (restart) b.agent.start();
      else b.agent.readOn();
      await b.at.until('connected', () => b.at.connects.length === (restart ? 3 : 2));
      b.at.publish(...counted(10, restart ? 40 : 30));
      await b.rows(restart ? 50 : 40);
    }
    await b.at.until('nothing is left', () => b.at.session.inFlight.length === 0);
    assert.deepEqual(b.agent.rows, expected(50));
  });

test(
  'an identifier that the broker uses again, cut off before we knew, is a new message',
  limit,
  async () => {
    await using b = await bench({}, { ids: 'lowest' });
    await b.connected();
    b.at.answersPings = false; // so that we never know
    b.at.publish(...counted(1));
    await b.at.until('acknowledged', () => b.at.session.acknowledged.length === 1);
    b.at.cut();
    await b.agent.ended();
    b.at.session.inFlight.push({ id: 1, message: counted(1, 1)[0]! }); // sent, and never received
    b.agent.start();
    await b.rows(2);
    assert.deepEqual(b.agent.rows, expected(2));
  },
);

test(
  'a broker that lost the session: identifiers start anew and nothing is taken for a duplicate',
  limit,
  async () => {
    await using b = await bench();
    await b.connected();
    b.at.publish({ topic: 'plant/a/m-1/n', payload: '7' });
    await b.at.until('acknowledged', () => b.at.session.acknowledged.length === 1);
    b.at.sessions.clear();
    b.at.cut();
    await b.agent.ended();
    // The same message under the same identifier in the new session; killed before it is stored.
    b.agent.store = batch => batch.row.length === 0;
    b.agent.start();
    await b.at.until('subscribed', () => b.at.sessions.size > 0 && b.at.session.subscribes === 1);
    b.at.publish({ topic: 'plant/a/m-1/n', payload: '7' });
    await b.agent.ended();
    b.agent.store = () => true;
    b.agent.start();
    await b.rows(2);
    assert.deepEqual(b.agent.rows, ['m-1 n=7', 'm-1 n=7']);
  },
);

test('killed and cut at random, every message is stored once', { timeout: 120_000 }, async () => {
  const seed = testSeed('mqtt source');
  const rng = seededRng(seed);
  for (const ids of ['up', 'lowest'] as const) {
    await using b = await bench({ lingerMs: 1 }, { ids, window: 25 });
    await b.connected();
    let published = 0;
    for (let round = 0; round < 40; round++) {
      b.at.answersPings = rng() < 0.7;
      const deaf = rng() < 0.4;
      const n = 1 + Math.floor(rng() * 60);
      b.at.publish(...counted(n, published));
      published += n;
      let left = Math.floor(rng() * 2);
      const dies = rng() < 0.5;
      const before = rng() < 0.5;
      const cutsAt = rng() * 10;
      b.agent.store = batch => {
        if (!dies || left-- > 0) return true;
        if (!before && batch.row.length > 0) b.agent.batches.push(batch);
        if (!before) b.agent.position = b.agent.source!.position?.();
        return false;
      };
      await new Promise(resolve => setTimeout(resolve, cutsAt / 2));
      b.at.deaf = deaf;
      await new Promise(resolve => setTimeout(resolve, cutsAt / 2));
      // Cut until it is noticed: the connection may only be on its way.
      const cutting = setInterval(() => b.at.cut(), 1);
      if (dies) await b.agent.stop();
      else await b.agent.ended();
      clearInterval(cutting);
      b.at.deaf = false;
      if (dies) b.agent.start();
      else b.agent.readOn();
    }
    b.agent.store = () => true;
    await b.rows(published);
    await b.at.until('nothing is left', () => b.at.session.inFlight.length === 0);
    assert.deepEqual(b.agent.rows.sort(), expected(published).sort(), `seed ${seed}, ids ${ids}`);
  }
});

test('what is retained is taken once for a session, or skipped', limit, async () => {
  for (const retained of ['take', 'skip'] as const) {
    await using b = await bench({ retained });
    b.at.retained.push({ topic: 'plant/a/m-1/set', payload: '5' });
    await b.connected();
    b.at.publish(...counted(1));
    await b.at.until('acknowledged', () => b.at.session.acknowledged.length === 2);
    await b.agent.stop();
    b.agent.start();
    await b.at.until('subscribed again', () => b.at.session.subscribes === 2);
    b.at.publish(...counted(1, 1));
    await b.at.until('acknowledged', () => b.at.session.acknowledged.length === 4);
    assert.deepEqual(b.agent.rows.sort(), [
      'm-1 n=0',
      'm-1 n=1',
      ...(retained === 'take' ? ['m-1 set=5'] : []),
    ]);
  }
});

test('what comes while we are away is kept and taken; a stop hands over what is there', limit, async () => {
  await using b = await bench({ lingerMs: 400 });
  await b.connected();
  b.at.publish(...counted(5));
  await b.at.until('sent', () => b.at.session.inFlight.length === 5);
  await new Promise(resolve => setTimeout(resolve, 50));
  await b.agent.stop();
  assert.deepEqual(b.agent.rows, expected(5));
  await b.at.until('acknowledged', () => b.at.session.acknowledged.length === 5);
  b.at.publish(...counted(5, 5));
  b.agent.start();
  await b.at.until('sent', () => b.at.session.inFlight.length === 5);
  await b.agent.stop();
  b.agent.start();
  await b.rows(10);
  assert.deepEqual(b.agent.rows, expected(10));
});

test('nothing is read from the broker while too much waits to be stored', limit, async () => {
  await using b = await bench(
    { maxWaitingBytes: 16 * 1024, maxPacketBytes: 65_536, batchRows: 50 },
    { window: 60_000 },
  );
  let release: (stored: boolean) => void = () => undefined;
  let held = true;
  b.agent.store = () =>
    held
      ? new Promise<boolean>(resolve => {
          release = resolve;
        })
      : true;
  await b.connected();
  const pad = ' '.repeat(8000);
  b.at.publish(...counted(4000).map(({ topic, payload }) => ({ topic, payload: `${payload}${pad}` })));
  // 32 MB cannot lie in the buffers of a loopback connection.
  await b.at.until(
    'the broker cannot write any more',
    () => (b.at.session.socket?.writableLength ?? 0) > 1e6,
  );
  const before = b.at.session.socket!.writableLength;
  await new Promise(resolve => setTimeout(resolve, 300));
  assert.equal(b.at.session.socket!.writableLength, before);
  held = false;
  release(true);
  await b.at.until('all stored', () => b.agent.rows.length === 4000, 20_000);
  assert.deepEqual(b.agent.rows, expected(4000));
});

test(
  'bytes that are no MQTT, and packets too long, end the connection; the next one goes on',
  limit,
  async () => {
    const wrong: Record<string, Buffer> = {
      'a reserved packet type': Buffer.from([0xf0, 0x00]),
      'a length without an end': Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x01]),
      'a huge packet': Buffer.from([0x90, 0xff, 0xff, 0xff, 0x7f]),
      'a topic longer than its packet': Buffer.from([0x30, 0x03, 0xff, 0xff, 0x61]),
      'QoS 2': Buffer.from([0x34, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01]),
      'QoS 3': Buffer.from([0x36, 0x05, 0x00, 0x01, 0x61, 0x00, 0x01]),
      'identifier 0': Buffer.from([0x32, 0x05, 0x00, 0x01, 0x61, 0x00, 0x00]),
      'a packet only clients send': Buffer.from([0xc0, 0x00]),
      text: Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n'),
    };
    await using b = await bench();
    await b.connected();
    let rows = 0;
    for (const [what, bytes] of Object.entries(wrong)) {
      b.agent.fault = undefined;
      const connects = b.at.connects.length;
      b.at.raw(bytes);
      await b.agent.ended();
      assert.ok(isRetryable(b.agent.fault), `${what}: ${String(b.agent.fault)}`);
      b.agent.readOn();
      await b.at.until('connected again', () => b.at.connects.length === connects + 1);
      b.at.publish(...counted(1, rows));
      rows += 1;
      await b.rows(rows);
    }
    assert.deepEqual(b.agent.rows, expected(rows));
  },
);

test('a message that is too long is rejected without being kept; the flow goes on', limit, async () => {
  await using b = await bench({ maxPacketBytes: 1024 });
  await b.connected();
  const payload = Buffer.alloc(3_000_000, '7');
  b.at.publish({ topic: 'plant/a/m-1/n', payload }, ...counted(1), { topic: 'plant/a/m-1/n', payload });
  b.at.publish({ topic: 'plant/a/m-1/n', payload, qos: 0 }, ...counted(1, 1));
  await b.rows(2);
  await b.at.until('acknowledged', () => b.at.session.acknowledged.length === 4);
  assert.deepEqual(b.at.session.acknowledged, [1, 2, 3, 4]);
  assert.deepEqual(b.agent.rows, expected(2));
  assert.equal(b.at.connects.length, 1);
  assert.equal(
    b.agent.rejects.reduce((sum, { count }) => sum + count, 0),
    3,
  );
  assert.match(b.agent.rejects[0]!.reason, /maxPacketBytes/);
});

test('packets may be cut anywhere', limit, async () => {
  await using b = await bench();
  await b.connected();
  const frame = (id: number, payload: string) =>
    Buffer.concat([
      Buffer.from([0x32, 17 + payload.length, 0, 13]),
      Buffer.from('plant/a/m-1/n'),
      Buffer.from([0, id]),
      Buffer.from(payload),
    ]);
  const bytes = Buffer.concat([frame(1, '0'), frame(2, '1'), frame(3, '2')]);
  for (const byte of bytes) {
    b.at.raw(Buffer.from([byte]));
    await new Promise(resolve => setImmediate(resolve));
  }
  await b.rows(3);
  assert.deepEqual(b.agent.rows, expected(3));
});

test(
  'a connection that says nothing any more is given up within two keep-alive intervals',
  limit,
  async () => {
    await using b = await bench({ keepAliveS: 1 });
    await b.connected();
    await new Promise(resolve => setTimeout(resolve, 1500));
    assert.equal(b.agent.fault, undefined, 'a broker that answers is alive');
    b.at.answersPings = false;
    const startMs = performance.now();
    await b.agent.ended();
    assert.match(String(b.agent.fault), /silent/);
    assert.ok(performance.now() - startMs <= 2000, `${performance.now() - startMs} ms`);
  },
);

test('a refusal says what to change, and is tried again', limit, async () => {
  await using b = await bench({ username: 'reader' });
  for (const [code, text] of [
    [2, /clientId/],
    [4, /user name or password/],
    [5, /rights/],
  ] as const) {
    b.at.returnCode = code;
    b.agent.start();
    await b.agent.ended();
    assert.match(String(b.agent.fault), text);
    assert.ok(isRetryable(b.agent.fault));
  }
  b.at.returnCode = 0;
  b.at.refuses.add('plant/+/+/+');
  b.agent.start();
  await b.agent.ended();
  assert.match(String(b.agent.fault), /refuses every topic \(plant\/\{line\}/);
});

test('credentials and a lasting session are asked for; the secret is in no message', limit, async () => {
  process.env.MQTT_TEST_PASSWORD = 'pssst-4711';
  await using b = await bench({ username: 'reader', password: { env: 'MQTT_TEST_PASSWORD' } });
  await b.connected();
  const [connect] = b.at.connects;
  assert.equal(connect!.username, 'reader');
  assert.equal(String(connect!.password), 'pssst-4711');
  assert.equal(connect!.clean, false);
  assert.equal(connect!.clientId, 'edgeward-gw-1-mqtt');
  b.at.returnCode = 4;
  b.at.cut();
  await b.agent.ended();
  b.agent.readOn();
  await b.agent.ended();
  assert.ok(!String(b.agent.fault).includes('pssst'));
});

test(
  'a broker that accepts and never answers is given up, and a stop does not wait for it',
  limit,
  async () => {
    const sockets: Socket[] = [];
    const mute = createServer(socket => sockets.push(socket)).listen(0, '127.0.0.1');
    await new Promise(resolve => mute.once('listening', resolve));
    const url = `mqtt://127.0.0.1:${(mute.address() as AddressInfo).port}`;
    const impatient = new Agent({ url }, { connectTimeoutMs: 200 });
    impatient.start();
    await impatient.ended();
    assert.match(String(impatient.fault), /within 200 ms/);
    const patient = new Agent({ url }, { connectTimeoutMs: 60_000 });
    patient.start();
    await new Promise(resolve => setTimeout(resolve, 50));
    const startMs = performance.now();
    await patient.stop();
    assert.ok(performance.now() - startMs < 1000);
    assert.equal(patient.fault, undefined);
    for (const socket of sockets) socket.destroy();
    mute.close();
  },
);

test('TLS: a broker is believed only if the ca given has signed it', limit, async () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'edgeward-mqtt-'));
  const ca = path.join(folder, 'ca.pem');
  writeFileSync(ca, testCertificate);
  await using b = await bench();
  const port = Number(new URL(b.at.url).port);
  const front = createTlsServer({ cert: testCertificate, key: testKey }, socket => {
    const back = connect(port, '127.0.0.1');
    socket.pipe(back).pipe(socket);
    for (const end of [socket, back]) end.on('error', () => undefined);
  }).listen(0, '127.0.0.1');
  await once(front, 'listening');
  const url = `mqtts://localhost:${(front.address() as AddressInfo).port}`;
  const careful = new Agent({ url });
  careful.start();
  await careful.ended();
  assert.match(String(careful.fault), /self-signed/);
  assert.ok(isRetryable(careful.fault));
  const agent = new Agent({ url }, { ca });
  agent.start();
  await b.at.until('subscribed', () => b.at.sessions.size > 0 && b.at.session.subscribes > 0);
  b.at.publish(...counted(3));
  await b.at.until('rows', () => agent.rows.length === 3);
  await agent.stop();
  assert.deepEqual(agent.rows, expected(3));
  front.close();
  rmSync(folder, { recursive: true });
});

test('a device that another source has is rejected; the others go on', limit, async () => {
  const at = await FakeBroker.open();
  const rows = new RowNumbers();
  rows.of('csv').next('m-1');
  const rejects: string[] = [];
  const source = mqtt.create(mqtt.config.parse({ url: at.url, subscriptions: [numbers], lingerMs: 5 }), {
    clock: systemClock,
    rows: rows.of('mqtt'),
    log: silentLogger,
    position: undefined,
    reject: (device, _, reason) => rejects.push(`${device}: ${reason}`),
  });
  const stop = new AbortController();
  const reading = source.read(stop.signal);
  const first = reading.next();
  await at.until('subscribed', () => at.sessions.size > 0 && at.session.subscribes > 0);
  at.publish(...counted(2), { topic: 'plant/a/m-2/n', payload: '1' });
  const batch = (await first).value as RecordBatch;
  assert.deepEqual(
    Array.from(batch.row, (_, i) => rowText(batch, i)),
    ['m-2 n=1'],
  );
  assert.match(rejects[0]!, /^m-1: .*csv/);
  await reading.return();
  await at[Symbol.asyncDispose]();
});

test('wrong options are refused with what to write instead', () => {
  const url = 'mqtt://h:1';
  const wrong: [object, RegExp][] = [
    [{ url: 'mqtt://user:secret@h:1', subscriptions: [numbers] }, /username and password/],
    [{ url, subscriptions: [] }, /./],
    [{ url, subscriptions: [{ ...numbers, topic: 'a/b{c}/d' }] }, /whole levels/],
    [{ url, subscriptions: [{ ...numbers, topic: 'a/#/b' }] }, /whole levels/],
    [{ url, subscriptions: [{ ...numbers, topic: '$share/g/a' }] }, /shared/],
    [{ url, subscriptions: [{ ...numbers, topic: '{a}/{a}' }] }, /twice/],
    [{ url, subscriptions: [{ ...numbers, device: '{machine}' }] }, /no level \{machine\}/],
    [{ url, subscriptions: [{ ...numbers, topic: 'a/{x}' }] }, /no level \{device\}/],
    [{ url, subscriptions: [{ ...numbers, timePath: 'ts' }] }, /payload json/],
    [{ url, subscriptions: [{ ...numbers, payload: 'json', field: 'x' }] }, /plain values/],
    [{ url, subscriptions: [numbers, { ...numbers, topic: 'plant/#', device: 'x' }] }, /subscriptions\[0\]/],
  ];
  for (const [options, message] of wrong) {
    const result = mqtt.config.safeParse(options);
    assert.ok(!result.success, JSON.stringify(options));
    assert.match(result.error.message, message);
  }
});

/** A broker per instance: one that starts from a position is where the crash after that commit left the broker. */
async function harness(): Promise<SourceHarness> {
  const broker = await FakeBroker.open({ sessionKey: username => username ?? '' });
  const messages: FakeMessage[] = Array.from({ length: 60 }, (_, i) => ({
    topic: `plant/a/m-${i % 3}`,
    payload: JSON.stringify({ n: i, even: i % 2 === 0 }),
  }));
  harnessed = { broker, messages };
  return {
    options: {
      url: broker.url,
      clientId: 'c',
      batchRows: 7,
      subscriptions: [{ topic: 'plant/+/{device}', deviceType: 'machine' }],
    },
    rows: messages.length,
    acknowledgedRows: () =>
      [...broker.sessions.values()].reduce((sum, { acknowledged }) => sum + acknowledged.length, 0),
    [Symbol.asyncDispose]: () => broker[Symbol.asyncDispose](),
  };
}

let harnessed: { broker: FakeBroker; messages: FakeMessage[] } | undefined;
let instances = 0;

const watched = {
  ...mqtt,
  create: (config: never, context: Parameters<typeof mqtt.create>[1]) => {
    const { broker, messages } = harnessed!;
    const username = `instance-${instances++}`;
    const session = new FakeSession();
    const unconfirmed = Buffer.from(String(context.position?.unconfirmed ?? ''), 'base64');
    for (let at = 0; at < unconfirmed.length; at += 6) {
      const id = unconfirmed.readUInt16BE(at);
      session.inFlight.push({ id, message: messages[id - 1]! });
      session.lastId = Math.max(session.lastId, id);
    }
    session.queue.push(...messages.slice(session.lastId));
    broker.sessions.set(username, session);
    return mqtt.create({ ...(config as Parameters<typeof mqtt.create>[0]), username }, context);
  },
};

sourceConformance(watched, harness);
