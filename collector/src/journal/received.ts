import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';
import { z } from 'zod';
import { DeviceRows, deviceRowsSchema, type Span } from './device-rows.js';

const byDevice = z.record(z.string(), deviceRowsSchema);
export const receivedSchema = z.object({
  outbox: z.string().default(''),
  seqs: z.array(z.tuple([z.number(), z.number()])),
  rows: byDevice,
  rejected: byDevice.default({}),
  rejectedSeqs: z.array(z.tuple([z.number(), z.number()])).default([]),
  position: z.number().default(0),
});

type ByDevice = Map<string, DeviceRows>;

/**
 * What the journal has of one epoch of one gateway. Ranges stay few, because seq and rows arrive nearly in order,
 * and because the agent names the numbers that will never come.
 */
export class ReceivedEpoch {
  /** Which outbox the epoch is of; '' before that was kept. */
  readonly outbox: string;
  /** What needs not come again: stored, kept as dead letter, or void. */
  readonly seqs: RangeSet;
  /** Stored rows by device. */
  readonly rows: ByDevice;
  /** Rows of blocks whose columns nobody understood, by device. */
  readonly rejected: ByDevice;
  /** The seqs of those blocks. */
  readonly rejectedSeqs: RangeSet;
  /** Of its newest block. */
  position: number;

  constructor(
    outbox = '',
    seqs = new RangeSet(),
    rows: ByDevice = new Map(),
    rejected: ByDevice = new Map(),
    position = 0,
    rejectedSeqs = new RangeSet(),
  ) {
    this.outbox = outbox;
    this.seqs = seqs;
    this.rows = rows;
    this.rejected = rejected;
    this.position = position;
    this.rejectedSeqs = rejectedSeqs;
  }

  addRows(device: string, span: Span): void {
    rowsOf(this.rows, device).add(span);
  }

  addRejected(device: string, span: Span): void {
    rowsOf(this.rejected, device).add(span);
  }

  /** What was rejected has been understood after all. */
  takeRejected(device: string, span: Span): void {
    rowsOf(this.rejected, device).take(span);
  }

  clone(): ReceivedEpoch {
    const { outbox, seqs, rows, rejected, position, rejectedSeqs } = this;
    const lost = [clones(rejected), position, rejectedSeqs.clone()] as const;
    return new ReceivedEpoch(outbox, seqs.clone(), clones(rows), ...lost);
  }

  toJSON() {
    const { outbox, seqs, rows, rejected, position, rejectedSeqs } = this;
    const lost = !rejectedSeqs.isEmpty && { rejected: Object.fromEntries(rejected), rejectedSeqs };
    return { outbox, seqs, rows: Object.fromEntries(rows), ...lost, position };
  }

  static fromJSON(json: z.output<typeof receivedSchema>): ReceivedEpoch {
    const { outbox, seqs, rows, rejected, position, rejectedSeqs } = json;
    const lost = [toRows(rejected), position, new RangeSet(rejectedSeqs)] as const;
    return new ReceivedEpoch(outbox, new RangeSet(seqs), toRows(rows), ...lost);
  }
}

/** Everything the journal ever took, by gateway and epoch: what makes a second delivery harmless. */
export class Received {
  readonly #gateways = new Map<string, Map<string, ReceivedEpoch>>();

  set(gateway: string, epoch: string, received: ReceivedEpoch): void {
    getOrMake(this.#gateways, gateway, () => new Map<string, ReceivedEpoch>()).set(epoch, received);
  }

  get(gateway: string, epoch: string): ReceivedEpoch | undefined {
    return this.#gateways.get(gateway)?.get(epoch);
  }

  delete(gateway: string, epoch: string): void {
    this.#gateways.get(gateway)?.delete(epoch);
  }

  gateways(): IterableIterator<string> {
    return this.#gateways.keys();
  }

  epochs(gateway: string): IterableIterator<[string, ReceivedEpoch]> {
    return (this.#gateways.get(gateway) ?? new Map<string, ReceivedEpoch>()).entries();
  }
}

/** Start counter of an epoch: a later start has a higher one. */
export function startOf(epoch: string): number {
  return Number.parseInt(epoch, 10);
}

function toRows(json: Record<string, z.output<typeof deviceRowsSchema>>): ByDevice {
  return new Map(Object.entries(json).map(([device, rows]) => [device, DeviceRows.fromJSON(rows)]));
}

/** By itself, since it is asked for with every device of every block. */
const noRows = () => new DeviceRows();

function rowsOf(all: ByDevice, device: string): DeviceRows {
  return getOrMake(all, device, noRows);
}

function clones(all: ByDevice): ByDevice {
  return new Map([...all].map(([device, rows]) => [device, rows.clone()]));
}
