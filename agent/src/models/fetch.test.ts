/** How a bundle shares a slow way with the readings, by a clock of our own. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { EdgewardError } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import type { PartAsk } from '@edgeward/shared/models/parts';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { fetchBundle } from './fetch.js';
import { ModelStore } from './store.js';
import { madeUp } from './testing/made-up.js';

interface Way {
  readonly bytesPerSecond: number;
  readonly latencyMs: number;
  readonly crowded?: boolean;
  /** From so many pieces on it is a hundred times as slow. */
  readonly slowAfter?: number;
}

interface Piece {
  readonly bytes: number;
  readonly fromMs: number;
  readonly toMs: number;
}

async function incomingFor(t: TestContext) {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-fetch-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const { manifest, files } = madeUp(1, 40_000);
  const incoming = await (await ModelStore.open(folder, silentLogger)).receive(manifest);
  t.after(() => incoming.close());
  return { incoming, files };
}

const never = new AbortController().signal;

async function fetchOver(
  t: TestContext,
  { bytesPerSecond, latencyMs, crowded = false, slowAfter = Number.POSITIVE_INFINITY }: Way,
) {
  const { incoming, files } = await incomingFor(t);
  const clock = new FakeClock({ autoAdvance: true });
  const pieces: Piece[] = [];
  const get = async ({ file, offset, bytes }: PartAsk, stop: AbortSignal) => {
    const fromMs = clock.monotonic();
    const rate = pieces.length < slowAfter ? bytesPerSecond : bytesPerSecond / 100;
    await clock.sleep(2 * latencyMs + (1000 * bytes) / rate, stop);
    pieces.push({ bytes, fromMs, toMs: clock.monotonic() });
    return files[file]!.subarray(offset, offset + bytes);
  };
  const channel = { get, untilLinked: async () => undefined, crowded };
  await fetchBundle(incoming, { channel, clock, log: silentLogger, onProgress: () => undefined }, never);
  assert.equal(incoming.next, undefined);
  return pieces;
}

const pauses = (pieces: readonly Piece[]) => pieces.slice(1).map(({ fromMs }, i) => fromMs - pieces[i]!.toMs);

test('a piece keeps a slow way busy for less than half a second, and then leaves it alone for as long', async t => {
  for (const way of [
    { bytesPerSecond: 4000, latencyMs: 20 },
    { bytesPerSecond: 50_000, latencyMs: 300 },
  ]) {
    const pieces = await fetchOver(t, way);
    const shortestMs = 2 * way.latencyMs + (1000 * pieces[0]!.bytes) / way.bytesPerSecond;
    const busyMs = pieces.map(({ fromMs, toMs }) => Math.max(0, toMs - fromMs - shortestMs));
    const most = Math.max(...busyMs);
    assert.ok(most > 50 && most < 500, `${most} ms`);
    for (const [i, pauseMs] of pauses(pieces).entries()) assert.ok(pauseMs >= busyMs[i]! - 1, `piece ${i}`);
  }
});

test('where the way becomes slow pieces become small again', async t => {
  const pieces = await fetchOver(t, { bytesPerSecond: 400_000, latencyMs: 1, slowAfter: 4 });
  const slow = pieces.slice(4).map(({ bytes }) => bytes);
  assert.ok(slow[0]! >= 4096, `${slow}`);
  assert.ok(
    slow.slice(6).every(bytes => bytes <= 1024),
    `${slow}`,
  );
});

test('where the way has room pieces grow; while blocks wait for room they are seldom', async t => {
  const wide = await fetchOver(t, { bytesPerSecond: 1e7, latencyMs: 1 });
  assert.ok(wide.length < 20 && wide.some(({ bytes }) => bytes > 10_000), `${wide.length} pieces`);
  const crowded = await fetchOver(t, { bytesPerSecond: 1e7, latencyMs: 1, crowded: true });
  assert.ok(pauses(crowded).every(ms => ms >= 5000));
});

test('once it is called off it asks for nothing more', async t => {
  const { incoming, files } = await incomingFor(t);
  const clock = new FakeClock({ autoAdvance: true });
  const stop = new AbortController();
  let asked = 0;
  const get = async ({ file, offset, bytes }: PartAsk) => {
    asked += 1;
    if (asked === 3) stop.abort();
    return files[file]!.subarray(offset, offset + bytes);
  };
  const channel = { get, untilLinked: async () => undefined, crowded: false };
  const options = { channel, clock, log: silentLogger, onProgress: () => undefined };
  await assert.rejects(fetchBundle(incoming, options, stop.signal), { code: 'EW_STOPPED' });
  assert.equal(asked, 3);
});

test('pieces that do not come are asked for ever more seldom, and at last others have their turn', async t => {
  const { incoming } = await incomingFor(t);
  const clock = new FakeClock({ autoAdvance: true });
  let asked = 0;
  const get = async () => {
    asked += 1;
    throw new EdgewardError('EW_MODEL_TRANSFER', 'gone');
  };
  const channel = { get, untilLinked: async () => undefined, crowded: false };
  const options = { channel, clock, log: silentLogger, onProgress: () => undefined };
  await assert.rejects(fetchBundle(incoming, options, never), { code: 'EW_MODEL_TRANSFER' });
  assert.equal(asked, 6);
  assert.ok(clock.monotonic() > 5000, `within ${clock.monotonic()} ms`);
});
