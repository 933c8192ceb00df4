import type { RecordBatch, Schema } from '@edgeward/shared/contracts';

/** What belongs to each device of a batch, looked up once for those that have rows in batches of one schema. */
export class PresentDevices<T> {
  readonly #of: (name: string) => T;
  #schema: Schema | undefined;
  #found: T[] = [];

  /** @param of  must give the same for the same name at any time */
  constructor(of: (name: string) => T) {
    this.#of = of;
  }

  /** By index; of a device without rows there may be none. */
  of({ schema, device }: RecordBatch): readonly T[] {
    if (this.#schema !== schema) {
      this.#schema = schema;
      this.#found = [];
    }
    for (let r = 0; r < device.length; r++) {
      const index = device[r]!;
      this.#found[index] ??= this.#of(schema.devices[index]!);
    }
    return this.#found;
  }
}
