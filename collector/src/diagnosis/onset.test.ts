import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { aSign, blockedFacts } from '../testing/blocked-pump.js';
import { type Cause, loadCatalogue } from './catalogue.js';
import { explain } from './explain.js';
import { type Facts, rank } from './rank.js';
import { intervalOf, type Sign, signsOf } from './signs.js';

let catalogue: readonly Cause[];
before(async () => {
  catalogue = await loadCatalogue();
});

const onset = 300;
const rowMs = 1000;

/** Noisy channels that begin to change so many rows after row 300, in so many rows, by so many half widths. */
function device(
  changes: Readonly<Record<string, { readonly at: number; readonly over: number; readonly by: number }>>,
  { seed = 7, everyMs = rowMs }: { readonly seed?: number; readonly everyMs?: number } = {},
): { readonly signs: readonly Sign[]; readonly intervalMs: number } {
  const rng = seededRng(seed);
  const rows = Array.from({ length: onset + 240 }, (_, i) => i);
  const channels = Object.entries(changes).map(([field, { at, over, by }]) => ({
    field,
    unit: null,
    values: rows.map(i => {
      const moved = Math.max(0, Math.min(1, (i - onset - at) / Math.max(1, over)));
      return 10 + (2 * rng() - 1) + by * moved;
    }),
  }));
  const time = rows.map(i => i * everyMs);
  return { signs: signsOf({ time, channels }, onset * everyMs), intervalMs: intervalOf({ time }) };
}

function factsOf(told: ReturnType<typeof device>, more: Partial<Facts> = {}): Facts {
  return blockedFacts({ ...told, ...more });
}

function ordersIn(facts: Facts): string[] {
  const { evidence } = explain(rank(catalogue, facts), facts, 0);
  return evidence.filter(({ kind }) => kind === 'order').map(({ text }) => text);
}

test('the channel that left first is evidence, with by how much', () => {
  const told = device({
    suctionPressure: { at: 0, over: 2, by: -12 },
    flow: { at: 40, over: 2, by: -12 },
    vibration: { at: 40, over: 2, by: 12 },
  });
  const [first] = ordersIn(factsOf(told));
  const found = /^suctionPressure fell (\d+) s before (flow fell|vibration rose)$/.exec(first ?? '');
  assert.ok(found, first);
  assert.ok(Math.abs(Number(found[1]) - 40) <= 3, first);
});

test('what begins together has no order, however noisy and however slow, with any seed', () => {
  for (let seed = 1; seed <= 40; seed++) {
    const together = device(
      {
        flow: { at: 0, over: 1, by: -5 },
        dischargePressure: { at: 3, over: 1, by: 9 },
        motorCurrent: { at: 1, over: 1, by: 4 },
      },
      { seed },
    );
    assert.deepEqual(ordersIn(factsOf(together)), [], `seed ${seed}`);
    const slow = device(
      { vibration: { at: 0, over: 100, by: 9 }, flow: { at: 0, over: 100, by: 9 } },
      { seed },
    );
    assert.deepEqual(ordersIn(factsOf(slow)), [], `seed ${seed}`);
  }
});

test('rows that come seldom say less of the order: what lies within few of them is none', () => {
  const apart = { flow: { at: 0, over: 1, by: -9 }, vibration: { at: 4, over: 1, by: 9 } };
  assert.deepEqual(ordersIn(factsOf(device(apart, { everyMs: 60_000 }))), []);
  const far = { ...apart, vibration: { at: 30, over: 1, by: 9 } };
  assert.match(ordersIn(factsOf(device(far, { everyMs: 60_000 })))[0] ?? '', /^flow fell 30 min before/);
});

const chain = (vibrationAt: number, temperatureAt: number) =>
  factsOf(
    device({
      vibration: { at: vibrationAt, over: 5, by: 9 },
      bearingTemperature: { at: temperatureAt, over: 5, by: 9 },
      flow: { at: 0, over: 1, by: 0 },
    }),
  );

test('the order that a cause makes speaks for it, the other way round against it', () => {
  const worn = (facts: Facts) => {
    const { causes, evidence } = explain(rank(catalogue, facts), facts, 0);
    const cause = causes.find(({ id }) => id === 'pump-bearing-wear')!;
    const order = evidence.find(({ kind }) => kind === 'order')?.id;
    return { cause, order: order ?? 'none' };
  };
  const [usual, odd, none] = [worn(chain(0, 60)), worn(chain(60, 0)), worn(chain(0, 0))];
  assert.ok(usual.cause.evidence.includes(usual.order) && !usual.cause.against.includes(usual.order));
  assert.ok(odd.cause.against.includes(odd.order) && !odd.cause.evidence.includes(odd.order));
  assert.equal(none.order, 'none');
  assert.ok(usual.cause.probability > none.cause.probability);
  assert.ok(none.cause.probability > odd.cause.probability);
});

const own = (symptom: Partial<Cause['symptoms'][number]>): Cause => ({
  id: 'own',
  cause: 'Own',
  component: 'part',
  severity: 'warning',
  symptoms: [
    { channel: 'flow', is: 'low', often: 0.9, else: 0.5 },
    { often: 0.9, else: 0.3, ...symptom },
  ],
  may: ['vibration', 'motor current'],
  prior: 1,
  actions: ['Look.'],
});

function oddsOf(symptom: Partial<Cause['symptoms'][number]>, facts: Facts): number {
  return rank([own(symptom)], facts).causes[0]!.probability;
}

test('first: before all others that left, or it says nothing', () => {
  const crossed = (atS: number) => ({ insideMs: 1000 * atS, outsideMs: 1000 * (atS + 1) });
  const flow = (atS: number) => aSign({ field: 'flow', crossing: crossed(atS) });
  const other = (field: string, atS: number) => aSign({ field, shift: 6, crossing: crossed(atS) });
  const facts = (atS: number) =>
    blockedFacts({ signs: [flow(atS), other('vibration', 50), other('motorCurrent', 80)] });
  const first = { channel: 'flow', first: true as const };
  const nothing = oddsOf({ channel: 'unheardOf', first: true }, facts(0));
  assert.ok(oddsOf(first, facts(20)) > nothing, 'before both');
  assert.equal(oddsOf(first, facts(48)), nothing, 'of one it is not clear');
  assert.ok(oddsOf(first, facts(70)) < nothing, 'one was clearly before it');
});

test('a channel of another device can be the first, and is named with it', () => {
  const crossed = (atS: number) => ({ insideMs: 1000 * atS, outsideMs: 1000 * (atS + 1) });
  const voltage = aSign({ field: 'voltage', shift: -9, crossing: crossed(0) });
  const others = [{ device: 'feed-1', deviceType: 'power-feed', signs: [voltage], intervalMs: 1000 }];
  const current = aSign({ field: 'motorCurrent', shift: 6, crossing: crossed(30) });
  const facts = blockedFacts({ signs: [current], others, company: 1 });
  const { evidence } = explain(rank(catalogue, facts), facts, 0);
  const order = evidence.find(({ kind }) => kind === 'order');
  assert.equal(order?.text, 'feed-1: voltage fell 30 s before motorCurrent rose');
  assert.deepEqual(
    [order.device, order.field, order.other],
    ['feed-1', 'voltage', { device: 'pump-1', field: 'motorCurrent' }],
  );
  assert.equal(order.plain, '{channel} fell 30 s before {other} rose');
});
