/** Deliveries for tests, as the journal would hand them over: seeded, with rows under full control. */
import { emptyColumn, setBit } from '@edgeward/shared/batch';
import type {
  Column,
  Cursor,
  Delivery,
  Evidence,
  Field,
  RecordBatch,
  Rng,
  Schema,
} from '@edgeward/shared/contracts';
import { RangeSet } from '@edgeward/shared/ranges';
import { seededRng } from '@edgeward/shared/rng';

export const tapeFields: readonly Field[] = [
  { name: 'discharge_pressure', kind: 'float', unit: 'bar', min: 0, max: 16 },
  { name: 'flow', kind: 'float', unit: 'm3/h', min: 0, max: 60 },
  { name: 'starts', kind: 'int' },
  { name: 'running', kind: 'bool' },
  { name: 'mode', kind: 'string' },
];

/** One row; whatever is absent is drawn or counted on. */
export interface RowSpec {
  readonly device: string;
  readonly timeMs?: number;
  readonly quality?: number;
  /** Quality bits by field name. */
  readonly fieldQuality?: Readonly<Record<string, number>>;
  readonly pressure?: number;
  readonly missing?: readonly string[];
  /** Flagged rows carry their evidence, but for `at`. */
  readonly flag?: Omit<Evidence, 'at'>;
  /** The evidence stays behind, as most of a long alarm. */
  readonly unexplained?: boolean;
}

export interface BlockOptions {
  readonly late?: boolean;
  /** Default: time of the newest row. */
  readonly ingestedMs?: number;
  readonly model?: string;
}

export interface TapeOptions {
  readonly seed: number;
  readonly gateway?: string;
  readonly epoch?: string;
  readonly devices?: readonly string[];
  readonly startMs?: number;
  readonly stepMs?: number;
  /** Journal position of the first delivery. */
  readonly position?: number;
}

/** One gateway's deliveries in journal order. */
export class Tape {
  readonly devices: readonly string[];
  readonly #options: Required<TapeOptions>;
  readonly #rng: Rng;
  readonly #rows = new Map<string, number>();
  readonly #times = new Map<string, number>();
  #position: number;
  #seq = 0;

  constructor(options: TapeOptions) {
    this.#options = {
      gateway: 'gw-1',
      epoch: '1-a1b2',
      devices: ['pump-1', 'pump-2'],
      startMs: Date.UTC(2026, 0, 1),
      stepMs: 1000,
      position: 1,
      ...options,
    };
    this.devices = this.#options.devices;
    this.#rng = seededRng(options.seed);
    this.#position = this.#options.position - 1;
  }

  /** A block of unremarkable rows: `rows` of each device, interleaved. */
  next(rows = 3, options: BlockOptions = {}): Delivery {
    const specs: RowSpec[] = [];
    for (let i = 0; i < rows; i++) for (const device of this.devices) specs.push({ device });
    return this.block(specs, options);
  }

  block(rows: readonly RowSpec[], options: BlockOptions = {}): Delivery {
    const batch = this.#batch(rows, options);
    this.#position += 1;
    this.#seq += 1;
    return {
      gateway: this.#options.gateway,
      epoch: this.#options.epoch,
      seq: this.#seq,
      position: this.#position,
      ingestedMs: options.ingestedMs ?? Math.max(...batch.time),
      late: options.late ?? false,
      batch,
    };
  }

  /** Lets a device be silent for that long. */
  skip(device: string, ms: number): void {
    this.#times.set(device, this.#timeOf(device) + ms);
  }

  #timeOf(device: string): number {
    return this.#times.get(device) ?? this.#options.startMs;
  }

  #batch(rows: readonly RowSpec[], options: BlockOptions): RecordBatch {
    const schema: Schema = { type: 'pump', fields: tapeFields, devices: this.devices };
    const time = rows.map(row => this.#time(row));
    return {
      schema,
      time: Float64Array.from(time),
      device: Uint16Array.from(rows, row => this.devices.indexOf(row.device)),
      row: Float64Array.from(rows, row => this.#rowNumber(row.device)),
      values: tapeFields.map(field => this.#column(field, rows)),
      missing: bitmaps(rows),
      quality: Uint16Array.from(rows, row => row.quality ?? 0),
      fieldQuality: tapeFields.map(field =>
        Uint8Array.from(rows, row => row.fieldQuality?.[field.name] ?? 0),
      ),
      model: options.model ?? 'pump-3',
      score: Float32Array.from(rows, row => row.flag?.score ?? 0.3 + 0.1 * this.#rng()),
      anomaly: Uint8Array.from(rows, row => (row.flag ? 1 : 0)),
      evidence: rows.flatMap((row, at) => (row.flag && !row.unexplained ? [{ at, ...row.flag }] : [])),
    };
  }

  #time(row: RowSpec): number {
    const time = row.timeMs ?? this.#timeOf(row.device);
    if (row.timeMs === undefined) this.#times.set(row.device, time + this.#options.stepMs);
    return time;
  }

  #rowNumber(device: string): number {
    const row = (this.#rows.get(device) ?? 0) + 1;
    this.#rows.set(device, row);
    return row;
  }

  #column(field: Field, rows: readonly RowSpec[]): Column {
    const n = rows.length;
    if (field.name === 'discharge_pressure')
      return Float64Array.from(rows, row => row.pressure ?? 4 + this.#rng());
    if (field.kind === 'float') return Float64Array.from({ length: n }, () => 20 + 10 * this.#rng());
    if (field.kind === 'int')
      return BigInt64Array.from({ length: n }, () => BigInt(Math.floor(this.#rng() * 1e6)));
    if (field.kind === 'string')
      return Array.from({ length: n }, () => (this.#rng() < 0.5 ? 'auto' : 'hand'));
    return emptyColumn(field, n);
  }
}

function bitmaps(rows: readonly RowSpec[]): (Uint8Array | undefined)[] {
  return tapeFields.map(field => {
    if (!rows.some(row => row.missing?.includes(field.name))) return undefined;
    const bits = new Uint8Array(Math.ceil(rows.length / 8));
    for (const [i, row] of rows.entries()) if (row.missing?.includes(field.name)) setBit(bits, i);
    return bits;
  });
}

/** The cursor of a consumer that had `before` and then stored these. */
export function cursorAfter(deliveries: readonly Delivery[], journal = 'journal-1', before?: Cursor): Cursor {
  const received = new Map(
    Object.entries(before?.received ?? {}).map(([key, list]) => [key, new RangeSet(list)]),
  );
  for (const { gateway, epoch, seq } of deliveries) {
    const key = `${gateway}/${epoch}`;
    const set = received.get(key) ?? new RangeSet();
    set.add(seq);
    received.set(key, set);
  }
  const start = before?.journal === journal ? before.position : 0;
  return {
    journal,
    position: Math.max(start, ...deliveries.map(delivery => delivery.position)),
    received: Object.fromEntries([...received].map(([key, set]) => [key, set.toJSON()])),
  };
}

/** The same deliveries as another journal would number them. */
export function renumbered(deliveries: readonly Delivery[], from = 1): Delivery[] {
  return deliveries.map((delivery, i) => ({ ...delivery, position: from + i }));
}
