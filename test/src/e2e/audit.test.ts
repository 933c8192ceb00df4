/** `edgeward audit` and `edgeward fsck` on real processes and their stores, whole and tampered with. */
import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { numberKey } from '@edgeward/shared/store';
import { ClassicLevel } from 'classic-level';
import { freePort, until, Workbench } from '../support/processes.js';

interface Found {
  readonly kind: string;
  readonly gateway?: string;
  readonly device?: string;
  readonly epoch?: string;
  readonly sink?: string;
  readonly rows?: readonly [number, number][];
  readonly positions?: readonly [number, number][];
  readonly count?: number;
}

interface Audit {
  readonly code: number | null;
  readonly balanced: boolean;
  readonly discrepancies: readonly Found[];
  readonly explained: readonly Found[];
  readonly unknown: readonly Found[];
  readonly totals: { readonly read: number; readonly stored: number; readonly inFlight: number };
  readonly sources: readonly string[];
}

const password = 'plant-password';

class Plant {
  readonly bench: Workbench;
  readonly collector: string;
  readonly agent: string;
  readonly #url: string;

  private constructor(bench: Workbench, api: number, broker: number) {
    this.bench = bench;
    this.#url = `http://127.0.0.1:${api}`;
    this.collector = bench.config('collector', {
      dataDir: './collector',
      broker: { port: broker },
      api: { port: api, password: { env: 'PLANT_PASSWORD' } },
      sinks: [{ type: 'file', directory: './readings', maxBytes: 20_000 }],
    });
    this.agent = bench.config('agent', {
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
          seed: 3,
        },
      ],
    });
  }

  static async create(bench: Workbench): Promise<Plant> {
    return new Plant(bench, await freePort(), await freePort());
  }

  start(kind: 'agent' | 'collector') {
    return this.bench.start([kind, '-c', this[kind]], { PLANT_PASSWORD: password });
  }

  async stored(): Promise<number> {
    const authorization = `Basic ${Buffer.from(`x:${password}`).toString('base64')}`;
    const answer = await fetch(`${this.#url}/api/ledger`, { headers: { authorization } });
    const ledger = (await answer.json()) as { devices: { stored: number }[] };
    return ledger.devices.reduce((sum, { stored }) => sum + stored, 0);
  }

  async audit(...configs: string[]): Promise<Audit> {
    const args = ['audit', '--json', ...configs.flatMap(config => ['-c', config])];
    const run = this.bench.start(args, { PLANT_PASSWORD: password });
    const code = await run.exited;
    assert.ok(run.stdout, run.stderr);
    return { code, ...(JSON.parse(run.stdout) as Omit<Audit, 'code'>) };
  }

  both(): Promise<Audit> {
    return this.audit(this.collector, this.agent);
  }

  async fsck(config: string, ...more: string[]) {
    const run = this.bench.start(['fsck', '-c', config, ...more], { PLANT_PASSWORD: password });
    const code = await run.exited;
    return { code, text: run.stdout + run.stderr };
  }

  file(name: string): string {
    return path.join(this.bench.folder, name);
  }

  newest(): string {
    const files = readdirSync(this.file('readings')).filter(name => name.endsWith('.ndjson'));
    return path.join(this.file('readings'), files.sort().at(-2)!);
  }

  /** Lets something be spoilt, looks, and puts all back. */
  async spoilt<T>(spoil: () => unknown, look: () => Promise<T>): Promise<T> {
    const [from, kept] = [this.bench.folder, `${this.bench.folder}-kept`];
    cpSync(from, kept, { recursive: true });
    try {
      await spoil();
      return await look();
    } finally {
      rmSync(from, { recursive: true });
      cpSync(kept, from, { recursive: true });
      rmSync(kept, { recursive: true });
    }
  }
}

async function tamper(
  folder: string,
  act: (db: ClassicLevel<Buffer, Buffer>) => Promise<unknown>,
): Promise<void> {
  const options = { keyEncoding: 'buffer', valueEncoding: 'buffer', compression: false } as const;
  const db = new ClassicLevel<Buffer, Buffer>(folder, options);
  await db.open();
  await act(db);
  await db.close();
}

function assertBalanced(audit: Audit): void {
  assert.deepEqual(audit.discrepancies, []);
  assert.deepEqual(audit.unknown, []);
  assert.ok(audit.balanced);
  assert.equal(audit.code, 0);
}

