/** What an audit makes of losses that were counted, of journals that were trimmed, and of kills. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Finding } from '@edgeward/shared/audit/finding';
import type { SinkAudit, SinkRows } from '../sinks/audit.js';
import type { ListedBlock } from './block-list.js';
import { type Books, parseBooks } from './books.js';
import { checkGaps } from './gap-check.js';
import { checkLedger, takeStored } from './ledger-check.js';
import { checkSink, markOf, readSink } from './sink-check.js';
import { Walk } from './walk.js';

const [first, second] = ['000000001-00000000000000aa', '000000002-00000000000000aa'];
const journal = 'journal-1';

/** Blocks of 10 rows each, at positions from 1; seq = position. */
function blocks(from: number, through: number): ListedBlock[] {
  return Array.from({ length: through - from + 1 }, (_, i) => {
    const seq = from + i;
    const devices = [{ device: 'pump-1', first: seq * 10 - 9, last: seq * 10, count: 10 }];
    return { position: seq, gateway: 'gw-1', epoch: first, seq, devices };
  });
}

/** A journal that took 10 blocks of one start, and whatever else is told. */
function booksOf(more: object = {}): Books {
  return parseBooks({
    journal,
    position: 10,
    gone: [],
    received: {
      [`gw-1/${first}`]: { outbox: 'o-1', seqs: [[1, 10]], rows: { 'pump-1': [[1, 100]] }, position: 10 },
    },
    accounts: {},
    reports: {},
    cursors: {},
    lost: {},
    begun: {},
    events: [],
    ...more,
  });
}

class FakeSinkAudit implements SinkAudit {
  readonly problems: string[] = [];
  readonly cursor: SinkAudit['cursor'];

  constructor(
    readonly has: readonly ListedBlock[],
    position: number,
    readonly begunLater = false,
    cursorJournal = journal,
  ) {
    this.cursor = { journal: cursorJournal, position, received: { [`gw-1/${first}`]: [[1, position]] } };
  }

  async *rows(): AsyncGenerator<SinkRows> {
    for (const { gateway, epoch, seq, devices } of this.has)
      for (const rows of devices) yield { gateway, epoch, seq, ...rows };
  }
}

async function check(books: Books, audit: SinkAudit | undefined, present: readonly ListedBlock[]) {
  const read = await readSink('file', audit);
  const mark = markOf(books, read);
  const walked = await new Walk(books, [mark]).run(
    (async function* () {
      yield* present;
    })(),
  );
  return { walked, ...checkSink(books, read, mark) };
}

const brief = (found: readonly Finding[]) => found.map(({ kind, rows, count }) => ({ kind, rows, count }));

test('a sink that is behind has what its cursor says, and waits for the rest', async () => {
  const found = await check(booksOf(), new FakeSinkAudit(blocks(1, 7), 7), blocks(1, 10));
  assert.deepEqual([found.walked, found.discrepancies, found.explained], [[], [], []]);
  assert.deepEqual(found.side, { sink: 'file', position: 7, waiting: 3, rows: 70, lost: 0, refused: 0 });
});

test('rows that came before the cursor did are unknown to the journal as its own', async () => {
  const found = await check(booksOf(), new FakeSinkAudit(blocks(1, 8), 7), blocks(1, 10));
  assert.deepEqual(brief(found.discrepancies), [{ kind: 'rows-unknown', rows: [[71, 80]], count: 10 }]);
});

test('old blocks that were trimmed are still held against the sink', async () => {
  const books = booksOf({ gone: [[1, 6]] });
  const whole = await check(books, new FakeSinkAudit(blocks(1, 10), 10), blocks(7, 10));
  assert.deepEqual([whole.walked, whole.discrepancies], [[], []]);
  const has = blocks(1, 10).filter(({ seq }) => seq !== 3);
  const found = await check(books, new FakeSinkAudit(has, 10), blocks(7, 10));
  assert.deepEqual(brief(found.discrepancies), [{ kind: 'rows-missing', rows: [[21, 30]], count: 10 }]);
});

