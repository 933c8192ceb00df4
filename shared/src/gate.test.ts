import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Gate } from './gate.js';
import fc from './testing/properties.js';

/** Counts who listens, because a gate that leaves listeners behind grows for as long as the process runs. */
class CountingSignal {
  readonly controller = new AbortController();
  listeners = 0;
  readonly signal = this.controller.signal;

  constructor() {
    const { signal } = this;
    const [add, remove] = [signal.addEventListener.bind(signal), signal.removeEventListener.bind(signal)];
    signal.addEventListener = (type: string, listener: () => void) => {
      this.listeners += 1;
      add(type, listener);
    };
    signal.removeEventListener = (type: string, listener: () => void) => {
      this.listeners -= 1;
      remove(type, listener);
    };
  }
}

async function settled(promise: Promise<unknown>): Promise<boolean> {
  let done = false;
  void promise.then(() => {
    done = true;
  });
  for (let i = 0; i < 3; i++) await new Promise(setImmediate);
  return done;
}

test('opening wakes all who wait now and nobody who comes later', async () => {
  const gate = new Gate();
  const early = [gate.wait(), gate.wait()];
  gate.open();
  await Promise.all(early);
  assert.equal(await settled(gate.wait()), false);
});

test('the signal and the time end a wait too, and none leaves a listener behind', async () => {
  const gate = new Gate();
  const counted = new CountingSignal();
  const byOpening = gate.wait(counted.signal);
  gate.open();
  await byOpening;
  await gate.wait(counted.signal, 1);
  await gate.wait(counted.signal, -5);
  assert.equal(counted.listeners, 0);
  const bySignal = gate.wait(counted.signal);
  counted.controller.abort();
  await bySignal;
  await gate.wait(counted.signal);
  assert.equal(counted.listeners, 0);
});

test('a gate that opens on a signal wakes all at once, and leaves no listener behind', async () => {
  const gate = new Gate();
  const counted = new CountingSignal();
  const listening = gate.openOn(counted.signal);
  const waits = [gate.wait(), gate.wait(undefined, 60_000)];
  counted.controller.abort();
  await Promise.all(waits);
  listening[Symbol.dispose]();
  assert.equal(counted.listeners, 0);
});

test('each wait ends at its own time, in any order, and the others go on', async () => {
  const gate = new Gate();
  const ended: string[] = [];
  const wait = (name: string, ms: number) => gate.wait(undefined, ms).then(() => ended.push(name));
  const all = [wait('long', 60), wait('short', 5), wait('longer', 600_000)];
  await all[1];
  assert.deepEqual(ended, ['short']);
  await all[0];
  assert.deepEqual(ended, ['short', 'long']);
  gate.open();
  await all[2];
  const again = wait('again', 5);
  await again;
  assert.deepEqual(ended, ['short', 'long', 'longer', 'again']);
});

test('a wait longer than a timer can be, or for ever, does not end at once', async () => {
  const gate = new Gate();
  const waits = [gate.wait(undefined, 1e12), gate.wait(undefined, Number.POSITIVE_INFINITY)];
  assert.equal(await settled(Promise.race(waits)), false);
  gate.open();
  await Promise.all(waits);
});

test('whoever checks first and then waits misses nothing, however takers and givers interleave', async () => {
  const model = fc.asyncProperty(
    fc.scheduler(),
    fc.integer({ min: 1, max: 4 }),
    fc.integer({ min: 1, max: 12 }),
    async (scheduler, takers, gifts) => {
      const gate = new Gate();
      let store = 0;
      let taken = 0;
      const take = async () => {
        for (;;) {
          while (store === 0) {
            if (taken === gifts) return;
            await gate.wait();
          }
          store -= 1;
          taken += 1;
          gate.open();
          await scheduler.schedule(Promise.resolve());
        }
      };
      const give = async () => {
        for (let i = 0; i < gifts; i++) {
          await scheduler.schedule(Promise.resolve());
          store += 1;
          gate.open();
        }
      };
      const all = Promise.all([...Array.from({ length: takers }, take), give()]);
      await scheduler.waitFor(all);
      assert.equal(taken, gifts);
    },
  );
  await fc.assert(model, { numRuns: 50 });
});
