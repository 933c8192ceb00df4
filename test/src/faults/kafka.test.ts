/** The Kafka sink exactly once: collectors and brokers that are killed, answers that never arrive, zombies. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { readTopic } from '@edgeward/collector/testing/kafka-reader';
import type { Rng } from '@edgeward/shared/contracts';
import { seededRng } from '@edgeward/shared/rng';
import { AnswerCutter } from '../support/answer-cutter.js';
import { readingsOf, startBroker, type TestBroker } from '../support/kafka.js';
import { root } from '../support/root.js';
import { noService } from '../support/services.js';
import { expectedRows, rowKey } from './kafka-blocks.js';
import { amount, full, minutes, rigTest } from './scale.js';
import { underSeeds } from './seeds.js';

const child = path.join(root, 'test', 'dist', 'faults', 'kafka-child.js');

/** One collector's sink and journal, as a process that is started again whenever it was killed. */
class Follower {
  readonly name: string;
  readonly #broker: string;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'edgeward-kafka-'));
  readonly #blocks: number;
  #child: ChildProcess | undefined;
  output = '';

  constructor(name: string, broker: string, blocks: number) {
    this.name = name;
    this.#broker = broker;
    this.#blocks = blocks;
  }

  start(): void {
    const args = [child, this.#folder, this.#broker, this.name, String(this.#blocks)];
    this.#child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream?.on('data', (data: Buffer) => {
        this.output += data.toString();
      });
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  async kill(): Promise<void> {
    if (!this.#child || !this.running) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  async finished(): Promise<void> {
    if (this.#child && this.running) await once(this.#child, 'exit');
    assert.match(this.output, /done\n/, this.output.slice(-2000));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

describe('kafka', { skip: noService('kafka') }, () => {
  let cutter: AnswerCutter | undefined;
  let server: TestBroker | undefined;
  /** For the sink: what the broker tells of itself leads through the cutter. */
  let broker = '';
  /** Past it. */
  let direct = '';

  before(async () => {
    cutter = await AnswerCutter.open(seededRng(1));
    server = await startBroker({ through: cutter });
    broker = `127.0.0.1:${cutter.port}`;
    direct = server.direct;
  });
  after(async () => {
    await server?.[Symbol.asyncDispose]();
    await cutter?.[Symbol.asyncDispose]();
  });

  /** Each row of the blocks once, and those of a device in order. */
  async function assertOnce(name: string, blocks: number): Promise<void> {
    const records = await readTopic(direct, readingsOf(name));
    const rows = records.map(({ value }) => JSON.parse(value!));
    const counts = new Map<string, number>();
    for (const row of rows) counts.set(rowKey(row), (counts.get(rowKey(row)) ?? 0) + 1);
    const expected = expectedRows(blocks);
    const lost = expected.filter(key => !counts.has(key));
    const doubled = [...counts].filter(([, count]) => count > 1).map(([key]) => key);
    assert.deepEqual({ lost: lost.slice(0, 5), doubled: doubled.slice(0, 5) }, { lost: [], doubled: [] });
    assert.equal(rows.length, expected.length, 'and nothing else');
    const last = new Map<string, number>();
    for (const { gateway, device, row } of rows) {
      const key = `${gateway}/${device}`;
      assert.ok(row > (last.get(key) ?? 0), `${key}: row ${row} comes after ${last.get(key)}`);
      last.set(key, row);
    }
  }

  async function follow(
    name: string,
    blocks: number,
    meanwhile: (follower: Follower, rng: Rng) => Promise<void>,
    seed: number,
  ): Promise<void> {
    await using follower = new Follower(`${name}-${seed}`, broker, blocks);
    follower.start();
    await meanwhile(follower, seededRng(seed));
    await follower.finished();
    await assertOnce(follower.name, blocks);
  }

  rigTest('kafka: the collector is killed at any moment', { inShort: true, timeout: minutes(10) }, () =>
    underSeeds('kafka collector kills', 1, seed =>
      follow(
        'collector-kills',
        amount(300, 6000),
        async (follower, rng) => {
          for (let kills = amount(2, 20); kills > 0; kills--) {
            await sleep(500 + rng() * 1500); // any moment will do
            assert.ok(follower.running, 'it was done too early: this test proves nothing');
            await follower.kill();
            follower.start();
          }
        },
        seed,
      ),
    ),
  );

  rigTest('kafka: 2 % of the answers never arrive', { inShort: true, timeout: minutes(10) }, () =>
    underSeeds('kafka cut answers', 1, async seed => {
      const { answers: before, cuts: cutBefore } = cutter!;
      cutter!.share = 0.02;
      try {
        await follow('cuts', amount(1200, 12_000), async () => undefined, seed);
      } finally {
        cutter!.share = 0;
      }
      const [answers, cuts] = [cutter!.answers - before, cutter!.cuts - cutBefore];
      console.log(`kafka: ${cuts} of ${answers} answers were cut`);
      assert.ok(cuts >= (full ? 30 : 3), `${cuts} of ${answers} answers were cut: this test proves nothing`);
    }),
  );

  rigTest('kafka: the broker is killed at any moment', { timeout: minutes(15) }, () =>
    underSeeds('kafka broker kills', 1, seed =>
      follow(
        'broker-kills',
        amount(400, 6000),
        async (follower, rng) => {
          for (let kills = amount(1, 10); kills > 0; kills--) {
            await sleep(1000 + rng() * 2000); // any moment will do
            assert.ok(follower.running, 'it was done too early: this test proves nothing');
            await server!.service.kill();
            await server!.service.start();
          }
        },
        seed,
      ),
    ),
  );
});
