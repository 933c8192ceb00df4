import type { Schema } from '../contracts.js';
import { getOrMake } from '../maps.js';

/** More devices than any gateway has; the one not met in a new schema for longest makes room. */
export const maxDevices = 10_000;

/** What is remembered of each device, by its name: whichever source and schema its rows come with. */
export class PerDevice<T> {
  readonly #states = new Map<string, T>();
  readonly #bySchema = new WeakMap<Schema, readonly T[]>();

  constructor(private readonly make: () => T) {}

  /** One for each device of the schema, in its order. */
  of(schema: Schema): readonly T[] {
    let states = this.#bySchema.get(schema);
    if (!states) {
      states = schema.devices.map(device => this.get(device));
      this.#bySchema.set(schema, states);
    }
    return states;
  }

  get(device: string): T {
    const state = getOrMake(this.#states, device, this.make);
    this.#states.delete(device);
    this.#states.set(device, state);
    if (this.#states.size > maxDevices) {
      const [oldest] = this.#states.keys();
      this.#states.delete(oldest!);
    }
    return state;
  }

  find(wanted: (state: T) => boolean): string | undefined {
    for (const [device, state] of this.#states) if (wanted(state)) return device;
    return undefined;
  }

  /** By device, without those that have nothing to say. */
  save<S>(saved: (state: T) => S | undefined): Record<string, S> {
    const found = [...this.#states].flatMap(([device, state]) => {
      const one = saved(state);
      return one === undefined ? [] : [[device, one] as const];
    });
    return Object.fromEntries(found);
  }
}
