import type { Delivery, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { escapeKey, escapeMeasurement, fieldName } from './names.js';

/** Whose rows lines are: the tag set. A tag without a value is left out. */
export interface SeriesName {
  readonly measurement: string;
  readonly gateway: string;
  readonly site: string;
  readonly device: string;
}

/** What every line of one gateway's devices begins with, and what its fields are called. */
export interface Heads {
  /** By index of the device; made when first needed. */
  readonly devices: (Uint8Array | undefined)[];
  /** By index of the device: true = this series may be written. */
  readonly admitted: (boolean | undefined)[];
  /** `,name=` by index of the field. */
  readonly keys: readonly Uint8Array[];
  readonly keyBytes: number;
}

/** Escaped once, for as long as the schema is in use. */
export class HeadCache {
  readonly #heads = new WeakMap<Schema, Map<string, Heads>>();

  of({ gateway, site = '', batch: { schema } }: Delivery): Heads {
    const ofSchema = this.#heads.get(schema) ?? new Map<string, Heads>();
    this.#heads.set(schema, ofSchema);
    return getOrMake(ofSchema, `${gateway}\0${site}`, () => {
      const keys = schema.fields.map(({ name }) => Buffer.from(`,${escapeKey(fieldName(name))}=`));
      const keyBytes = keys.reduce((sum, key) => sum + key.length, 0);
      return { devices: [], admitted: [], keys, keyBytes };
    });
  }
}

export function seriesOf({ gateway, site = '', batch: { schema } }: Delivery, device: number): SeriesName {
  return { measurement: schema.type, gateway, site, device: schema.devices[device]! };
}

/** As the server keeps it: tags in the order of their keys. */
export function seriesKey({ measurement, ...tags }: SeriesName): string {
  return `${escapeMeasurement(measurement)}${tagText(tags)}`;
}

export function tagText(tags: Readonly<Record<string, string>>): string {
  return Object.keys(tags)
    .sort()
    .filter(key => tags[key] !== '')
    .map(key => `,${key}=${escapeKey(tags[key]!)}`)
    .join('');
}
