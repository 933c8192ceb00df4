import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Cursor, Delivery, RangeList } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { cursorAt, isStored, StoredRanges } from './stored-ranges.js';

const epoch = '000000001-0123456789abcdef';

function delivery(gateway: number, seq: number): Delivery {
  return { gateway: `gw-${gateway}`, epoch, seq } as Delivery;
}

/** What a cursor must say, kept by itself. */
class Reference {
  readonly #sets: Map<string, RangeSet>;

  constructor(sets = new Map<string, RangeSet>()) {
    this.#sets = sets;
  }

  with(deliveries: readonly Delivery[]): Reference {
    const sets = new Map([...this.#sets].map(([key, set]) => [key, set.clone()]));
    for (const { gateway, seq } of deliveries)
      getOrMake(sets, `${gateway}/${epoch}`, () => new RangeSet()).add(seq);
    return new Reference(sets);
  }

  has({ gateway, seq }: Delivery): boolean {
    return this.#sets.get(`${gateway}/${epoch}`)?.has(seq) ?? false;
  }

  get received(): Record<string, RangeList> {
    return Object.fromEntries([...this.#sets].map(([key, set]) => [key, set.toJSON()]));
  }
}

test('every cursor says what was stored when it was made, whenever it is read, and whatever became of its write', () => {
  const seed = testSeed('cursors');
  const rng = seededRng(seed);
  const upTo = (n: number) => Math.floor(rng() * n);
  for (let run = 0; run < 50; run++) {
    const stored = new StoredRanges({ [`gw-0/${epoch}`]: [[1, 3]] });
    let now = new Reference().with([1, 2, 3].map(seq => delivery(0, seq)));
    const cursors: { cursor: Cursor; then: Reference }[] = [];
    for (let write = 0; write < 50; write++) {
      const any = Array.from({ length: upTo(6) }, () => delivery(upTo(3), 1 + upTo(40)));
      for (const one of any) assert.equal(stored.has(one), now.has(one));
      const fresh = any.filter(one => !stored.has(one));
      const [step, then] = [stored.with(fresh), now.with(fresh)];
      cursors.push({ cursor: cursorAt('journal', write, step), then });
      if (rng() < 0.2) continue; // it failed
      stored.take(step, () => false);
      now = then;
      const { cursor, then: at } = cursors[upTo(cursors.length)]!;
      const asked = delivery(upTo(3), 1 + upTo(40));
      assert.equal(isStored(cursor, asked), at.has(asked));
      if (rng() < 0.3) assert.deepEqual(cursor.received, at.received);
    }
    for (const { cursor, then } of cursors) assert.deepEqual(cursor.received, then.received);
  }
});

test('what is over is forgotten after a while', () => {
  const stored = new StoredRanges();
  for (let seq = 1; seq <= 100; seq++)
    stored.take(stored.with([delivery(1, seq), delivery(2, seq)]), key => key.startsWith('gw-1/'));
  assert.equal(stored.has(delivery(1, 1)), false);
  assert.equal(stored.has(delivery(2, 1)), true);
});
