/**
 * Finds the cells of CSV (RFC 4180) in bytes, as offsets, without making a string of anything.
 *
 * Beside the standard: LF alone ends a record, blank lines are skipped, a quote inside an unquoted cell is an
 * ordinary character. What breaks the standard costs its own line and no other: a record whose quotes do not
 * close, or close in the middle of a cell, is reported as a problem up to the end of its first line. The result
 * does not depend on how the file was cut into pieces.
 */
const quote = 0x22;
const lineFeed = 0x0a;
const carriageReturn = 0x0d;

/** In place of an offset: the cell goes on past the bytes; the quotes make no sense. */
const unfinished = -1;
const broken = -2;

export const CsvProblem = { none: 0, quotes: 1, tooLong: 2 } as const;

export interface CsvFormat {
  /** One ASCII byte. */
  readonly delimiter: number;
  /** How many cells the header has; 0 = not known yet. */
  readonly columns: number;
  /** A longer record is a problem; also what is kept at most while waiting for the end of one. */
  readonly maxRecordBytes: number;
}

/** Growable offsets: reused by nobody, so that a piece stays readable while the next is scanned. */
class Offsets {
  values = new Int32Array(1024);
  length = 0;

  push(value: number): void {
    if (this.length === this.values.length) {
      const larger = new Int32Array(this.length * 2);
      larger.set(this.values);
      this.values = larger;
    }
    this.values[this.length] = value;
    this.length += 1;
  }
}

/** The records of one piece of a file, as offsets into its bytes. */
export interface CsvRecords {
  readonly count: number;
  /** [count] */
  readonly start: Int32Array;
  /** [count] After the line end. */
  readonly end: Int32Array;
  /** [count] See CsvProblem; a record with a problem has no cells. */
  readonly problem: Int32Array;
  /** [count + 1] Index of the first cell of each record; the last one ends the last record. */
  readonly firstCell: Int32Array;
  readonly cellStart: Int32Array;
  readonly cellEnd: Int32Array;
  /** Bytes that are dealt with; those after it belong before the next piece. */
  readonly consumed: number;
}

export class CsvScanner {
  readonly #format: CsvFormat;
  /** Within a record that is too long already: where it began, in bytes before the next piece. */
  #skipped: number | undefined;

  constructor(format: CsvFormat) {
    this.#format = format;
  }

