/** What the tests of every sink stand on. */
import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { Delivery, Refusal, Sink } from '@edgeward/shared/contracts';
import { renumbered, Tape } from './deliveries.js';

/** A row as the sink's store has it. */
export interface StoredRow {
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
  readonly row: number;
  readonly device: string;
}

export interface SinkHarness {
  /**
   * A sink on the store that belongs to this folder; the store outlives the sink.
   * @param refuse  absent: nothing is to be refused
   */
  create(dir: string, refuse?: Refuse): Sink;
  /** All stored rows, in stored order if the store has one. */
  rowsOf(dir: string): Promise<readonly StoredRow[]>;
  /** The same sink on a transport that fails, maybe half way through, while `failing()` says so. */
  createFailing?(dir: string, failing: () => boolean): Sink;
  /** The store keeps no order of its own: compare as sets. */
  readonly unordered?: boolean;
  /** It refuses rows with a text of more than a megabyte. */
  readonly refusesLongTexts?: boolean;
  /** For a sink that takes notes: ids of the incidents in the notes that are stored, each as often as it is there. */
  noteIdsOf?(dir: string): Promise<readonly string[]>;
}

export type Refuse = (refusals: readonly Refusal[]) => Promise<void>;

export interface Bench extends SinkHarness {
  readonly dir: string;
  check(deliveries: readonly Delivery[], where?: string): Promise<void>;
}

export async function bench(t: TestContext, harness: SinkHarness): Promise<Bench> {
  const dir = await mkdtemp(path.join(tmpdir(), 'edgeward-sink-'));
  t.after(() => rm(dir, { recursive: true, force: true }));
  const check = async (deliveries: readonly Delivery[], where = '') => {
    const stored = (await harness.rowsOf(dir)).map(keyOf);
    const expected = deliveries.flatMap(rowKeys);
    if (harness.unordered) assert.deepEqual(stored.sort(), expected.sort(), where);
    else assert.deepEqual(stored, expected, where);
  };
  return { ...harness, dir, check };
}

export function keyOf({ gateway, epoch, seq, device, row }: StoredRow): string {
  return `${gateway}/${epoch}/${seq} ${device} ${row}`;
}

export function rowKeys({ gateway, epoch, seq, batch }: Delivery): string[] {
  return Array.from(batch.row, (row, i) =>
    keyOf({ gateway, epoch, seq, row, device: batch.schema.devices[batch.device[i]!]! }),
  );
}

/** Deliveries of two gateways, as they would lie in the journal. */
export function deliveriesOf(seed: number, n: number): Delivery[] {
  const tapes = ['gw-1', 'gw-2'].map((gateway, i) => new Tape({ seed: seed + i, gateway }));
  return renumbered(Array.from({ length: n }, (_, i) => tapes[i % 2]!.next(2 + (i % 3))));
}
