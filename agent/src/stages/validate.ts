import { hasBit } from '@edgeward/shared/batch';
import type { RecordBatch, Schema, Stage } from '@edgeward/shared/contracts';
import { Quality } from '@edgeward/shared/quality';
import { claimTimes, DeviceTimes } from '../time/device-times.js';
import { checkNumbers } from './check-numbers.js';
import { type DeviceState, newDeviceState } from './device-state.js';
import { Marks } from './marks.js';
import { rowsByDevice } from './rows-by-device.js';

/** More devices than any gateway has; the one not seen in a new schema for longest makes room. */
const maxDevices = 10_000;

/**
 * Marks what is wrong with rows and cells: see quality.ts for the bits. It changes no value, and a time only
 * where the device already has a row at it: that row moves by 1 µs. Row bits are the union of the fields' bits.
 * The result shares every untouched column with the batch given.
 */
export class Validate implements Stage {
  readonly #devices = new Map<string, DeviceState>();
  readonly #statesBySchema = new WeakMap<Schema, DeviceState[]>();
  readonly #times: DeviceTimes;

  /** @param times  shared by all sources of an agent, and kept over restarts */
  constructor(times = new DeviceTimes()) {
    this.#times = times;
  }

  process(batch: RecordBatch): RecordBatch {
    const states = this.#statesOf(batch.schema);
    const marks = new Marks(batch);
    const rows = rowsByDevice(batch.device, states.length);
    batch.schema.fields.forEach((field, f) => {
      if (field.kind === 'string') checkText(batch, f, marks);
      else checkNumbers(batch, field, f, states, rows, marks);
    });
    return marks.batch(checkTimes(batch, states, marks));
  }

  #statesOf(schema: Schema): DeviceState[] {
    let states = this.#statesBySchema.get(schema);
    if (!states) {
      const shape = JSON.stringify([schema.type, schema.fields.map(field => [field.name, field.kind])]);
      states = schema.devices.map(device => this.#state(device, shape, schema.fields.length));
      this.#statesBySchema.set(schema, states);
    }
    return states;
  }

  #state(device: string, shape: string, fields: number): DeviceState {
    const key = `${device} ${shape}`;
    const state = this.#devices.get(key) ?? newDeviceState(fields, this.#times.of(device));
    this.#devices.delete(key);
    this.#devices.set(key, state);
    if (this.#devices.size > maxDevices) {
      for (const oldest of this.#devices.keys()) {
        this.#devices.delete(oldest);
        break;
      }
    }
    return state;
  }
}

/** Returns a new column only if a row had to move. */
function checkTimes(
  batch: RecordBatch,
  states: readonly DeviceState[],
  marks: Marks,
): Float64Array | undefined {
  const claim = (i: number, us: number) => {
    const { times } = states[batch.device[i]!]!;
    if (times.isBackwards(us)) marks.row(i, Quality.timeBackwards);
    return times.claim(us);
  };
  return claimTimes(batch, claim, (i, bits) => marks.row(i, bits));
}

function checkText(batch: RecordBatch, f: number, marks: Marks): void {
  const missing = batch.missing?.[f];
  if (!missing) return;
  for (let i = 0; i < batch.time.length; i++) if (hasBit(missing, i)) marks.field(f, i, Quality.missing);
}
