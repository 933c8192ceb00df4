/** The records of an earlier start, wherever they were written last. */
import type { RangeList, SourcePosition } from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import { numberInKey, type StoreDatabase } from '@edgeward/shared/store';
import {
  type DeviceRecord,
  type EpochRecord,
  parseRecord,
  type RecordKind,
  recordSchemas,
} from './layout.js';

interface Found {
  readonly n: number;
  readonly key: Buffer;
  readonly kind: RecordKind;
  readonly value: Buffer;
}

export class SavedRecords {
  /** By key. */
  readonly #found = new Map<string, Found>();
  readonly #stored = new Map<number, RangeSet | undefined>();
  readonly #journaled = new Map<number, RangeSet>();
  readonly #rows = new Map<string, RangeSet>();
  /** Number of the last commit. */
  n = 0;
  /** Records that could not be read. */
  damaged = 0;
  /** Something holds only as a note within a block. */
  noted = false;
  readonly devices = new Map<string, DeviceRecord>();
  /** By start counter. */
  readonly epochs = new Map<number, EpochRecord>();

  static async load(db: StoreDatabase): Promise<SavedRecords> {
    const saved = new SavedRecords();
    for (const kind of Object.keys(recordSchemas) as RecordKind[]) {
      const range = { gte: Buffer.from(kind), lt: Buffer.from([kind.charCodeAt(0) + 1]) };
      for await (const [key, value] of db.iterator(range)) saved.add(key, value, false);
    }
    return saved;
  }

  /** The newest under a key holds. */
  add(key: Buffer, value: Buffer, noted: boolean): void {
    const kind = key.toString('latin1', 0, 1) as RecordKind;
    const record = kind in recordSchemas ? parseRecord(kind, value) : undefined;
    if (!record) {
      this.damaged += 1;
      return;
    }
    const name = key.toString('latin1');
    // Of one commit, a later block has the later position.
    if ((this.#found.get(name)?.n ?? -1) > record.n) return;
    this.#found.set(name, { n: record.n, key, kind, value });
    this.n = Math.max(this.n, record.n);
    this.noted ||= noted;
    this.#take(key, kind, value);
  }

  #take(key: Buffer, kind: RecordKind, value: Buffer): void {
    if (kind === 'l') this.devices.set(key.toString('utf8', 1), parseRecord('l', value)!);
    if (kind === 'r') this.#rows.set(key.toString('latin1'), new RangeSet(parseRecord('r', value)!.rows));
    if (kind !== 'e') return;
    const record = parseRecord('e', value)!;
    const counter = numberInKey(key, 0);
    this.epochs.set(counter, record);
    this.#stored.set(counter, record.stored ? new RangeSet(record.stored) : undefined);
    this.#journaled.set(counter, new RangeSet(record.journaled));
  }

  /** Undefined where it is not known. */
  storedOf(counter: number): RangeSet | undefined {
    return this.#stored.get(counter);
  }

  isJournaled(counter: number, seq: number): boolean {
    return this.#journaled.get(counter)?.has(seq) ?? false;
  }

  rowsHave(counter: number, device: string, row: number): boolean {
    return this.#rows.get(rowsName(counter, device))?.has(row) ?? false;
  }

  *rows(): Generator<{ counter: number; device: string; rows: RangeList }> {
    for (const { key, kind } of this.#found.values()) {
      if (kind !== 'r') continue;
      const rows = this.#rows.get(key.toString('latin1'))!.toJSON();
      yield { counter: numberInKey(key, 0), device: key.toString('utf8', 9), rows };
    }
  }

  sentThrough(counter: number): number {
    for (const { key, kind, value } of this.#found.values())
      if (kind === 'o' && numberInKey(key, 0) === counter) return parseRecord('o', value)!.through;
    return 0;
  }

  positions(): [string, SourcePosition][] {
    return this.#all('p').map(({ key, value }) => [
      key.toString('utf8', 1),
      parseRecord('p', value)!.position,
    ]);
  }

  /** What somebody else had saved along. */
  kept(name: string): unknown {
    const found = this.#all('k').find(({ key }) => key.toString('utf8', 1) === name);
    return found && parseRecord('k', found.value)?.state;
  }

  get condensedThrough(): number {
    const found = this.#all('c')[0];
    return found ? parseRecord('c', found.value)!.through : 0;
  }

  /** Keys of records about an epoch. */
  keysOf(counter: number): Buffer[] {
    return [...this.#found.values()].flatMap(({ key, kind }) =>
      (kind === 'e' || kind === 'o' || kind === 'r') && numberInKey(key, 0) === counter ? [key] : [],
    );
  }

  #all(kind: RecordKind): Found[] {
    return [...this.#found.values()].filter(found => found.kind === kind);
  }
}

function rowsName(counter: number, device: string): string {
  const number = Buffer.alloc(8);
  number.writeBigUInt64BE(BigInt(counter));
  return `r${number.toString('latin1')}${Buffer.from(device).toString('latin1')}`;
}
