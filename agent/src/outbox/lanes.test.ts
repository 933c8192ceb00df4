import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testSchema } from '@edgeward/shared/testing/batches';
import { describe } from '@edgeward/shared/wire';
import { type HeldBlock, HeldBlocks } from './held.js';
import { Lanes } from './lanes.js';

const [old, older, now] = [
  '000000002-00000000000000aa',
  '000000001-00000000000000aa',
  '000000003-00000000000000aa',
];

class Held extends HeldBlocks {
  committed = 0;

  put(epoch: string, from: number, through = from): void {
    for (let seq = from; seq <= through; seq++)
      this.add({
        described: describe(testSchema),
        epoch,
        counter: Number.parseInt(epoch, 10),
        seq,
        size: 1,
        devices: [],
        atMs: 0,
        sent: false,
        journaled: false,
      });
    if (epoch === now) this.committed = through;
  }

  walk(): Lanes {
    return new Lanes(this, now, () => this.committed);
  }
}

function take(lanes: Lanes, most = 1000): string[] {
  const taken: string[] = [];
  for (let block = lanes.next(); block; block = lanes.next()) {
    taken.push(nameOf(block));
    if (taken.length === most) break;
  }
  return taken;
}

function nameOf({ epoch, seq }: HeldBlock): string {
  return `${epoch === now ? 'live' : Number.parseInt(epoch, 10)}.${seq}`;
}

test('fresh data goes at once and keeps its share while a backlog drains, oldest first', () => {
  const held = new Held();
  held.put(old, 1, 4);
  held.put(older, 7, 9);
  held.put(now, 1, 2);
  const lanes = held.walk();
  assert.deepEqual(take(lanes), ['live.1', '1.7', '1.8', '1.9', 'live.2', '2.1', '2.2', '2.3', '2.4']);
  held.put(now, 3, 5);
  assert.deepEqual(take(lanes), ['live.3', 'live.4', 'live.5'], 'and all of it when there is no backlog');
  assert.deepEqual(take(lanes), [], 'each block once');
});

test('skips what was received or given up before its turn', () => {
  const held = new Held();
  held.put(old, 1, 6);
  held.put(now, 1, 6);
  const lanes = held.walk();
  take(lanes, 1);
  for (const epoch of [old, now]) {
    held.get(epoch, 2)!.journaled = true;
    held.remove(held.get(epoch, 4)!);
  }
  assert.deepEqual(take(lanes), ['2.1', '2.3', '2.5', 'live.3', '2.6', 'live.5', 'live.6']);
});

test('a new walk begins again with all that is left, and offers nothing that is not durable', () => {
  const held = new Held();
  held.put(now, 1, 5);
  take(held.walk());
  held.remove(held.get(now, 1)!);
  held.get(now, 3)!.journaled = true;
  held.committed = 4;
  const again = held.walk();
  assert.deepEqual(take(again), ['live.2', 'live.4']);
  held.committed = 5;
  assert.deepEqual(take(again), ['live.5']);
  assert.equal(again.laneOf(held.get(now, 5)!), 'live');
});
