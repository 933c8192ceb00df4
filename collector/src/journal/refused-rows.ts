/** Which rows of a block are refused. */
import type { Delivery, RangeList, RecordBatch } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { RangeSet } from '@edgeward/shared/ranges';

/** By device. */
export type RowNumbers = Readonly<Record<string, RangeList>>;

export class RefusedRows {
  readonly #devices = new Map<string, RangeSet>();

  constructor(all: Iterable<RowNumbers> = []) {
    for (const rows of all) this.add(rows);
  }

  has(device: string, row: number): boolean {
    return this.#devices.get(device)?.has(row) ?? false;
  }

  touches(device: string, ranges: RangeList): boolean {
    const own = this.#devices.get(device);
    return ranges.some(([from, through]) => (own?.countWithin(from, through) ?? 0) > 0);
  }

  add(rows: RowNumbers): void {
    for (const [device, ranges] of Object.entries(rows)) {
      const set = getOrMake(this.#devices, device, () => new RangeSet());
      for (const [from, through] of ranges) set.add(from, through);
    }
  }
}

/** Places in the batch, ascending, each once. @throws TypeError for a row that it does not have */
export function placesOf({ delivery, rows }: { delivery: Delivery; rows?: readonly number[] }): number[] {
  const n = delivery.batch.time.length;
  if (!rows) return Array.from({ length: n }, (_, i) => i);
  const wrong = rows.find(i => !(Number.isInteger(i) && i >= 0 && i < n));
  if (wrong !== undefined) throw new TypeError(`a batch of ${n} rows has no row ${wrong}`);
  return [...new Set(rows)].sort((a, b) => a - b);
}

/** Of these places, those whose rows are not in it. */
export function placesBeside(
  { device, row, schema }: RecordBatch,
  places: readonly number[],
  rows: RefusedRows,
) {
  return places.filter(i => !rows.has(schema.devices[device[i]!]!, row[i]!));
}

export function rowNumbers({ device, row, schema }: RecordBatch): RowNumbers {
  const sets = new Map<string, RangeSet>();
  for (let i = 0; i < row.length; i++)
    getOrMake(sets, schema.devices[device[i]!]!, () => new RangeSet()).add(row[i]!);
  return Object.fromEntries([...sets].map(([name, set]) => [name, set.toJSON()]));
}
