/** Times that the clock was set back from, or to, do not mislead a search. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { testSeed } from '@edgeward/shared/testing/seed';
import { folderFor, openJournal, TestGateway } from './testing/blocks.js';

/** The last position before the first block that came then or later. */
function expected(times: readonly number[], ms: number): number {
  const at = times.findIndex(time => time >= ms);
  return at < 0 ? times.length : at;
}

test('a place in time is the same as by looking at each block, wherever the clock was set to, also after restarts', async t => {
  const seed = testSeed('clock steps');
  const rng = seededRng(seed);
  const folder = await folderFor(t);
  const gateway = new TestGateway();
  const times: number[] = [];
  let nowMs = 1e12;
  for (let start = 0; start < 6; start++) {
    await using journal = await openJournal(folder);
    for (let group = 0; group < 8; group++) {
      // Back to 1970, far ahead, or back to about what it is.
      if (rng() < 0.3) nowMs = [60_000, 2e12, 1e12 + times.length * 10_000][Math.floor(rng() * 3)]!;
      const blocks = gateway.incoming(1 + Math.floor(rng() * 6)).map(block => {
        nowMs += 1000 * Math.floor(rng() * 10);
        return { ...block, ingestedMs: nowMs };
      });
      times.push(...blocks.map(({ ingestedMs }) => ingestedMs));
      await journal.append(blocks);
    }
    for (const ms of [0, 3e12, ...times.flatMap(time => [time, time + 1])])
      assert.equal(await journal.positionBefore(ms), expected(times, ms), `${ms}, seed ${seed}`);
  }
});