  /**
   * @param bytes  what the last call left over, then what was read since
   * @param final  the file ends here
   */
  scan(bytes: Uint8Array, final: boolean, from = 0): CsvRecords {
    const piece = new Piece(bytes, final, this.#format);
    let at = from;
    if (this.#skipped !== undefined) at = this.#endSkipping(piece, from);
    while (this.#skipped === undefined && at < bytes.length) {
      const end = piece.record(at);
      if (end === undefined) {
        if (bytes.length - at <= this.#format.maxRecordBytes) break;
        this.#skipped = bytes.length - at;
        at = bytes.length;
      } else at = end;
    }
    return piece.records(at);
  }

  #endSkipping(piece: Piece, from: number): number {
    const begun = from - (this.#skipped ?? 0);
    const end = piece.lineEnd(from);
    if (end === undefined) {
      this.#skipped = piece.bytes.length - begun;
      return piece.bytes.length;
    }
    this.#skipped = undefined;
    piece.note(begun, end, CsvProblem.tooLong);
    return end;
  }
}

class Piece {
  readonly #starts = new Offsets();
  readonly #ends = new Offsets();
  readonly #problems = new Offsets();
  readonly #firstCells = new Offsets();
  readonly #cellStarts = new Offsets();
  readonly #cellEnds = new Offsets();

  constructor(
    readonly bytes: Uint8Array,
    readonly final: boolean,
    readonly format: CsvFormat,
  ) {}

  /** Scans one record; returns where the next begins, undefined if this one does not end within the bytes. */
  record(start: number): number | undefined {
    const cells = this.#cellStarts.length;
    let at = start;
    let end: number;
    do {
      end = this.bytes[at] === quote ? this.#quoted(at) : this.#plain(at);
      at = end + 1;
    } while (end >= 0 && this.bytes[end] === this.format.delimiter);
    if (end === unfinished) {
      this.#dropCells(cells);
      return this.bytes.length - start > this.format.maxRecordBytes ? this.#giveUp(start) : undefined;
    }
    const recordEnd = Math.min(at, this.bytes.length);
    const tooLong = recordEnd - start > this.format.maxRecordBytes;
    if (end === broken || tooLong || this.#swallowedLines(start, end, cells)) {
      this.#dropCells(cells);
      return this.#giveUp(start);
    }
    if (this.#isBlank(start, cells)) this.#dropCells(cells);
    else this.note(start, recordEnd, CsvProblem.none, cells);
    return recordEnd;
  }

  /** After the line end at or after `from`. */
  lineEnd(from: number): number | undefined {
    const at = this.bytes.indexOf(lineFeed, from);
    if (at >= 0) return at + 1;
    return this.final ? this.bytes.length : undefined;
  }

  /** Notes a record; its cells are those from `firstCell` on. */
  note(start: number, end: number, problem: number, firstCell = this.#cellStarts.length): void {
    this.#starts.push(start);
    this.#ends.push(end);
    this.#problems.push(problem);
    this.#firstCells.push(firstCell);
  }

  records(consumed: number): CsvRecords {
    this.#firstCells.push(this.#cellStarts.length);
    return {
      count: this.#starts.length,
      start: this.#starts.values,
      end: this.#ends.values,
      problem: this.#problems.values,
      firstCell: this.#firstCells.values,
      cellStart: this.#cellStarts.values,
      cellEnd: this.#cellEnds.values,
      consumed: Math.min(consumed, this.bytes.length),
    };
  }

  /** Returns where the delimiter or line feed after the cell is, or the end of the file. */
  #plain(start: number): number {
    const { bytes } = this;
    const { delimiter } = this.format;
    let at = start;
    while (at < bytes.length && bytes[at] !== delimiter && bytes[at] !== lineFeed) at += 1;
    if (at === bytes.length && !this.final) return unfinished;
    const withReturn = at > start && bytes[at] !== delimiter && bytes[at - 1] === carriageReturn;
    this.#cell(start, withReturn ? at - 1 : at);
    return at;
  }

  #quoted(opening: number): number {
    const { bytes, final } = this;
    let closing = bytes.indexOf(quote, opening + 1);
    while (closing >= 0 && bytes[closing + 1] === quote) closing = bytes.indexOf(quote, closing + 2);
    if (closing < 0) return final ? broken : unfinished;
    let after = closing + 1;
    if (bytes[after] === carriageReturn) after += 1;
    if (after >= bytes.length && !final) return unfinished;
    const ends = after >= bytes.length || bytes[after] === lineFeed;
    if (!ends && (after > closing + 1 || bytes[after] !== this.format.delimiter)) return broken;
    this.#cell(opening + 1, closing);
    return after;
  }

  #cell(start: number, end: number): void {
    this.#cellStarts.push(start);
    this.#cellEnds.push(end);
  }

  #isBlank(start: number, cells: number): boolean {
    const one = this.#cellStarts.length - cells === 1;
    return one && this.#cellStarts.values[cells] === start && this.#cellEnds.values[cells] === start;
  }

  /** A record over several lines with the wrong number of cells: more likely a quote too many than a line end in a cell. */
  #swallowedLines(start: number, end: number, cells: number): boolean {
    const { columns } = this.format;
    if (columns === 0 || this.#cellStarts.length - cells === columns) return false;
    const line = this.bytes.indexOf(lineFeed, start);
    return line >= 0 && line < end;
  }

  /** Up to the first line end it is a problem; what follows is looked at anew. */
  #giveUp(start: number): number | undefined {
    const end = this.lineEnd(start);
    if (end === undefined) return undefined;
    const tooLong = end - start > this.format.maxRecordBytes;
    this.note(start, end, tooLong ? CsvProblem.tooLong : CsvProblem.quotes);
    return end;
  }

  #dropCells(cells: number): void {
    this.#cellStarts.length = cells;
    this.#cellEnds.length = cells;
  }
}
