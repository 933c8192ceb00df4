import type { Delivery } from '@edgeward/shared/contracts';

/** The newest deliveries, decoded once and shared by all consumers that keep up. */
export class Tail {
  readonly #maxBytes: number;
  #kept: { delivery: Delivery; bytes: number }[] = [];
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  add(delivery: Delivery, bytes: number): void {
    this.#kept.push({ delivery, bytes });
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) return;
    // Down to half at once, so that the array is not shifted for every block.
    let drop = 0;
    while (this.#bytes > this.#maxBytes / 2 && drop < this.#kept.length - 1)
      this.#bytes -= this.#kept[drop++]!.bytes;
    this.#kept = this.#kept.slice(drop);
  }

  /** Undefined when what follows the position is no longer, or was never, kept here. */
  after(position: number, most: number): Delivery[] | undefined {
    const first = this.#kept[0]?.delivery.position;
    if (first === undefined || first > position + 1) return undefined;
    const start = position + 1 - first;
    return this.#kept.slice(start, start + most).map(({ delivery }) => delivery);
  }
}
