import type { RangeList } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';

/** What the journal has of one epoch of one gateway. Ranges stay few, because seq and rows arrive nearly in order. */
export class ReceivedEpoch {
  readonly seqs: RangeSet;
  /** Row numbers by device. */
  readonly rows: Map<string, RangeSet>;

  constructor(seqs = new RangeSet(), rows = new Map<string, RangeSet>()) {
    this.seqs = seqs;
    this.rows = rows;
  }

  addRows(device: string, first: number, last: number): void {
    getOrMake(this.rows, device, () => new RangeSet()).add(first, last);
  }

  clone(): ReceivedEpoch {
    return new ReceivedEpoch(
      this.seqs.clone(),
      new Map([...this.rows].map(([device, rows]) => [device, rows.clone()])),
    );
  }

  toJSON() {
    return {
      seqs: this.seqs.toJSON(),
      rows: Object.fromEntries([...this.rows].map(([d, rows]) => [d, rows.toJSON()])),
    };
  }

  static fromJSON(json: { seqs: RangeList; rows: Record<string, RangeList> }): ReceivedEpoch {
    const rows = new Map(Object.entries(json.rows).map(([device, ranges]) => [device, new RangeSet(ranges)]));
    return new ReceivedEpoch(new RangeSet(json.seqs), rows);
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
