import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Logger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import { RejectLog } from './reject-log.js';

test('a flood of bad rows is a line now and then, and none of them goes uncounted', async () => {
  const clock = new FakeClock();
  const lines: unknown[] = [];
  const log = { warn: (line: unknown) => lines.push(line) } as unknown as Logger;
  const rejects = new RejectLog(log, clock);
  for (let i = 0; i < 100; i++) rejects.rejected('m-1', 2, 'no number');
  rejects.rejected('m-2', 1, 'no number');
  await clock.advance(10_000);
  rejects.rejected('m-1', 2, 'no number');
  assert.deepEqual(lines, [
    { device: 'm-1', count: 2, reason: 'no number' },
    { device: 'm-2', count: 1, reason: 'no number' },
    { device: 'm-1', count: 200, reason: 'no number' },
  ]);
});
