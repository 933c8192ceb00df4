import type { CellValue } from './http-devices.js';
import type { HttpIntake } from './http-intake.js';
import { type Precision, readFieldValue, readTimestamp } from './http-line-values.js';
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
    const from = this.#at;
    this.#toEndOfSeries();
    const series = this.#series.read(this.#text.slice(from, this.#at));
    if (isProblem(series)) this.#intake.refuse({ line }, series);
    else this.#row(line, series);
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
      const name = this.#fieldName();
      if (typeof name === 'object') return name;
      const value = this.#value(name);
      if (typeof value === 'object') return value;
      this.#names[this.#count] = fieldPrefix === undefined ? name : prefixed(fieldPrefix, name);
      this.#values[this.#count] = value;
      this.#count += 1;
      if (this.#text.charCodeAt(this.#at) !== comma) return undefined;
      this.#at += 1;
    }
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

  #value(field: string): CellValue | Problem {
    if (this.#text.charCodeAt(this.#at) === quote) return this.#textValue(field);
    const from = this.#at;
    for (; this.#at < this.#text.length; this.#at++) {
      const code = this.#text.charCodeAt(this.#at);
      if (code === comma || code === blank || code === lineFeed || code === carriageReturn) break;
    }
    const token = this.#text.slice(from, this.#at);
    const value = readFieldValue(token);
    if (value !== undefined) return value;
    const reason = 'not a value. Remedy: write a number (1.5), a whole number (3i), true or false, or "text"';
    return { kind: 'syntax', field, value: token, reason };
  }

  /** It may hold line feeds. */
  #textValue(field: string): string | Problem {
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
    return { kind: 'syntax', field, value, reason: 'the text has no closing quote' };
  }

  #time(): number | Problem {
    this.#skipBlanks();
    const from = this.#at;
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
