/** What is saved beside the blocks: the ledger, what each epoch holds, positions of sources. */
import type { SourcePosition } from '@edgeward/shared/contracts';
import type { RangeSet } from '@edgeward/shared/ranges';
import type { Epoch, Epochs } from './epochs.js';
import {
  deviceKey,
  epochKey,
  keptKey,
  type Put,
  packRecord,
  positionKey,
  rowsKey,
  sentKey,
} from './layout.js';
import type { Ledger, Unsaved } from './ledger.js';

/** More pieces of stored seqs are not written out: the ledger still tells what is missing, by device. */
const maxPieces = 4096;

/** What one commit saves. `undo` makes it due again when the commit failed. */
export interface Save {
  readonly puts: readonly Put[];
  /** @param noted  they went down as notes within a block */
  readonly done: (noted: boolean) => void;
  readonly undo: () => void;
}

export interface SaveRequest {
  /** All that changed, or only what must be saved with other changes of this commit. */
  readonly all: boolean;
  /** Also what so far is only noted within blocks, since such blocks may be deleted. */
  readonly withNoted: boolean;
  readonly unsaved: Unsaved;
  /** Seqs of the live epoch that this commit stores. */
  readonly storing: readonly number[];
}

interface Part {
  readonly devices: ReadonlySet<string>;
  readonly epochs: ReadonlySet<Epoch>;
  readonly all: boolean;
}

export class Records {
  readonly #ledger: Ledger;
  readonly #epochs: Epochs;
  readonly #live: Epoch;
  /** Small states of others, saved along with the rest. */
  readonly #kept = new Map<string, () => unknown>();
  readonly #noted = { devices: new Set<string>(), epochs: new Set<Epoch>(), sources: new Set<string>() };
  /** Durable. */
  readonly positions = new Map<string, SourcePosition>();
  /** Number of the last commit. */
  #n: number;

  constructor(ledger: Ledger, epochs: Epochs, live: Epoch, n: number) {
    this.#ledger = ledger;
    this.#epochs = epochs;
    this.#live = live;
    this.#n = n;
  }

  keep(name: string, state: () => unknown): void {
    this.#kept.set(name, state);
  }

  nextCommit(): number {
    this.#n += 1;
    return this.#n;
  }

  /** Something that may not wait for the next full save. */
  get pressing(): boolean {
    return this.#ledger.pressing.size > 0 || this.#epochs.all().some(({ gone }) => !gone.isEmpty);
  }

  get dirty(): boolean {
    return this.#ledger.dirty.size > 0 || this.#epochs.all().some(({ dirty }) => dirty);
  }

  /** Something is saved only within a block. */
  get noted(): boolean {
    const { devices, epochs, sources } = this.#noted;
    return devices.size + epochs.size + sources.size > 0;
  }

