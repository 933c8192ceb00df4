/** Line protocol, read as its specification says: knows nothing of how we write it. Integers come as bigint. */

export type ParsedValue = number | bigint | boolean | string;

export interface ParsedPoint {
  readonly measurement: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly fields: ReadonlyMap<string, ParsedValue>;
  readonly us: number;
}

/** @throws SyntaxError for anything that is no line protocol */
export function parseLines(text: string): ParsedPoint[] {
  const reader = new Reader(text);
  const points: ParsedPoint[] = [];
  while (!reader.ended) points.push(point(reader));
  return points;
}

function point(reader: Reader): ParsedPoint {
  if (reader.next === '#') throw reader.fault('a comment where a point was due');
  const measurement = reader.name(', ');
  const tags = new Map<string, string>();
  while (reader.take(',')) add(reader, tags, () => reader.name(',= '));
  const fields = new Map<string, ParsedValue>();
  do {
    reader.position += 1; // the blank, or the comma
    add(reader, fields, () => reader.value());
  } while (reader.next === ',');
  reader.demand(' ');
  const us = Number(reader.match(/-?\d+/y, 'a time'));
  reader.demand('\n');
  return { measurement, tags, fields, us };
}

function add<T>(reader: Reader, to: Map<string, T>, value: () => T): void {
  const key = reader.name(',= ');
  if (to.has(key)) throw reader.fault(`${key} twice`);
  reader.demand('=');
  to.set(key, value());
}

class Reader {
  position = 0;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  get ended(): boolean {
    return this.position === this.#text.length;
  }

  get next(): string {
    return this.#text[this.position] ?? '';
  }

  take(mark: string): boolean {
    if (this.next !== mark) return false;
    this.position += 1;
    return true;
  }

  demand(mark: string): void {
    if (!this.take(mark)) throw this.fault(`no ${JSON.stringify(mark)}`);
  }

  /** Until one of these delimiters stands there without a backslash. */
  name(delimiters: string): string {
    let name = '';
    while (!delimiters.includes(this.next)) {
      if (/[\n\r\0]/.test(this.next)) throw this.fault('a control character in a name');
      if (this.next === '\\' && /[,= ]/.test(this.#text[this.position + 1] ?? '')) this.position += 1;
      name += this.next;
      this.position += 1;
    }
    if (name === '' || this.ended) throw this.fault('an empty name');
    return name;
  }

  value(): ParsedValue {
    if (this.next === '"') {
      const text = this.match(/"((?:[^"\\]|\\["\\])*)"/sy, 'a text');
      return text.slice(1, -1).replaceAll(/\\(["\\])/g, '$1');
    }
    if (/[tf]/.test(this.next)) return this.match(/[tf]/y, 'true or false') === 't';
    const number = this.match(/-?\d+(\.\d+)?(e[+-]?\d+)?i?/y, 'a number');
    return number.endsWith('i') ? BigInt(number.slice(0, -1)) : Number(number);
  }

  match(pattern: RegExp, what: string): string {
    pattern.lastIndex = this.position;
    const [found] = pattern.exec(this.#text) ?? [];
    if (found === undefined) throw this.fault(`not ${what}`);
    this.position += found.length;
    return found;
  }

  fault(why: string): SyntaxError {
    const around = this.#text.slice(Math.max(0, this.position - 40), this.position + 40);
    return new SyntaxError(`${why} at ${this.position}: ${JSON.stringify(around)}`);
  }
}
