/** Scores with one engine until another has become worth its making. */
import type { Detector } from '@edgeward/shared/contracts';

export class ChangingDetector implements Detector {
  readonly features: readonly string[];
  readonly revision: string;
  readonly #first: Detector;
  readonly #afterRows: number;
  readonly #make: () => Promise<Detector | undefined>;
  #now: Detector;
  #rows = 0;
  /** Calls that the first one has not answered yet. */
  #running = 0;

  /** @param make  undefined = the first one stays */
  constructor(first: Detector, afterRows: number, make: () => Promise<Detector | undefined>) {
    this.features = first.features;
    this.revision = first.revision;
    this.#first = this.#now = first;
    this.#afterRows = afterRows;
    this.#make = make;
  }

  async score(x: Float32Array, n: number): Promise<Float32Array> {
    const before = this.#rows;
    this.#rows += n;
    if (before < this.#afterRows && this.#rows >= this.#afterRows) await this.#change();
    return this.#now === this.#first ? this.#scoreFirst(x, n) : this.#now.score(x, n);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#now !== this.#first) await this.#now[Symbol.asyncDispose]();
    await this.#first[Symbol.asyncDispose]();
  }

  async #scoreFirst(x: Float32Array, n: number): Promise<Float32Array> {
    this.#running += 1;
    try {
      return await this.#first.score(x, n);
    } finally {
      this.#running -= 1;
      await this.#letGo();
    }
  }

  async #change(): Promise<void> {
    this.#now = (await this.#make()) ?? this.#first;
    await this.#letGo();
  }

  async #letGo(): Promise<void> {
    if (this.#now !== this.#first && this.#running === 0) await this.#first[Symbol.asyncDispose]();
  }
}
