/** Refusals, replays and notes: what the runtime asks of a sink beside its writes. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import type { Delivery, Note, Refusal, Sink } from '@edgeward/shared/contracts';
import { hasCode, isRetryable } from '@edgeward/shared/errors';
import { selectRows } from '@edgeward/shared/select-rows';
import { Parcel, type Part, sizeOf } from '../runtime/parcel.js';
import { anIncident } from './an-incident.js';
import { cursorAfter } from './deliveries.js';
import { bench, deliveriesOf, type Refuse, type SinkHarness } from './sink-bench.js';

const open = new AbortController().signal;
const longText = 'x'.repeat(1024 * 1024 + 1);

/** As the runtime does: what is refused as a whole is halved until it stands alone. */
async function storeAll(sink: Sink, deliveries: readonly Delivery[], refuse: Refuse): Promise<void> {
  const parcel = new Parcel(deliveries, []);
  while (parcel.size > 0) {
    const part = parcel.next();
    if (await taken(sink, part, refuse)) parcel.done(part);
    else parcel.refused(part);
  }
}

async function taken(sink: Sink, part: Part, refuse: Refuse, tries = 20): Promise<boolean> {
  try {
    await sink.write(part.deliveries, cursorAfter(part.deliveries), open);
    return true;
  } catch (error) {
    if (isRetryable(error) && tries > 1) {
      await systemClock.sleep(100, open);
      return taken(sink, part, refuse, tries - 1);
    }
    if (!hasCode(error, 'EW_SINK_REFUSED')) throw error;
    if (sizeOf(part) > 1) return false;
    await refuse(part.deliveries.map(delivery => ({ delivery, reason: error.message })));
    return true;
  }
}

/** One row of it has a text that is too long. */
function spoilt(delivery: Delivery, at: number): Delivery {
  const texts = Array.from(delivery.batch.values[4] as readonly string[]);
  texts[at] = longText;
  return { ...delivery, batch: { ...delivery.batch, values: [...delivery.batch.values.slice(0, 4), texts] } };
}

export async function refusals(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const refused: Refusal[] = [];
  const refuse: Refuse = async more => void refused.push(...more);
  const deliveries = deliveriesOf(21, 7).map((one, i) => (i === 3 ? spoilt(one, 2) : one));
  {
    await using sink = create(dir, refuse);
    await sink.cursor?.();
    await storeAll(sink, deliveries, refuse);
  }
  const [first] = refused;
  assert.ok(first && 'delivery' in first && refused.length === 1, `${refused.length} refusals`);
  assert.equal(first.delivery.seq, deliveries[3]!.seq);
  assert.ok(first.rows === undefined || first.rows.includes(2), `rows ${first.rows}`);
  assert.ok(first.reason.length > 10, 'it says why');
  const left = stored(deliveries, first);
  await check(left);
  // As after a crash before the cursor moved.
  await using again = create(dir, refuse);
  await again.cursor?.();
  await storeAll(again, deliveries, refuse);
  await check(left);
}

/** All but what was refused. */
function stored(
  deliveries: readonly Delivery[],
  { delivery, rows }: Extract<Refusal, { delivery: Delivery }>,
) {
  return deliveries.flatMap(one => {
    if (one.seq !== delivery.seq || one.gateway !== delivery.gateway) return [one];
    if (!rows) return [];
    const kept = [...one.batch.row.keys()].filter(i => !rows.includes(i));
    return kept.length === 0 ? [] : [{ ...one, batch: selectRows(one.batch, Uint32Array.from(kept)) }];
  });
}

export async function replays(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const all = deliveriesOf(22, 6);
  const [letter, ...others] = [all[1]!, all[0]!, ...all.slice(2)];
  const after = cursorAfter(all.slice(0, 4));
  const replay = async (sink: Sink) => {
    if (sink.replay) await sink.replay('letter-1', [letter], [], open);
    else if (!sink.cursor) await sink.write([letter], after, open);
    else t.skip('it cannot replay');
  };
  {
    await using sink = create(dir);
    await sink.cursor?.();
    await sink.write(others.slice(0, 3), after, open);
    await replay(sink);
    await replay(sink);
    const cursor = await sink.cursor?.();
    if (sink.cursor) assert.equal(cursor?.position, 4, 'its cursor has not moved');
  }
  const expected = [...others.slice(0, 3), letter];
  await check(expected);
  await using again = create(dir);
  assert.equal((await again.cursor?.())?.position ?? 4, 4);
  await replay(again);
  await check(expected);
  const rest = others.slice(3);
  await again.write(rest, cursorAfter(rest, 'journal-1', after), open);
  await check([...expected, ...rest]);
}

