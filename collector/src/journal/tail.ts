import type { Delivery } from '@edgeward/shared/contracts';
import { KeptDelivery } from './kept-delivery.js';

export interface TailLimits {
  /** Of memory, about. */
  readonly maxBytes: number;
  /** Whoever follows is behind by no more than this, or reads from the disk. */
  readonly maxAgeMs: number;
}

/** The newest deliveries, decoded once and shared by all consumers that keep up. */
export class Tail {
  readonly #limits: TailLimits;
  #kept: Delivery[] = [];
  /** Of `#kept`, those before it are given up. */
  #first = 0;
  #bytes = 0;

  constructor(limits: TailLimits) {
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  add(delivery: Delivery): void {
    const { maxBytes, maxAgeMs } = this.#limits;
    this.#kept.push(delivery);
    this.#bytes += memoryOf(delivery);
    const last = this.#kept.length - 1;
    const oldestMs = delivery.ingestedMs - maxAgeMs;
    while (this.#first < last && (this.#bytes > maxBytes || this.#kept[this.#first]!.ingestedMs < oldestMs))
      this.#bytes -= memoryOf(this.#kept[this.#first++]!);
    // Many at once, so that the array is not shifted for every block.
    if (this.#first < 64 || this.#first < this.#kept.length / 4) return;
    this.#kept = this.#kept.slice(this.#first);
    this.#first = 0;
  }

  /** Undefined when what follows the position is no longer, or was never, kept here. */
  after(position: number, most: number): Delivery[] | undefined {
    const first = this.#kept[this.#first]?.position;
    if (first === undefined || first > position + 1) return undefined;
    const start = this.#first + position + 1 - first;
    return this.#kept.slice(start, start + most);
  }
}

/** What the objects of a batch take besides their columns, and what a row takes besides its values. */
const batchBytes = 2000;
const rowBytes = 32;
/** What a delivery takes besides its block. */
const keptBytes = 500;

/** About. */
export function memoryOf(delivery: Delivery): number {
  if (delivery instanceof KeptDelivery) return keptBytes + delivery.bytes;
  const { batch } = delivery;
  return batchBytes + batch.time.length * (rowBytes + 8 * batch.values.length);
}
