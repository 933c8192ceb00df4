/**
 * Watches numeric fields that no model looks at, each against its own past: from the first row on, with nothing trained
 * and nothing told.
 */
import type { Evidence, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { usableColumns } from '../channels.js';
import { isExplained, type Judgement } from '../judgement.js';
import { type DeviceMemory, type Memory, readBack, written } from '../memory.js';
import { TimeOrder } from '../stream/time-order.js';
import { type Explained, explain } from './field-evidence.js';
import { WatchedField } from './watched-field.js';

export interface SurpriseOptions {
  /** False alarms a day that a device may raise, all of its fields together. */
  readonly alarmsADay: number;
  /** None but these, if it is said which. */
  readonly deviceTypes?: readonly string[] | undefined;
  readonly except?: readonly string[] | undefined;
  /** Called once: a device has more fields than there is room for. */
  readonly onFull?: (device: string, maxFields: number) => void;
  readonly maxFields?: number;
}

/** Each takes some 25 kB once it has been watched for a week. */
const maxWatchedFields = 1000;
/** An alarm names at most so many. */
const maxChannels = 12;
/** A device that has said nothing for so long makes room at the next start. */
const forgottenAfterMs = 30 * 86_400_000;
/** All rows of a device whose newest one lies farther ahead would be late ones. */
const mostAheadMs = 3_600_000;

/** What one type's devices have come to. */
export interface SurpriseMemory {
  readonly type: string;
  readonly devices: readonly DeviceMemory[];
}

interface Device {
  readonly order: TimeOrder;
  readonly fields: Map<string, WatchedField>;
  /** Of its newest row: the highest of its fields, NaN = none is judged; and rows since its alarm began. */
  score: number;
  alarmRows: number;
}

/** A device in batches of one schema. */
interface BoundDevice {
  readonly device: Device;
  /** [names]; undefined where there is no room. */
  readonly fields: readonly (WatchedField | undefined)[];
}

/** The fields of a schema that are watched. */
interface Bound {
  readonly names: readonly string[];
  /** By index, once they have rows. */
  readonly devices: BoundDevice[];
}

export class SurpriseJudge {
  readonly #options: SurpriseOptions;
  readonly #maxFields: number;
  readonly #types = new Map<string, Map<string, Device>>();
  #bound = new WeakMap<Schema, Bound>();
  #fields = 0;
  #told = false;

  constructor(options: SurpriseOptions) {
    this.#options = options;
    this.#maxFields = options.maxFields ?? maxWatchedFields;
  }

  /** @returns undefined as long as nothing of it is judged */
  judge(batch: RecordBatch): Judgement | undefined {
    const bound = this.#bind(batch.schema);
    if (!bound) return undefined;
    const n = batch.time.length;
    const columns = usableColumns(batch, bound.names);
    const [score, anomaly] = [new Float32Array(n), new Uint8Array(n)];
    const evidence: Evidence[] = [];
    let judged = false;
    for (let r = 0; r < n; r++) {
      const index = batch.device[r]!;
      bound.devices[index] ??= this.#bindDevice(batch.schema, index, bound.names);
      const { device, fields } = bound.devices[index];
      const isTaken = this.#row(device, fields, columns, r, batch.time[r]!);
      score[r] = isTaken ? device.score : Number.NaN;
      if (!isTaken || Number.isNaN(device.score)) continue;
      judged = true;
      anomaly[r] = device.alarmRows > 0 ? 1 : 0;
      if (isExplained(device.alarmRows)) evidence.push(evidenceAt(r, device));
    }
    return judged ? { score, anomaly, warmUp: new Uint8Array(n), evidence } : undefined;
  }

  /** A model looks at them now: should it ever be withdrawn, they begin anew. */
  forget(type: string): void {
    for (const device of this.#types.get(type)?.values() ?? []) this.#fields -= device.fields.size;
    this.#types.delete(type);
    this.#bound = new WeakMap();
  }

  save(): SurpriseMemory[] {
    return [...this.#types].map(([type, devices]) => ({
      type,
      devices: [...devices].flatMap(([name, device]) => saved(name, device)),
    }));
  }

  /**
   * Goes on where another was; before the first batch.
   * @throws RangeError, SyntaxError; then it must not be used any more
   */
  load({ type, devices }: SurpriseMemory, nowMs: number): void {
    if (!this.#watches(type)) return;
    for (const { name, newestMs, numbers } of devices) {
      if (newestMs < nowMs - forgottenAfterMs || newestMs > nowMs + mostAheadMs) continue;
      const [deviceName, fieldName] = JSON.parse(name) as [string, string?];
      const device = this.#deviceOf(type, deviceName);
      if (fieldName === undefined) {
        readBack(numbers, memory => remember(device, memory));
        continue;
      }
      const field = this.#fieldOf(deviceName, device, fieldName);
      if (field) readBack(numbers, memory => field.remember(memory));
    }
  }

  /** @returns whether it is the device's newest */
  #row(
    device: Device,
    fields: readonly (WatchedField | undefined)[],
    columns: readonly Float64Array[],
    r: number,
    timeMs: number,
  ): boolean {
    const order = device.order.next(timeMs);
    if (order === 'late') return false;
    if (order === 'setBack') for (const field of device.fields.values()) field.interrupt();
    const budget = this.#options.alarmsADay / device.fields.size;
    let changed = false;
    for (let f = 0; f < fields.length; f++) {
      const value = columns[f]![r]!;
      if (!Number.isNaN(value) && fields[f]?.next(timeMs, value, budget)) changed = true;
    }
    if (changed || device.alarmRows > 0) settle(device, timeMs);
    return true;
  }

  #watches(type: string): boolean {
    const { deviceTypes, except } = this.#options;
    return !except?.includes(type) && deviceTypes?.includes(type) !== false;
  }

  #bind(schema: Schema): Bound | undefined {
    if (!this.#watches(schema.type)) return undefined;
    const known = this.#bound.get(schema);
    if (known) return known;
    const names = schema.fields
      .filter(({ kind }) => kind === 'float' || kind === 'int')
      .map(({ name }) => name);
    if (names.length === 0) return undefined;
    const bound = { names, devices: [] };
    this.#bound.set(schema, bound);
    return bound;
  }

  #bindDevice({ type, devices }: Schema, index: number, names: readonly string[]): BoundDevice {
    const deviceName = devices[index]!;
    const device = this.#deviceOf(type, deviceName);
    return { device, fields: names.map(name => this.#fieldOf(deviceName, device, name)) };
  }

  #deviceOf(type: string, name: string): Device {
    const devices = getOrMake(this.#types, type, () => new Map<string, Device>());
    return getOrMake(devices, name, () => ({
      order: new TimeOrder(),
      fields: new Map(),
      score: Number.NaN,
      alarmRows: 0,
    }));
  }

  #fieldOf(deviceName: string, device: Device, name: string): WatchedField | undefined {
    const known = device.fields.get(name);
    if (known) return known;
    if (this.#fields >= this.#maxFields) {
      if (!this.#told) this.#options.onFull?.(deviceName, this.#maxFields);
      this.#told = true;
      return undefined;
    }
    const field = new WatchedField();
    this.#fields += 1;
    device.fields.set(name, field);
    return field;
  }
}