  positionPut(source: string, position: SourcePosition): Put {
    return { key: positionKey(source), value: packRecord({ n: this.#n, position }) };
  }

  sentPut(epoch: Epoch, through: number): Put {
    return { key: sentKey(epoch.counter), value: packRecord({ n: this.#n, through }) };
  }

  /** The position is durable. */
  positioned(source: string, position: SourcePosition, noted: boolean): void {
    this.positions.set(source, position);
    if (noted) this.#noted.sources.add(source);
    else this.#noted.sources.delete(source);
  }

  save(request: SaveRequest): Save {
    const part = this.#choose(request);
    const sources = request.withNoted ? [...this.#noted.sources] : [];
    const unsaved = unsavedByDevice(request.unsaved);
    const puts = [
      ...[...part.devices].flatMap(device => this.#devicePuts(device, unsaved)),
      ...[...part.epochs].map(epoch => this.#epochPut(epoch, request.storing)),
      ...sources.map(source => this.positionPut(source, this.positions.get(source)!)),
      ...(part.all ? [...this.#kept].map(([name, state]) => this.keptPut(name, state())) : []),
    ];
    return {
      puts,
      done: noted => this.#saved(part, sources, noted),
      undo: () => this.#unsaved(part),
    };
  }

  #choose({ all, withNoted, storing }: SaveRequest): Part {
    const { dirty, pressing } = this.#ledger;
    const devices = new Set(pressing);
    if (all) for (const device of dirty) devices.add(device);
    const epochs = new Set(all || withNoted ? this.#epochs.all().filter(epoch => epoch.dirty) : []);
    if (withNoted) {
      for (const device of this.#noted.devices) devices.add(device);
      for (const epoch of this.#noted.epochs) epochs.add(epoch);
    }
    // Rows that count as stored from this commit on need their blocks to count too.
    if (devices.size && storing.length) epochs.add(this.#live);
    for (const device of devices) {
      dirty.delete(device);
      pressing.delete(device);
    }
    for (const epoch of epochs) epoch.dirty = false;
    return { devices, epochs, all };
  }

  #saved({ devices, epochs }: Part, sources: readonly string[], noted: boolean): void {
    for (const device of devices)
      noted ? this.#noted.devices.add(device) : this.#noted.devices.delete(device);
    for (const epoch of epochs) noted ? this.#noted.epochs.add(epoch) : this.#noted.epochs.delete(epoch);
    if (!noted) for (const source of sources) this.#noted.sources.delete(source);
  }

  #unsaved({ devices, epochs }: Part): void {
    for (const device of devices) {
      this.#ledger.dirty.add(device);
      this.#ledger.pressing.add(device);
    }
    for (const epoch of epochs) epoch.dirty = true;
  }

  #devicePuts(device: string, unsaved: UnsavedByDevice): Put[] {
    const counts = { ...this.#ledger.counts(device) };
    const rejected = unsaved.rejected.get(device) ?? 0;
    counts.read -= (unsaved.count.get(device) ?? 0) + rejected;
    counts.rejected -= rejected;
    const puts = [{ key: deviceKey(device), value: packRecord({ n: this.#n, ...counts }) }];
    for (const epoch of this.#epochs.all()) {
      // Rows of earlier starts change only when they are found: all of them are saved then.
      if (epoch !== this.#live && !epoch.rowsChanged) continue;
      let rows: RangeSet = this.#ledger.rowsOf(epoch.counter, device);
      const open = epoch === this.#live ? unsaved.ranges.get(device) : undefined;
      if (open) {
        rows = rows.clone();
        for (const [first, last] of open) rows.remove(first, last);
      }
      if (rows.isEmpty) continue;
      puts.push({
        key: rowsKey(epoch.counter, device),
        value: packRecord({ n: this.#n, rows: rows.toJSON() }),
      });
    }
    return puts;
  }

  #epochPut(epoch: Epoch, storing: readonly number[]): Put {
    let stored = epoch.stored;
    if (epoch === this.#live && storing.length) {
      stored = stored.clone();
      for (const seq of storing) stored.add(seq);
    }
    const record = {
      n: this.#n,
      epoch: epoch.name,
      stored: stored.pieces > maxPieces ? null : stored.toJSON(),
      journaled: epoch.journaled.toJSON(),
    };
    return { key: epochKey(epoch.counter), value: packRecord(record) };
  }

  keptPut(name: string, state: unknown): Put {
    return { key: keptKey(name), value: packRecord({ n: this.#n, state }) };
  }
}

interface UnsavedByDevice {
  readonly count: ReadonlyMap<string, number>;
  readonly ranges: ReadonlyMap<string, readonly (readonly [number, number])[]>;
  readonly rejected: ReadonlyMap<string, number>;
}

function unsavedByDevice({ rows, rejected }: Unsaved): UnsavedByDevice {
  const count = new Map<string, number>();
  const ranges = new Map<string, [number, number][]>();
  for (const { device, first, last, count: n } of rows) {
    count.set(device, (count.get(device) ?? 0) + n);
    const known = ranges.get(device);
    if (known) known.push([first, last]);
    else ranges.set(device, [[first, last]]);
  }
  return { count, ranges, rejected };
}
