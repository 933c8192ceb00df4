/**
 * Which fields a device has decides which block its rows go into. Devices of one type that have had the same
 * fields share a shape, and so a block; one that shows a further field moves on to another shape. A row then lacks
 * a value only where its own device has had one before.
 */
import type { Field, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';

export interface Device {
  readonly name: string;
  readonly type: DeviceType;
  /** By name in the configuration. */
  readonly declared: boolean;
  shape: Shape;
  /** Index in the schema of its shape, as of the last one made. */
  slot: number;
  /** It has had a row; before that, nobody but its first point knows it. */
  heard: boolean;
}

export class DeviceType {
  readonly name: string;
  readonly declared: boolean;
  /** By id: the order in which they became known. */
  readonly fields: Field[] = [];
  readonly #ids = new Map<string, number>();
  readonly #shapes = new Map<string, Shape>();
  readonly #first: readonly number[];

  constructor(name: string, declared?: readonly Field[]) {
    this.name = name;
    this.declared = declared !== undefined;
    this.#first = (declared ?? []).map(field => this.add(field));
  }

  idOf(field: string): number | undefined {
    return this.#ids.get(field);
  }

  add(field: Field): number {
    const name = ownText(field.name);
    this.#ids.set(name, this.fields.length);
    return this.fields.push({ ...field, name }) - 1;
  }

  newDevice(name: string, declared: boolean): Device {
    const shape = this.#shapeOf(this.#first);
    return { name: ownText(name), type: this, declared, shape, slot: 0, heard: false };
  }

  grow(device: Device, ids: readonly number[]): void {
    const old = device.shape;
    old.leave(device);
    if (old.empty) this.#shapes.delete(old.key);
    device.shape = this.#shapeOf([...old.ids, ...ids].sort((a, b) => a - b));
    device.shape.join(device);
  }

  #shapeOf(ids: readonly number[]): Shape {
    const key = ids.join();
    return getOrMake(this.#shapes, key, () => new Shape(this, ids, key));
  }
}

export class Shape {
  readonly type: DeviceType;
  readonly ids: readonly number[];
  readonly key: string;
  /** By id; undefined = not of this shape. */
  readonly columns: number[] = [];
  readonly #devices = new Set<Device>();
  #schema: Schema | undefined;

  constructor(type: DeviceType, ids: readonly number[], key: string) {
    this.type = type;
    this.ids = ids;
    this.key = key;
    ids.forEach((id, column) => {
      this.columns[id] = column;
    });
  }

  get size(): number {
    return this.ids.length;
  }

  get empty(): boolean {
    return this.#devices.size === 0;
  }

  has(id: number): boolean {
    return this.columns[id] !== undefined;
  }

  join(device: Device): void {
    this.#devices.add(device);
    this.#schema = undefined;
  }

  leave(device: Device): void {
    this.#devices.delete(device);
    this.#schema = undefined;
  }

  /** The same one as long as neither fields nor devices change. Sets the slots of its devices. */
  schema(): Schema {
    if (!this.#schema) {
      const devices = [...this.#devices];
      devices.forEach((device, slot) => {
        device.slot = slot;
      });
      this.#schema = {
        type: this.type.name,
        fields: this.ids.map(id => this.type.fields[id]!),
        devices: devices.map(({ name }) => name),
      };
    }
    return this.#schema;
  }
}

/** A copy that does not keep the body alive which the text was cut from. */
export function ownText(text: string): string {
  return Buffer.from(text, 'utf8').toString('utf8');
}