function only(audit: Audit, kind: string): Found {
  assert.equal(audit.code, 1);
  assert.equal(audit.balanced, false);
  assert.deepEqual([...new Set(audit.discrepancies.map(one => one.kind))], [kind]);
  return audit.discrepancies[0]!;
}

test('running, killed and stopped it balances; and whatever is taken, added or spoilt is named', {
  timeout: 240_000,
}, async t => {
  await using bench = new Workbench();
  const plant = await Plant.create(bench);
  let collector = plant.start('collector');
  let agent = plant.start('agent');
  const rowsStored = (rows: number) =>
    until(`${rows} rows`, async () => (await plant.stored()) >= rows, 60_000);
  await rowsStored(500);

  await t.test('while all runs, the API and the last report are asked', async () => {
    const audit = await plant.both();
    assertBalanced(audit);
    assert.match(audit.sources.join(), /it runs.*asked at http/s);
    assert.ok(audit.totals.stored >= 500);
    assert.match((await plant.fsck(plant.agent)).text, /EW_STORE_LOCKED/);
    assert.equal((await plant.fsck(plant.collector)).code, 2);
  });

  await t.test('an API that may not be asked: cannot be told', async () => {
    const run = bench.start(['audit', '-c', plant.collector, '--json'], { PLANT_PASSWORD: 'wrong' });
    assert.equal(await run.exited, 2);
    assert.match(run.stdout, /api\.password/);
    assert.doesNotMatch(run.stdout + run.stderr, /wrong/);
  });

  await t.test('after a kill -9 of both, in the middle of an outage', async () => {
    await collector.end('SIGKILL');
    await new Promise(resolve => setTimeout(resolve, 2500)); // blocks spill
    await agent.end('SIGKILL');
    const audit = await plant.both();
    assertBalanced(audit);
    assert.ok(audit.totals.inFlight > 0, 'held by the agent alone');
    assert.match(audit.sources.join(), /read from its outbox.*read from its journal/s);
  });

  await t.test('after the next start has told the gap, and all has been delivered', async () => {
    const before = (await plant.both()).totals;
    collector = plant.start('collector');
    agent = plant.start('agent');
    await until('the collector answers', () => plant.stored());
    await rowsStored(before.read + 300);
    assert.equal(await agent.end('SIGTERM'), 0);
    const running = await plant.both();
    assertBalanced(running);
    assert.equal(await collector.end('SIGTERM'), 0);
    const audit = await plant.both();
    assertBalanced(audit);
    assert.equal(audit.totals.inFlight, 0);
    assert.equal(audit.totals.read, audit.totals.stored);
    for (const config of [plant.agent, plant.collector])
      assert.match((await plant.fsck(config)).text, /Clean\./);
  });

  await t.test('an agent alone: what it delivered is not known to be there', async () => {
    assert.equal((await plant.audit(plant.agent)).code, 2);
  });

  await t.test('a line that is gone from a file of the sink', async () => {
    let row = 0;
    const audit = await plant.spoilt(
      () => {
        const lines = readFileSync(plant.newest(), 'utf8').split('\n');
        row = JSON.parse(lines[3]!).row;
        lines.splice(3, 1);
        writeFileSync(plant.newest(), lines.join('\n'));
      },
      () => plant.both(),
    );
    const found = only(audit, 'rows-missing');
    assert.equal(found.count, 1);
    assert.ok(found.rows!.some(([from, through]) => from <= row && row <= through));
    assert.deepEqual([found.sink, found.gateway, found.device], ['file', 'gateway-1', 'pump-1']);
  });

  await t.test('a line that is there twice', async () => {
    let row = 0;
    const audit = await plant.spoilt(
      () => {
        const lines = readFileSync(plant.newest(), 'utf8').split('\n');
        row = JSON.parse(lines[5]!).row;
        lines.splice(6, 0, lines[5]!);
        writeFileSync(plant.newest(), lines.join('\n'));
      },
      () => plant.both(),
    );
    assert.deepEqual(only(audit, 'rows-doubled').rows, [[row, row]]);
  });

  await t.test('a row that nobody ever sent', async () => {
    const audit = await plant.spoilt(
      () => {
        const lines = readFileSync(plant.newest(), 'utf8').split('\n');
        lines.splice(6, 0, JSON.stringify({ ...JSON.parse(lines[5]!), row: 1e6, seq: 1e6 }));
        writeFileSync(plant.newest(), lines.join('\n'));
      },
      () => plant.both(),
    );
    assert.deepEqual(only(audit, 'rows-unknown').rows, [[1e6, 1e6]]);
  });

  await t.test('files that were taken away from the sink are told, and are no discrepancy', async () => {
    const audit = await plant.spoilt(
      () => {
        for (const name of readdirSync(plant.file('readings')).sort().slice(1, 3))
          rmSync(path.join(plant.file('readings'), name));
      },
      () => plant.both(),
    );
    assertBalanced(audit);
    assert.ok(audit.explained.some(({ kind }) => kind === 'rows-removed'));
  });

  await t.test('a file from the middle is missed', async () => {
    const audit = await plant.spoilt(
      () => rmSync(plant.newest()),
      () => plant.both(),
    );
    assert.ok(only(audit, 'rows-missing').count! > 10);
  });

  await t.test('a block that is gone from the journal', async () => {
    const audit = await plant.spoilt(
      () => tamper(plant.file('collector/journal'), db => db.del(numberKey('d', 5))),
      () => plant.both(),
    );
    const found = audit.discrepancies.filter(({ kind }) => kind !== 'journal-damaged'); // its files are others now
    assert.equal(audit.code, 1);
    assert.deepEqual(
      found.map(({ kind, positions }) => ({ kind, positions })),
      [{ kind: 'blocks-missing', positions: [[5, 5]] }],
    );
  });

  await t.test('rows that the agent has delivered, and the journal does not have', async () => {
    const audit = await plant.spoilt(
      async () => {
        await tamper(plant.file('collector/journal'), async db => {
          const keys = await db.keys({ gte: Buffer.from('r'), lt: Buffer.from('s') }).all();
          for (const key of keys.slice(0, 1)) {
            const json = JSON.parse((await db.get(key))!.toString());
            const [[from, through]] = json.rows['pump-1'];
            json.rows['pump-1'] = [[from, through - 7], ...json.rows['pump-1'].slice(1)];
            await db.put(key, Buffer.from(JSON.stringify(json)));
          }
        });
      },
      () => plant.both(),
    );
    assert.equal(audit.code, 1);
    const missing = audit.discrepancies.find(({ kind, sink }) => kind === 'rows-missing' && !sink);
    assert.equal(missing?.count, 7);
    assert.equal(
      missing?.rows?.reduce((sum, [from, through]) => sum + through - from + 1, 0),
      7,
    );
  });

  await t.test('fsck repairs a journal with a damaged block, and tells its position', async () => {
    await plant.spoilt(
      async () => {
        await tamper(plant.file('collector/journal'), async db => {
          const value = (await db.get(numberKey('d', 7)))!;
          value[value.length - 9]! ^= 4;
          await db.put(numberKey('d', 7), value);
        });
      },
      async () => {
        const found = await plant.fsck(plant.collector);
        assert.equal(found.code, 1);
        assert.match(found.text, /position 7.*unreadable/s);
        assert.match(
          (await plant.fsck(plant.collector, '--repair')).text,
          /copied to.*blocks 7 were unreadable.*repaired\./s,
        );
        assert.match((await plant.fsck(plant.collector)).text, /Clean\./);
      },
    );
  });

  await t.test('fsck finds a cut file of the outbox and of the journal, and repairs both', async () => {
    for (const [config, folder] of [
      [plant.agent, 'agent/outbox'],
      [plant.collector, 'collector/journal'],
    ] as const)
      await plant.spoilt(
        () => {
          const name = readdirSync(plant.file(folder)).find(one => one.startsWith('MANIFEST'))!;
          truncateSync(path.join(plant.file(folder), name), 10);
        },
        async () => {
          assert.equal((await plant.fsck(config)).code, 1, folder);
          assert.equal((await plant.fsck(config, '--repair')).code, 1);
          assert.match((await plant.fsck(config)).text, /Clean\./);
          assertNothingMissing(await plant.both());
        },
      );
  });
});

function assertNothingMissing(audit: Audit): void {
  assert.deepEqual(
    audit.discrepancies.filter(({ kind }) => kind.startsWith('rows-')),
    [],
  );
}