test('what was given up at the quota accounts for as many rows, and for none that the journal still has', async () => {
  const lost = { file: { blocks: 2, rows: 20, ranges: [[1, 2]] } };
  const books = booksOf({ gone: [[1, 2]], lost });
  const found = await check(books, new FakeSinkAudit(blocks(3, 10), 10), blocks(3, 10));
  assert.deepEqual(found.discrepancies, []);
  assert.deepEqual(brief(found.explained), [{ kind: 'rows-lost-at-quota', rows: [[1, 20]], count: 20 }]);
  const fewer = await check(books, new FakeSinkAudit(blocks(4, 10), 10), blocks(3, 10));
  assert.deepEqual(brief(fewer.discrepancies), [{ kind: 'rows-missing', rows: [[1, 30]], count: 30 }]);
});

test('refused rows are in dead letters: not missing, and no cover for others', async () => {
  const refused = (rows: [number, number][]) => ({
    file: { rows: { [`gw-1/${first}`]: { 'pump-1': rows } }, deleted: 0 },
  });
  const [block] = blocks(4, 4);
  const thin = { ...block!, devices: [{ ...block!.devices[0]!, count: 9 }] };
  const all = blocks(1, 10);
  const oneRefused = [...blocks(1, 3), thin, ...blocks(5, 10)];
  const part = await check(booksOf({ refused: refused([[35, 35]]) }), new FakeSinkAudit(oneRefused, 10), all);
  assert.deepEqual(part.discrepancies, []);
  assert.deepEqual(brief(part.explained), [{ kind: 'rows-refused', rows: [[35, 35]], count: 1 }]);
  assert.equal(part.side.refused, 1);
  const without = all.filter(({ seq }) => seq !== 4);
  const whole = await check(booksOf({ refused: refused([[31, 40]]) }), new FakeSinkAudit(without, 10), all);
  assert.deepEqual(whole.discrepancies, []);
  const less = await check(booksOf({ refused: refused([[31, 39]]) }), new FakeSinkAudit(without, 10), all);
  assert.deepEqual(brief(less.discrepancies), [{ kind: 'rows-missing', rows: [[40, 40]], count: 1 }]);
  const two = { ...block!, devices: [{ ...block!.devices[0]!, count: 8 }] };
  const hole = [...blocks(1, 3), two, ...blocks(5, 10)];
  const more = await check(booksOf({ refused: refused([[35, 35]]) }), new FakeSinkAudit(hole, 10), all);
  assert.deepEqual(brief(more.discrepancies), [{ kind: 'rows-missing', rows: [[31, 40]], count: 1 }]);
});

test('deleted dead letters explain the rows they had, each once, and no others', async () => {
  const all = blocks(1, 10);
  const ask = (spans: [number, number, number][], has: readonly ListedBlock[]) => {
    const one = { rows: {}, deleted: 1000, deletedRows: { [`gw-1/${first}`]: { 'pump-1': spans } } };
    return check(booksOf({ refused: { file: one } }), new FakeSinkAudit(has, 10), all);
  };
  const but = (...seqs: number[]) => all.filter(({ seq }) => !seqs.includes(seq));
  const whole = await ask([[31, 40, 10]], but(4));
  assert.deepEqual(whole.discrepancies, []);
  assert.deepEqual(brief(whole.explained), [{ kind: 'rows-refused', rows: [[31, 40]], count: 10 }]);
  const others = await ask([[31, 40, 10]], but(6));
  assert.deepEqual(brief(others.discrepancies), [{ kind: 'rows-missing', rows: [[51, 60]], count: 10 }]);
  assert.deepEqual(others.explained, []);
  const part = await ask([[31, 38, 8]], but(4));
  assert.deepEqual(brief(part.discrepancies), [{ kind: 'rows-missing', rows: [[39, 40]], count: 2 }]);
  const wide = await ask([[21, 90, 10]], but(4, 6));
  assert.deepEqual(brief(wide.discrepancies), [{ kind: 'rows-missing', rows: [[51, 60]], count: 10 }]);
  const thin = (count: number) =>
    all.map(block => (block.seq === 4 ? { ...block, devices: [{ ...block.devices[0]!, count }] } : block));
  const hole = await ask([[33, 33, 1]], thin(9));
  assert.deepEqual([hole.discrepancies, hole.explained[0]?.count], [[], 1]);
  const more = await ask([[33, 33, 1]], thin(8));
  assert.deepEqual(brief(more.discrepancies), [{ kind: 'rows-missing', rows: [[31, 40]], count: 2 }]);
});