/** From its fields to the device. */
function settle(device: Device, timeMs: number): void {
  let score = Number.NaN;
  let inAlarm = false;
  for (const field of device.fields.values()) {
    field.pass(timeMs);
    if (!Number.isNaN(field.score) && !(score >= field.score)) score = field.score;
    inAlarm ||= field.inAlarm;
  }
  device.score = score;
  device.alarmRows = inAlarm ? device.alarmRows + 1 : 0;
}

function evidenceAt(at: number, { score, fields }: Device): Evidence {
  const alarms = [...fields].filter(([, field]) => field.inAlarm).sort(([, a], [, b]) => b.score - a.score);
  const sum = alarms.reduce((total, [, field]) => total + field.score, 0);
  const explained = alarms
    .slice(0, maxChannels)
    .map(([name, field]) => explain(name, field, field.score / sum))
    .filter((one): one is Explained => one !== undefined);
  return {
    at,
    detector: 'surprise',
    source: explained[0]?.source ?? 'unknown',
    score,
    threshold: 0.5,
    channels: explained.map(({ channel }) => channel),
  };
}

/** One for the device, then one a field, under the name of both. */
function saved(name: string, device: Device): DeviceMemory[] {
  const { newestMs } = device.order;
  if (!Number.isFinite(newestMs)) return [];
  return [
    { name: JSON.stringify([name]), newestMs, numbers: written(memory => remember(device, memory)) },
    ...[...device.fields].map(([fieldName, field]) => ({
      name: JSON.stringify([name, fieldName]),
      newestMs,
      numbers: written(memory => field.remember(memory)),
    })),
  ];
}

function remember(device: Device, memory: Memory): void {
  device.order.remember(memory);
  device.score = memory.number(device.score);
  device.alarmRows = memory.count(device.alarmRows);
}
