import type { Delivery, Note, Refusal } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import { ByteWriter } from './byte-writer.js';

/** Where one line came from. */
export type Origin = { readonly delivery: Delivery; readonly row: number } | { readonly note: Note };

/** The lines of one request, each of which can be told apart. */
export class Points {
  readonly #bytes: Buffer;
  readonly #ends: readonly number[];
  readonly #rows: readonly number[];
  readonly #starts: readonly Start[];

  /**
   * @param bytes   lines, each with its newline
   * @param ends    where each ends, behind its newline
   * @param rows    of each the index of its row; of a note's nothing that means anything
   * @param starts  whose the lines are, in their order
   */
  constructor(bytes: Buffer, ends: readonly number[], rows: readonly number[], starts: readonly Start[]) {
    this.#bytes = bytes;
    this.#ends = ends;
    this.#rows = rows;
    this.#starts = starts;
  }

  get size(): number {
    return this.#ends.length;
  }

  get bytes(): Buffer {
    return this.#bytes;
  }

  /** Without its newline. */
  line(i: number): Buffer {
    return this.#bytes.subarray(i === 0 ? 0 : this.#ends[i - 1]!, this.#ends[i]! - 1);
  }

  /** The text of some of them. */
  textOf(lines: readonly number[]): Buffer {
    if (lines.length === this.size) return this.#bytes;
    return Buffer.concat(
      lines.map(i => this.#bytes.subarray(i === 0 ? 0 : this.#ends[i - 1]!, this.#ends[i]!)),
    );
  }

  origin(i: number): Origin {
    const { source } = this.#starts.findLast(({ line }) => line <= i)!;
    return 'batch' in source ? { delivery: source, row: this.#rows[i]! } : { note: source };
  }
}

/** From this line on they are of this delivery or note. */
export interface Start {
  readonly line: number;
  readonly source: Delivery | Note;
}

/** Lines of what will be one request. */
export class Request {
  readonly out: ByteWriter;
  readonly #maxBytes: number;
  #ends: number[] = [];
  #rows: number[] = [];
  #starts: Start[] = [];

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
    this.out = new ByteWriter(maxBytes + 4096);
  }

  get size(): number {
    return this.#ends.length;
  }

  get isFull(): boolean {
    return this.out.length >= this.#maxBytes;
  }

  begin(source: Start['source']): void {
    this.#starts.push({ line: this.size, source });
  }

  end(row: number): void {
    this.#ends.push(this.out.length);
    this.#rows.push(row);
  }

  /** The lines are the caller's from now on. */
  take(): Points {
    const bytes = Buffer.from(this.out.bytes.subarray(0, this.out.length));
    const points = new Points(bytes, this.#ends, this.#rows, this.#starts);
    this.out.length = 0;
    [this.#ends, this.#rows, this.#starts] = [[], [], []];
    return points;
  }
}

/** What the server will not take, put together as dead letters are kept: by delivery and reason. */
export class Refused {
  readonly #rows = new Map<Delivery, Map<string, Set<number>>>();
  readonly #notes = new Map<Note, string>();

  add(origin: Origin, reason: string): void {
    if ('note' in origin) this.#notes.set(origin.note, reason);
    else {
      const byReason = getOrMake(this.#rows, origin.delivery, () => new Map<string, Set<number>>());
      getOrMake(byReason, reason, () => new Set<number>()).add(origin.row);
    }
  }

  all(): Refusal[] {
    const notes = [...this.#notes].map(([note, reason]) => ({ note, reason }));
    const rows = [...this.#rows].flatMap(([delivery, byReason]) =>
      [...byReason].map(([reason, own]) => ({
        delivery,
        ...(own.size < delivery.batch.time.length && { rows: [...own].sort((a, b) => a - b) }),
        reason,
      })),
    );
    return [...rows, ...notes];
  }
}