/** A letter that is refused again stays one that was never replayed; what is left of one goes by an id of its own. */
export async function refusedReplays(t: TestContext, harness: SinkHarness) {
  const { create, dir, check } = await bench(t, harness);
  const [stored, other] = deliveriesOf(24, 2) as [Delivery, Delivery];
  const part = (...rows: number[]) => ({ ...other, batch: selectRows(other.batch, Uint32Array.from(rows)) });
  let refused = 0;
  const refuse: Refuse = async more => {
    refused += more.length;
  };
  const after = cursorAfter([stored, other]);
  const replay = async (sink: Sink, letter: string, delivery: Delivery) => {
    const before = refused;
    try {
      if (sink.replay) await sink.replay(letter, [delivery], [], open);
      else await sink.write([delivery], after, open);
    } catch (error) {
      if (!hasCode(error, 'EW_SINK_REFUSED')) throw error;
      return true;
    }
    return refused > before;
  };
  const again = async (letter: string, delivery: Delivery, isRefused: boolean) => {
    for (const time of ['first', 'second']) {
      await using sink = create(dir, refuse);
      await sink.cursor?.();
      assert.equal(await replay(sink, letter, delivery), isRefused, `${letter} for the ${time} time`);
    }
  };
  {
    await using sink = create(dir, refuse);
    await sink.cursor?.();
    await sink.write([stored], after, open);
  }
  await again('letter-1', spoilt(part(0), 0), true);
  await check([stored]);
  await again('letter-1', part(0), false); // as once its store has room
  await check([stored, part(0)]);
  {
    await using sink = create(dir, refuse);
    await sink.cursor?.();
    assert.ok(await replay(sink, 'letter-2', spoilt(part(1, 2), 1)));
  }
  await check([stored, part(0), part(1)]);
  await again('letter-3', spoilt(part(2), 0), true);
  await again('letter-3', part(2), false);
  await check([stored, part(0), part(1), part(2)]);
}

export async function notesOnce(
  t: TestContext,
  harness: SinkHarness,
  noteIdsOf: NonNullable<SinkHarness['noteIdsOf']>,
) {
  const { create, dir, check } = await bench(t, harness);
  const ids = async () => {
    const found = await noteIdsOf(dir);
    return harness.unordered ? [...found].sort() : found;
  };
  const notes = [1, 2, 3, 4].map(noteOf);
  const deliveries = deliveriesOf(23, 2);
  const numbered = (number: number) => ({
    ...cursorAfter(deliveries),
    notes: { 'incident/alerts-1': number },
  });
  {
    await using sink = create(dir);
    assert.equal(sink.takesNotes, true);
    await sink.cursor?.();
    await sink.write(deliveries, numbered(2), open, notes.slice(0, 2));
    await sink.write(deliveries, numbered(2), open, notes.slice(0, 2));
    await sink.write([], numbered(3), open, notes.slice(2, 3));
    assert.deepEqual(await ids(), ['inc-1', 'inc-2', 'inc-3']);
  }
  await using again = create(dir);
  const cursor = await again.cursor?.();
  if (again.cursor) assert.deepEqual(cursor?.notes, { 'incident/alerts-1': 3 });
  await again.write(deliveries, numbered(4), open, notes);
  assert.deepEqual(await ids(), ['inc-1', 'inc-2', 'inc-3', 'inc-4']);
  await check(deliveries);
}

function noteOf(number: number): Note {
  const incident = anIncident({ id: `inc-${number}` });
  const { gateway, device, openedMs } = incident;
  const value = { ...incident };
  return {
    feed: 'incident',
    store: 'alerts-1',
    number,
    gateway,
    device,
    atMs: openedMs + number * 1000,
    value,
  };
}