test('rows before a sink began are not its own to have; those after are', async () => {
  const start = { position: 4, asked: 'now', atMs: 1 };
  const skipped = { [`gw-1/${first}`]: { 'pump-1': [[1, 40]] } };
  const begun = { file: { start, skipped } };
  for (const gone of [[], [[1, 2]]]) {
    const books = booksOf({ begun, gone });
    const kept = blocks(gone.length > 0 ? 3 : 1, 10);
    const whole = await check(books, new FakeSinkAudit(blocks(5, 10), 10), kept);
    assert.deepEqual([whole.walked, whole.discrepancies], [[], []]);
    assert.deepEqual(brief(whole.explained), [{ kind: 'rows-before-start', rows: undefined, count: 40 }]);
    const fewer = await check(books, new FakeSinkAudit(blocks(6, 10), 10), kept);
    assert.deepEqual(brief(fewer.discrepancies), [{ kind: 'rows-missing', rows: [[41, 50]], count: 10 }]);
    assert.deepEqual(brief(fewer.explained), [{ kind: 'rows-before-start', rows: undefined, count: 40 }]);
  }
});

test('where files were taken away, what the journal has from the first row on must be there', async () => {
  const books = booksOf({ gone: [[1, 2]] });
  const whole = await check(books, new FakeSinkAudit(blocks(5, 10), 10, true), blocks(3, 10));
  assert.deepEqual(whole.discrepancies, []);
  const has = blocks(5, 10).filter(({ seq }) => seq !== 8);
  const found = await check(books, new FakeSinkAudit(has, 10, true), blocks(3, 10));
  assert.deepEqual(brief(found.discrepancies), [{ kind: 'rows-missing', rows: [[71, 80]], count: 10 }]);
});

test('a thinned block is whole with the rows it has left, and one row less is missed', async () => {
  const thin = (count: number): ListedBlock[] => {
    const [block] = blocks(4, 4);
    return [{ ...block!, devices: [{ ...block!.devices[0]!, count }] }];
  };
  const rows = { 'pump-1': { spans: [[1, 100]], thinned: [[31, 40, 5]] } };
  const received = { [`gw-1/${first}`]: { outbox: 'o-1', seqs: [[1, 10]], rows, position: 10 } };
  const all = (count: number) => [...blocks(1, 3), ...thin(count), ...blocks(5, 10)];
  const whole = await check(booksOf({ received }), new FakeSinkAudit(all(5), 10), all(5));
  assert.deepEqual([whole.walked, whole.discrepancies], [[], []]);
  const found = await check(booksOf({ received }), new FakeSinkAudit(all(4), 10), all(5));
  assert.deepEqual(brief(found.discrepancies), [{ kind: 'rows-missing', rows: [[31, 40]], count: 1 }]);
});

test('a sink that still follows an earlier journal is told, not accused', async () => {
  const found = await check(booksOf(), new FakeSinkAudit(blocks(1, 4), 4, false, 'journal-0'), blocks(1, 10));
  assert.deepEqual(found.discrepancies, []);
  assert.deepEqual(
    found.explained.map(({ kind }) => kind),
    ['sink-elsewhere'],
  );
});

test('a block that lies twice in the journal, or is unknown to its records, is found', async () => {
  const again = { ...blocks(4, 4)[0]!, position: 10 };
  const twice = await check(booksOf(), undefined, [...blocks(1, 9), again]);
  assert.deepEqual(brief(twice.walked), [{ kind: 'rows-doubled', rows: undefined, count: 10 }]);
  const strange = { ...blocks(10, 10)[0]!, seq: 77 };
  const unknown = await check(booksOf(), undefined, [...blocks(1, 9), strange]);
  assert.deepEqual(
    unknown.walked.map(({ kind }) => kind),
    ['rows-unrecorded'],
  );
});

