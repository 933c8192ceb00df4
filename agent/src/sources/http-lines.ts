import type { CellValue } from './http-devices.js';
import type { HttpIntake } from './http-intake.js';
import { type Precision, readFieldValue, readTimestamp } from './http-line-values.js';
import { PlainReader } from './http-plain-values.js';
import { isProblem, type Problem } from './http-problem.js';
import { plain, type Series, type SeriesReader } from './http-series.js';

const [lineFeed, carriageReturn, blank, quote, hash] = [0x0a, 0x0d, 0x20, 0x22, 0x23];
const [comma, equals, backslash] = [0x2c, 0x3d, 0x5c];

/**
 * Reads Influx line protocol: `measurement,tag=value field=value,field=value timestamp`. A line that cannot be read
 * is refused by itself; the next one begins at the next line feed.
 */
export function readLines(
  text: string,
  precision: Precision,
  series: SeriesReader,
  intake: HttpIntake,
): void {
  new LineReader(text, precision, series, intake).read();
}

class LineReader {
  readonly #text: string;
  readonly #precision: Precision;
  readonly #series: SeriesReader;
  readonly #intake: HttpIntake;
  readonly #plain = new PlainReader();
  /** The last series and the blank behind it: mostly that of the next line too. */
  #start = '';
  #last: Series | undefined;
  /** As they stand in the last line of this series, with their equals signs. */
  readonly #written: string[] = [];
  readonly #names: string[] = [];
  readonly #values: (CellValue | null)[] = [];
  #count = 0;
  #at = 0;
  #line = 1;

  constructor(text: string, precision: Precision, series: SeriesReader, intake: HttpIntake) {
    this.#text = text;
    this.#precision = precision;
    this.#series = series;
    this.#intake = intake;
  }

  read(): void {
    const { length } = this.#text;
    while (this.#at < length) {
      this.#skipBlanks();
      const code = this.#text.charCodeAt(this.#at);
      if (code !== lineFeed && code !== carriageReturn && code !== hash && this.#at < length) this.#point();
      this.#nextLine();
    }
  }

  #point(): void {
    const line = this.#line;
    const series = this.#sameSeries() ?? this.#nextSeries();
    if (isProblem(series)) this.#intake.refuse({ line }, series);
    else this.#row(line, series);
  }

  #sameSeries(): Series | undefined {
    if (!this.#last || !this.#text.startsWith(this.#start, this.#at)) return undefined;
    this.#at += this.#start.length;
    return this.#last;
  }

