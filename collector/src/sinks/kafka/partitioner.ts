/** Kafka's own choice of a partition, so that a Java producer with the same key would write to the same one. */
import { getOrMake } from '@edgeward/shared/maps';

const m = 0x5bd1e995;
const seed = 0x9747b28c;

/** MurmurHash2 as in org.apache.kafka.common.utils.Utils.murmur2; a signed 32-bit number. */
export function murmur2(bytes: Uint8Array): number {
  const n = bytes.length;
  let h = seed ^ n;
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    let k = bytes[i]! | (bytes[i + 1]! << 8) | (bytes[i + 2]! << 16) | (bytes[i + 3]! << 24);
    k = Math.imul(k, m);
    k = Math.imul(k ^ (k >>> 24), m);
    h = Math.imul(h, m) ^ k;
  }
  if (n - i >= 3) h ^= bytes[i + 2]! << 16;
  if (n - i >= 2) h ^= bytes[i + 1]! << 8;
  if (n - i >= 1) h = Math.imul(h ^ bytes[i]!, m);
  h = Math.imul(h ^ (h >>> 13), m);
  return h ^ (h >>> 15);
}

export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions;
}

/** A device's key and its hash. */
export interface DeviceKey {
  readonly bytes: Buffer;
  /** Not negative; its remainder by the number of partitions is the partition. */
  readonly hash: number;
}

/** More devices than that only cost what they cost without it. */
const maxKept = 100_000;

/** The keys of the devices that were written lately. */
export class DeviceKeys {
  readonly #kept = new Map<string, Map<string, DeviceKey>>();
  #count = 0;

  of(gateway: string, device: string): DeviceKey {
    const devices = getOrMake(this.#kept, gateway, () => new Map<string, DeviceKey>());
    return getOrMake(devices, device, () => {
      this.#count += 1;
      if (this.#count > maxKept) {
        this.#kept.clear();
        this.#count = 0;
      }
      return keyOf(`${gateway}/${device}`);
    });
  }
}

export function keyOf(text: string): DeviceKey {
  const bytes = Buffer.from(text);
  return { bytes, hash: murmur2(bytes) & 0x7fffffff };
}