const report = (rows: object[], more: object = {}, epoch = second) => ({
  'gw-1/o-1': {
    heardMs: 1,
    report: {
      gateway: 'gw-1',
      epoch,
      atMs: 1,
      version: '1',
      devices: [
        {
          device: 'pump-1',
          read: 100,
          rejected: 0,
          thinned: 0,
          dropped: 0,
          damaged: 0,
          rows,
          held: [],
          ...more,
        },
      ],
      outbox: { id: 'o-1', blocks: 0, bytes: 0, maxBytes: 1, oldestMs: null, durability: 'deferred' },
      condensedThrough: 0,
      process: { pid: 1, rssBytes: 1, cpuSeconds: 1 },
      models: {},
    },
  },
});
const short = {
  [`gw-1/${first}`]: {
    outbox: 'o-1',
    seqs: [
      [1, 2],
      [4, 10],
    ],
    rows: {
      'pump-1': [
        [1, 20],
        [31, 100],
      ],
    },
    position: 10,
  },
};

test('rows that were read and are nowhere are named, with the seqs that never came', () => {
  const books = booksOf({ received: short, reports: report([{ epoch: first, ranges: [[1, 100]] }]) });
  const [found, ...others] = checkLedger(books).discrepancies;
  assert.deepEqual(others, []);
  assert.deepEqual(
    [found!.kind, found!.rows, found!.seqs, found!.count],
    ['rows-missing', [[21, 30]], [[3, 3]], 10],
  );
});

test('rows that were counted as dropped are accounted for', () => {
  const dropped = report([{ epoch: first, ranges: [[1, 100]] }], { dropped: 10 });
  const { discrepancies, explained } = checkLedger(booksOf({ received: short, reports: dropped }));
  assert.deepEqual(discrepancies, []);
  assert.deepEqual(brief(explained), [{ kind: 'rows-dropped', rows: undefined, count: 10 }]);
});

test('row numbers that nobody has are a gap if an event tells of one, and else a discrepancy', () => {
  const told = report(
    [
      {
        epoch: first,
        ranges: [
          [1, 20],
          [31, 100],
        ],
      },
    ],
    { read: 90 },
  );
  const gap = { gateway: 'gw-1', epoch: second, kind: 'gap', text: 'The agent did not stop cleanly.' };
  const explained = checkGaps(booksOf({ received: short, reports: told, events: [gap] }), []);
  assert.deepEqual(brief(explained.explained), [{ kind: 'rows-gap', rows: [[21, 30]], count: 10 }]);
  assert.deepEqual(explained.discrepancies, []);
  const silent = checkGaps(booksOf({ received: short, reports: told }), []);
  assert.deepEqual(brief(silent.discrepancies), [{ kind: 'rows-vanished', rows: [[21, 30]], count: 10 }]);
});

test('rows that an agent had reported and its outbox forgot are a discrepancy only after a clean end', () => {
  const kinds = (endedCleanly: boolean) => {
    const books = booksOf({ reports: report([{ epoch: first, ranges: [[1, 120]] }], { read: 120 }, first) });
    const device = { device: 'pump-1', read: 100, rejected: 0, thinned: 0, dropped: 0, damaged: 0, held: [] };
    const devices = [{ ...device, rows: [{ epoch: first, ranges: [[1, 100]] as [number, number][] }] }];
    const stored = { id: 'o-1', epoch: second, journal, endedCleanly, condensedThrough: 0, devices };
    const side = { gateway: 'gw-1', stored, source: '', discrepancies: [], explained: [], unknown: [] };
    const { discrepancies, explained } = takeStored(books, [side]);
    return { wrong: brief(discrepancies), told: brief(explained) };
  };
  assert.deepEqual(kinds(true), {
    wrong: [{ kind: 'rows-vanished', rows: [[101, 120]], count: 20 }],
    told: [],
  });
  assert.deepEqual(kinds(false), { wrong: [], told: [{ kind: 'rows-gap', rows: [[101, 120]], count: 20 }] });
});

test('a gateway that never reported cannot be told', () => {
  const { discrepancies, unknown } = checkLedger(booksOf());
  assert.deepEqual(discrepancies, []);
  assert.deepEqual(
    unknown.map(({ kind, device }) => `${kind} ${device}`),
    ['no-report pump-1'],
  );
});
