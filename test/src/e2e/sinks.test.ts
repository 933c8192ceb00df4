/** Sinks that come, go and pause while real processes run, with kill -9 in between; and every row is where it belongs. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { type EdgewardProcess, freePort, getJson, until, Workbench } from '../support/processes.js';
import { SinkTail } from '../support/sink-rows.js';

interface Sink {
  readonly name: string;
  readonly state: string;
  readonly paused: boolean;
  readonly position: number;
  readonly lag: { readonly blocks: number };
  readonly start: { readonly position: number } | null;
}

interface Found {
  readonly kind: string;
  readonly sink?: string;
  readonly count?: number;
}

class Plant {
  readonly bench: Workbench;
  readonly #api: number;
  readonly #broker: number;
  readonly #agent: string;
  #collector: string;

  private constructor(bench: Workbench, api: number, broker: number) {
    this.bench = bench;
    this.#api = api;
    this.#broker = broker;
    this.#collector = this.configure([]);
    this.#agent = bench.config('agent', {
      gateway: 'gateway-1',
      dataDir: './agent',
      uplink: { url: `mqtt://127.0.0.1:${broker}` },
      reportMs: 200,
      sources: [
        {
          type: 'simulated',
          devices: [{ name: 'pump-1', type: 'pump' }],
          intervalMs: 5,
          lingerMs: 50,
          seed: 5,
        },
      ],
    });
  }

  static async create(bench: Workbench): Promise<Plant> {
    return new Plant(bench, await freePort(), await freePort());
  }

  /** Writes the collector's file anew. */
  configure(sinks: readonly object[], receiptAfter: string | readonly string[] = 'journal'): string {
    this.#collector = this.bench.config('collector', {
      dataDir: './collector',
      broker: { port: this.#broker },
      api: { port: this.#api },
      sinks,
      receiptAfter,
    });
    return this.#collector;
  }

  async start(kind: 'agent' | 'collector'): Promise<EdgewardProcess> {
    const started = this.bench.start([kind, '-c', kind === 'agent' ? this.#agent : this.#collector]);
    if (kind === 'collector') await until('the collector answers', () => this.sinks());
    return started;
  }

  async run(...args: string[]): Promise<{ code: number | null; out: string }> {
    const [word, ...rest] = args;
    const done = this.bench.start([word!, '-c', this.#collector, ...rest]);
    const code = await done.exited;
    return { code, out: done.stdout + done.stderr };
  }

  async command(...args: string[]): Promise<string> {
    const { code, out } = await this.run(...args);
    assert.equal(code, 0, out);
    return out;
  }

  sinks(): Promise<Sink[]> {
    return getJson<Sink[]>(`http://127.0.0.1:${this.#api}/api/sinks`);
  }

  async sink(name: string): Promise<Sink> {
    const found = (await this.sinks()).find(one => one.name === name);
    assert.ok(found, `there is no sink ${name}`);
    return found;
  }

  rows(name: string): number {
    return new SinkTail(path.join(this.bench.folder, name)).more().length;
  }

  async grows(...names: string[]): Promise<void> {
    for (const name of names) {
      const before = this.rows(name);
      await until(`${name} stores more`, async () => this.rows(name) > before + 100);
    }
  }

  async audit(): Promise<{ discrepancies: Found[]; explained: Found[]; unknown: Found[] }> {
    const { out } = await this.run('audit', '-c', this.#agent, '--json');
    return JSON.parse(out);
  }
}

const file = (name: string, more: object = {}) => ({ type: 'file', name, directory: `./${name}`, ...more });
const late = file('late', { startAt: 'now' });

test('a sink is added, paused, killed over, removed and brought back, and the audit finds every row', {
  timeout: 240_000,
}, async () => {
  await using bench = new Workbench();
  const plant = await Plant.create(bench);
  plant.configure([file('first')]);
  let collector = await plant.start('collector');
  const agent = await plant.start('agent');
  await plant.grows('first');

  // Added where the journal stands, by the command; an error in the file changes nothing.
  plant.configure([file('first'), { ...late, startAt: 'tomorrow' }]);
  const wrong = await plant.run('sinks', '--reload');
  assert.equal(wrong.code, 2, wrong.out);
  assert.match(wrong.out, /sinks\[1\]\.startAt: .*"tomorrow".*Remedy/);
  plant.configure([file('first'), late]);
  assert.match(await plant.command('sinks', '--reload'), /late: added/);
  const { start } = await plant.sink('late');
  assert.ok(start && start.position > 0, 'it begins behind what there was');
  await collector.end('SIGKILL');
  collector = await plant.start('collector');
  await plant.grows('first', 'late');
  assert.deepEqual((await plant.sink('late')).start, start, 'where it began does not move');

  // Paused, over a kill -9, while receipts wait for it.
  plant.configure([file('first'), late], ['late']);
  assert.match(await plant.command('sinks', '--reload', '--pause', 'late'), /late is paused.*no receipts/);
  const paused = (await plant.sink('late')).position;
  await plant.grows('first');
  await collector.end('SIGKILL');
  collector = await plant.start('collector');
  await plant.grows('first');
  const still = await plant.sink('late');
  assert.deepEqual([still.state, still.paused, still.position], ['paused', true, paused]);
  assert.ok(still.lag.blocks > 0);
  await plant.command('sinks', '--resume', 'late');
  await until('it has caught up', async () => (await plant.sink('late')).lag.blocks < 5);

  // Everything at rest: what it has not is what came before it.
  await agent.end('SIGTERM');
  await until('all is stored', async () => (await plant.sinks()).every(({ lag }) => lag.blocks === 0));
  await collector.end('SIGTERM');
  const both = await plant.audit();
  assert.deepEqual([both.discrepancies, both.unknown], [[], []]);
  const skipped = both.explained.filter(({ kind, sink }) => kind === 'rows-before-start' && sink === 'late');
  assert.equal(skipped.length, 1);
  assert.equal(skipped[0]!.count, plant.rows('first') - plant.rows('late'));

  // Removed by SIGHUP together with its receipts, and brought back: it goes on from its own store.
  collector = await plant.start('collector');
  const again = await plant.start('agent');
  plant.configure([file('first')]);
  process.kill(collector.pid, 'SIGHUP');
  await until('it is gone', async () => (await plant.sinks()).length === 1);
  await plant.grows('first');
  plant.configure([file('first'), late]);
  process.kill(collector.pid, 'SIGHUP');
  await plant.grows('late');
  await collector.end('SIGKILL');
  collector = await plant.start('collector');
  await again.end('SIGTERM');
  await until('all is stored', async () => (await plant.sinks()).every(({ lag }) => lag.blocks === 0));
  const running = await plant.audit();
  assert.deepEqual([running.discrepancies, running.unknown], [[], []]);
  const { code, out } = await plant.run('sinks', '--pause', 'none');
  assert.deepEqual([code, /no sink named none\. There are: first, late/.test(out)], [1, true], out);
  await collector.end('SIGTERM');
  const away = await plant.run('sinks');
  assert.equal(away.code, 1);
  assert.match(away.out, /EW_COLLECTOR_AWAY.*Start the collector/);
  const end = await plant.audit();
  assert.deepEqual([end.discrepancies, end.unknown], [[], []]);
});
