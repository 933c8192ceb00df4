/** What the ledger says of rows that are stored, on their way, lost with a reason, or gone without one. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RangeList } from '@edgeward/shared/contracts';
import { Accounts } from './journal/accounts.js';
import { noteReport } from './journal/bookkeeping.js';
import type { Span } from './journal/device-rows.js';
import { Received, ReceivedEpoch } from './journal/received.js';
import { epochOf } from './journal/testing/blocks.js';
import { fleetLedger, ledgerView } from './ledger.js';
import type { DeviceSaid, GatewayReport } from './report.js';

type Said = Partial<Omit<DeviceSaid, 'rows'>> & { rows?: Record<number, RangeList> };

/** The journal's and the agents' words about gw-1. */
class Books {
  readonly received = new Received();
  readonly accounts = new Accounts();

  store(
    start: number,
    device: string,
    first: number,
    last: number,
    more: Partial<Span> & { outbox?: string } = {},
  ) {
    const { outbox = 'o-1', count = last - first + 1 } = more;
    const epoch = this.received.get('gw-1', epochOf(start)) ?? new ReceivedEpoch(outbox);
    epoch.addRows(device, { first, last, count });
    this.received.set('gw-1', epochOf(start), epoch);
  }

  /** What the gateway says, of device a unless told. */
  report(
    start: number,
    said: Said,
    more: { condensedThrough?: number; outbox?: string; journal?: string } = {},
  ) {
    const { condensedThrough = 0, outbox = 'o-1', journal } = more;
    const rows = Object.entries(said.rows ?? {}).map(([s, ranges]) => ({
      epoch: epochOf(Number(s)),
      ranges: ranges as [number, number][],
    }));
    const none = { rejected: 0, thinned: 0, dropped: 0, damaged: 0, held: [] };
    const report: GatewayReport = {
      gateway: 'gw-1',
      epoch: epochOf(start),
      atMs: start,
      version: '0',
      devices: [{ device: 'a', read: 0, ...none, ...said, rows }],
      outbox: {
        id: outbox,
        blocks: 0,
        bytes: 0,
        maxBytes: 1,
        oldestMs: null,
        durability: 'deferred',
        ...(journal && { journal }),
      },
      condensedThrough,
      process: { pid: 1, rssBytes: 1, cpuSeconds: 1 },
      models: {},
    };
    return noteReport(this.accounts, this.received, report, start, 'j-1');
  }

  /** The account was there before, with nothing delivered elsewhere. */
  begin(start = 1, outbox = 'o-1'): this {
    this.report(start, {}, { outbox });
    return this;
  }

  /** Whatever the lines say, the fleet in one line says the same. */
  view() {
    const view = ledgerView(this.received, this.accounts);
    const { unbalanced, ...fleet } = fleetLedger(this.received, this.accounts);
    assert.equal(unbalanced, view.devices.filter(({ balanced }) => !balanced).length);
    for (const [term, count] of Object.entries(fleet)) {
      const lines = view.devices.map(line => line[term as keyof typeof fleet]);
      assert.equal(
        count,
        lines.reduce((sum, one) => sum + one, 0),
        term,
      );
    }
    return view;
  }

  line(device = 'a', outbox = 'o-1') {
    const found = this.view().devices.find(one => one.device === device && one.outbox === outbox);
    assert.ok(found, `${device} of ${outbox}`);
    return found;
  }
}

const held = (start: number, from: number, through: number, count = through - from + 1) => ({
  epoch: epochOf(start),
  from,
  through,
  count,
});

test('balances when every row is stored, held, or lost with a reason, over several starts', () => {
  const books = new Books().begin();
  books.store(1, 'a', 1, 32);
  books.store(3, 'a', 11, 20);
  const losses = { rejected: 1, thinned: 2, dropped: 3, damaged: 4 };
  const rows = { 1: [[1, 40]], 3: [[1, 50]] } as const;
  books.report(3, { read: 100, ...losses, rows, held: [held(1, 31, 40), held(3, 1, 50)] });
  const { stored, inFlight, balanced, asOfMs } = books.line();
  assert.deepEqual([stored, inFlight, balanced, asOfMs], [42, 48, true, 3]);
});