  #nextSeries(): Series | Problem {
    const from = this.#at;
    this.#toEndOfSeries();
    const series = this.#series.read(this.#text.slice(from, this.#at));
    // Before its first row, a device is not yet the one that the next line will find.
    const known = !isProblem(series) && series.device.heard && this.#text.charCodeAt(this.#at) === blank;
    this.#last = known ? series : undefined;
    this.#start = known ? this.#text.slice(from, this.#at + 1) : '';
    this.#written.length = 0;
    return series;
  }

  #row(line: number, series: Series): void {
    const { device } = series;
    const timeMs = this.#fields(series) ?? this.#time();
    if (typeof timeMs === 'object') this.#intake.refuse({ line }, { device: device.name, ...timeMs }, device);
    else this.#intake.add({ line }, device, timeMs, this.#names, this.#values, this.#count);
  }

  #toEndOfSeries(): void {
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === blank || code === lineFeed || code === carriageReturn) return;
      if (code === backslash && this.#text.charCodeAt(this.#at + 1) !== lineFeed) this.#at += 1;
    }
  }

  #fields({ fieldPrefix }: Series): Problem | undefined {
    this.#count = 0;
    this.#skipBlanks();
    for (;;) {
      const problem = this.#sameName() ? undefined : this.#nextName(fieldPrefix);
      if (problem) return problem;
      const value = this.#number() ?? this.#value();
      if (typeof value === 'object') return value;
      this.#values[this.#count] = value;
      this.#count += 1;
      if (this.#text.charCodeAt(this.#at) !== comma) return undefined;
      this.#at += 1;
    }
  }

  /** The same field as at this place of the line before. */
  #sameName(): boolean {
    const written = this.#written[this.#count];
    if (written === undefined || !this.#text.startsWith(written, this.#at)) return false;
    this.#at += written.length;
    return true;
  }

  #nextName(prefix: string | undefined): Problem | undefined {
    const from = this.#at;
    const name = this.#fieldName();
    if (typeof name === 'object') return name;
    this.#written[this.#count] = this.#text.slice(from, this.#at);
    this.#names[this.#count] = prefix === undefined ? name : prefixed(prefix, name);
    return undefined;
  }

  /** Undefined if it is no number, or none that is plain. */
  #number(): number | undefined {
    const value = this.#plain.number(this.#text, this.#at);
    if (Number.isNaN(value)) return undefined;
    this.#at = this.#plain.end;
    return value;
  }

  #fieldName(): string | Problem {
    const from = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === equals) break;
      if (code === comma || code === blank || code === lineFeed || code === carriageReturn) break;
      if (code === backslash && this.#text.charCodeAt(this.#at + 1) !== lineFeed) this.#at += 1;
    }
    const name = this.#text.slice(from, this.#at);
    if (name !== '' && this.#text.charCodeAt(this.#at) === equals) {
      this.#at += 1;
      return plain(name);
    }
    const reason = 'fields must be name=value, with commas between them and no blanks';
    return { kind: 'syntax', reason, value: name };
  }

  #value(): CellValue | Problem {
    if (this.#text.charCodeAt(this.#at) === quote) return this.#textValue();
    const from = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === comma || code === blank || code === lineFeed || code === carriageReturn) break;
    }
    const token = this.#text.slice(from, this.#at);
    const value = readFieldValue(token);
    if (value !== undefined) return value;
    const reason = 'not a value. Remedy: write a number (1.5), a whole number (3i), true or false, or "text"';
    return { kind: 'syntax', field: this.#field(), value: token, reason };
  }

  /** As the client named the one at hand. */
  #field(): string {
    return plain(this.#written[this.#count]!.slice(0, -1));
  }

  /** It may hold line feeds. */
  #textValue(): string | Problem {
    const from = this.#at + 1;
    let escaped = false;
    let lines = 0;
    for (let at = from; at < this.#text.length; at++) {
      const code = this.#text.charCodeAt(at);
      if (code === lineFeed) lines += 1;
      else if (code === backslash) {
        escaped = true;
        at += 1;
      } else if (code === quote) {
        this.#at = at + 1;
        this.#line += lines;
        const text = this.#text.slice(from, at);
        return escaped ? text.replace(/\\(["\\])/g, '$1') : text;
      }
    }
    const value = this.#text.slice(from - 1, from + 40);
    return { kind: 'syntax', field: this.#field(), value, reason: 'the text has no closing quote' };
  }

  #time(): number | Problem {
    this.#skipBlanks();
    const from = this.#at;
    const plainMs = this.#plain.time(this.#text, from, this.#precision);
    if (!Number.isNaN(plainMs)) {
      this.#at = this.#plain.end;
      return plainMs;
    }
    let end = this.#text.indexOf('\n', from);
    if (end < 0) end = this.#text.length;
    this.#at = end;
    while (end > from && isBlank(this.#text.charCodeAt(end - 1))) end -= 1;
    if (end === from) return this.#intake.nowMs;
    const token = this.#text.slice(from, end);
    const timeMs = readTimestamp(token, this.#precision);
    if (!Number.isNaN(timeMs)) return timeMs;
    const reason = `not a time in ${this.#precision} up to the year 2255. Remedy: a whole number, and precision=ns, us, ms or s`;
    return { kind: 'time', value: token, reason };
  }

  #skipBlanks(): void {
    while (this.#text.charCodeAt(this.#at) === blank) this.#at += 1;
  }

  #nextLine(): void {
    const end = this.#text.indexOf('\n', this.#at);
    this.#at = end < 0 ? this.#text.length : end + 1;
    this.#line += 1;
  }
}

function isBlank(code: number): boolean {
  return code === blank || code === carriageReturn;
}

function prefixed(measurement: string, field: string): string {
  return field === 'value' ? measurement : `${measurement}.${field}`;
}
