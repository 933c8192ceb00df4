import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { TestBatches, testSchema } from '@edgeward/shared/testing/batches';
import { decodeBlock, describe, encodeBlock } from '@edgeward/shared/wire';
import { type Incoming, Journal } from '../journal.js';

/** `start`-th epoch of a gateway; any hexadecimal digits after it do. */
export function epochOf(start: number): string {
  return `${String(start).padStart(9, '0')}-00000000000000aa`;
}

/** What one start of one agent sends: two devices, two rows each a block. */
export class TestGateway {
  readonly epoch: string;
  readonly #batches = new TestBatches();
  #seq = 0;

  constructor(
    readonly name = 'gw-1',
    start = 1,
  ) {
    this.epoch = epochOf(start);
  }

  bytes(rows = 2): Uint8Array {
    const { epoch } = this;
    this.#seq += 1;
    return encodeBlock({ epoch, seq: this.#seq, oldestEpoch: epoch, atMs: 1 }, this.#batches.next(rows));
  }

  incoming(n = 1): Incoming[] {
    return Array.from({ length: n }, () => {
      const bytes = this.bytes();
      const block = decodeBlock(bytes, () => describe(testSchema));
      return { gateway: this.name, bytes, ...block, ingestedMs: 1000, late: false };
    });
  }
}

/** A folder that goes with the test. */
export async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-journal-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function openJournal(folder: string, maxBytes = 1e9): Promise<Journal> {
  return Journal.open({
    directory: path.join(folder, 'journal'),
    maxBytes,
    clock: systemClock,
    log: silentLogger,
  });
}