test('a row that is neither stored nor held is missed, on the very device, and none is made up for it', () => {
  const books = new Books().begin();
  books.store(1, 'a', 1, 4);
  books.store(1, 'a', 6, 10);
  books.report(1, { read: 10, rows: { 1: [[1, 10]] } });
  const { balanced, gateways } = books.view();
  assert.deepEqual([balanced, books.line().stored, gateways[0]?.balanced], [false, 9, false]);
});

test('a row that is stored and also called lost is one too many', () => {
  const books = new Books().begin();
  books.store(1, 'a', 1, 10);
  books.report(1, { read: 10, dropped: 1, rows: { 1: [[1, 10]] } });
  assert.equal(books.view().balanced, false);
});

test('what came after the report is left for the next one, of its start and of later ones', () => {
  const books = new Books().begin();
  books.store(1, 'a', 1, 25);
  books.store(2, 'a', 1, 7);
  books.store(1, 'new', 1, 3);
  books.report(1, { read: 10, rows: { 1: [[1, 10]] } });
  assert.deepEqual([books.line().stored, books.line('new').stored, books.view().balanced], [10, 0, true]);
});

test('rows of a start that was killed before it noted them are read, stored, and said to be recovered', () => {
  const books = new Books().begin();
  books.store(1, 'a', 1, 25);
  books.store(1, 'unsaid', 1, 5);
  books.report(2, { read: 10, rows: { 1: [[1, 10]] } });
  const { read, stored, recovered, balanced } = books.line();
  assert.deepEqual([read, stored, recovered, balanced], [25, 25, 15, true]);
  assert.deepEqual([books.line('unsaid').recovered, books.line('unsaid').balanced], [5, true]);
});

test('thinned blocks count as what they hold, on their way and here', () => {
  const books = new Books().begin();
  const said = { read: 30, thinned: 8, rows: { 1: [[1, 30]] } as const };
  books.report(1, { ...said, held: [held(1, 11, 20, 5), held(1, 21, 30, 7)] });
  books.store(1, 'a', 1, 10);
  assert.deepEqual([books.line().inFlight, books.line().balanced], [12, true]);
  books.store(1, 'a', 11, 20, { count: 5 });
  assert.deepEqual([books.line().inFlight, books.line().stored, books.line().balanced], [7, 15, true]);
  books.store(1, 'a', 21, 30, { count: 7 });
  assert.deepEqual([books.line().inFlight, books.line().stored, books.line().balanced], [0, 22, true]);
});

test('what the agent no longer tells by number keeps its counts, while it may come and when it no longer can', () => {
  const books = new Books().begin();
  books.store(1, 'a', 1, 20);
  books.report(2, { read: 10, rows: { 1: [[1, 10]], 2: [] } }); // 10 are recovered
  assert.equal(books.line().recovered, 10);
  const condensed = { read: 15, rows: { 2: [[1, 5]] } as const, held: [held(2, 1, 5)] };
  books.report(2, condensed, { condensedThrough: 1 });
  assert.deepEqual([books.line().recovered, books.line().balanced], [10, true]);
  const account = books.accounts.get('gw-1', 'o-1');
  assert.ok(account);
  account.oldestStart = 2; // as a block's header says
  const { writes } = books.report(2, condensed, { condensedThrough: 1 });
  assert.equal(books.received.get('gw-1', epochOf(1)), undefined, 'only its counts are kept');
  assert.equal(writes.filter(({ type }) => type === 'del').length, 1);
  books.store(2, 'a', 1, 5);
  const { read, stored, recovered, balanced } = books.line();
  assert.deepEqual([read, stored, recovered, balanced], [25, 25, 10, true]);
});

