/** Reads what a broker answers. */
export class Answer {
  readonly #data: Buffer;
  #at = 0;

  constructor(data: Buffer) {
    this.#data = data;
  }

  int8(): number {
    this.#at += 1;
    return this.#data.readInt8(this.#at - 1);
  }

  int16(): number {
    this.#at += 2;
    return this.#data.readInt16BE(this.#at - 2);
  }

  int32(): number {
    this.#at += 4;
    return this.#data.readInt32BE(this.#at - 4);
  }

  int64(): bigint {
    this.#at += 8;
    return this.#data.readBigInt64BE(this.#at - 8);
  }

  offset(): number {
    return Number(this.int64());
  }

  text(): string {
    return this.#bytes(this.int16()).toString();
  }

  bytes(): Buffer {
    return this.#bytes(this.int32());
  }

  list<T>(read: (answer: Answer) => T): T[] {
    const items: T[] = [];
    for (let n = this.int32(); n > 0; n--) items.push(read(this));
    return items;
  }

  /** Nothing where it is null. */
  #bytes(length: number): Buffer {
    const from = this.#at;
    this.#at += Math.max(0, length);
    return this.#data.subarray(from, this.#at);
  }
}
