import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { systemClock } from '@edgeward/shared/clock';
import { silentLogger } from '@edgeward/shared/log';
import { TestBatches, testSchema } from '@edgeward/shared/testing/batches';
import { type BlockId, decodeBlock, describe, encodeBlock } from '@edgeward/shared/wire';
import { type Incoming, Journal, type JournalOptions } from '../journal.js';

/** `start`-th epoch of a gateway; any hexadecimal digits after it do. */
export function epochOf(start: number, bits = 'aa'): string {
  return `${String(start).padStart(9, '0')}-00000000000000${bits}`;
}

/** What one start of one agent sends: two devices, two rows each a block. */
export class TestGateway {
  readonly epoch: string;
  readonly #batches = new TestBatches();
  #seq = 0;

  constructor(
    readonly name = 'gw-1',
    start = 1,
    bits = 'aa',
  ) {
    this.epoch = epochOf(start, bits);
  }

  bytes(rows = 2, more: Partial<BlockId> = {}): Uint8Array {
    const { epoch } = this;
    this.#seq += 1;
    const id = { epoch, seq: this.#seq, oldestEpoch: epoch, atMs: 1, ...more };
    return encodeBlock(id, this.#batches.next(rows));
  }

  incoming(n = 1, more: Partial<BlockId> = {}): Incoming[] {
    return Array.from({ length: n }, () => this.understood(this.bytes(2, more)));
  }

  understood(bytes: Uint8Array): Incoming {
    const block = decodeBlock(bytes, () => describe(testSchema));
    return { gateway: this.name, outbox: 'outbox-1', bytes, ...block, ingestedMs: 1000, late: false };
  }
}

/** A folder that goes with the test. */
export async function folderFor(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-journal-'));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export function openJournal(folder: string, more: Partial<JournalOptions> = {}): Promise<Journal> {
  return Journal.open({
    directory: path.join(folder, 'journal'),
    ballastBytes: 4096,
    clock: systemClock,
    log: silentLogger,
    ...more,
  });
}