test('a journal that begins anew says how much went to another one, and counts what comes once more', () => {
  const books = new Books();
  const said = { read: 100, dropped: 10, rows: { 1: [[1, 60]], 2: [[1, 40]] } as const };
  const { text } = books.report(2, { ...said, held: [held(2, 31, 40)] });
  assert.match(text ?? '', /80 rows/);
  assert.deepEqual([books.line().earlier, books.line().inFlight, books.line().balanced], [80, 10, true]);
  books.store(2, 'a', 21, 40); // ten of them the other one had, and not released
  assert.deepEqual([books.line().earlier, books.line().stored, books.line().balanced], [70, 20, true]);
  books.report(2, said);
  assert.deepEqual([books.line().earlier, books.line().balanced], [70, true]);
  books.accounts.get('gw-1', 'o-1')!.oldestStart = 3;
  books.report(3, { ...said, rows: {} }, { condensedThrough: 2 });
  assert.equal(books.received.get('gw-1', epochOf(2)), undefined);
  assert.deepEqual([books.line().earlier, books.line().balanced], [70, true], 'ranges are counts now');
  books.report(3, { ...said, read: 101, rows: { 3: [[1, 1]] } }, { condensedThrough: 2 });
  assert.equal(books.line().balanced, false, 'what is lost from now on is missed');
});

test('what an agent had delivered elsewhere and forgot at a kill is in no sum any more', () => {
  const books = new Books();
  books.report(2, { read: 30, rows: { 1: [[1, 20]], 2: [[1, 10]] } });
  assert.deepEqual([books.line().earlier, books.line().balanced], [30, true]);
  books.store(2, 'a', 9, 12); // the collector before had two of them, and has not said so
  const { matters } = books.report(3, { read: 25, rows: { 1: [[1, 20]], 2: [[1, 5]] } });
  assert.ok(matters, 'it survives a power cut');
  const { read, stored, recovered, earlier, balanced } = books.line();
  assert.deepEqual([read, stored, recovered, earlier, balanced], [29, 4, 4, 25, true]);
  books.report(3, { read: 25, rows: {} }, { condensedThrough: 2 });
  assert.deepEqual(books.line().earlier, 25, 'what is only no longer told is not forgotten');
});

test('what went elsewhere is settled once the agent knows this journal: until then receipts of another are under way', () => {
  const books = new Books();
  const rows = { 1: [[1, 10]] } as const;
  const { text } = books.report(1, { read: 10, rows, held: [held(1, 6, 10)] }, { journal: 'j-0' });
  assert.equal(text, undefined, 'told once');
  assert.deepEqual([books.line().earlier, books.line().inFlight, books.line().balanced], [5, 5, true]);
  const met = books.report(1, { read: 10, rows, held: [held(1, 9, 10)] }, { journal: 'j-1' });
  assert.match(met.text ?? '', /8 rows/);
  assert.deepEqual([books.line().earlier, books.line().inFlight, books.line().balanced], [8, 2, true]);
  books.report(1, { read: 10, rows }, { journal: 'j-1' });
  assert.equal(books.line().balanced, false, 'what is lost from now on is missed');
});

test('another outbox under the same name has its own account; the old one is closed with what it last said', () => {
  const books = new Books().begin();
  books.store(1, 'a', 1, 10);
  books.report(7, { read: 20, rows: { 1: [[1, 20]] }, held: [held(1, 11, 20)] });
  books.begin(8, 'o-2');
  books.store(2, 'a', 1, 3, { outbox: 'o-2' });
  books.report(9, { read: 3, rows: { 2: [[1, 3]] } }, { outbox: 'o-2' });
  const [old, young] = [books.line('a', 'o-1'), books.line('a', 'o-2')];
  assert.deepEqual([old.closed, old.stored, old.inFlight, old.balanced], [true, 10, 10, true]);
  assert.deepEqual([young.closed, young.read, young.stored, young.balanced], [false, 3, 3, true]);
});

test('rows before the first report do not balance, and those that came as JSON always do', () => {
  const books = new Books();
  books.store(1, 'a', 1, 3);
  assert.equal(books.view().balanced, false);
  const json = new Books();
  json.store(1, 'a', 1, 3, { outbox: 'json' });
  assert.deepEqual([json.line('a', 'json').read, json.view().balanced], [3, true]);
});
