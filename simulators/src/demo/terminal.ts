import type { Readable, Writable } from 'node:stream';

type Terminal = Writable & { isTTY?: boolean; columns?: number };
type Keyboard = Readable & { isTTY?: boolean; setRawMode?: (raw: boolean) => void };

/** One status line that stays at the bottom, and lines that scroll above it. Plain lines where there is no terminal. */
export class StatusLine {
  readonly #out: Terminal;
  #status = '';

  constructor(out: Writable) {
    this.#out = out;
  }

  line(text: string): void {
    this.#out.write(`${this.#clear()}${text}\n${this.#shown()}`);
  }

  /** @param parts  as many of them as the line has room for: half a word or address would mislead */
  status(parts: readonly string[]): void {
    const text = parts.reduce((line, part) => {
      const longer = line ? `${line} · ${part}` : part;
      return longer.length < (this.#out.columns ?? 80) ? longer : line;
    }, '');
    if (!this.#out.isTTY || text === this.#status) return;
    this.#status = text;
    this.#out.write(`${this.#clear()}${this.#shown()}`);
  }

  end(): void {
    this.#out.write(this.#clear());
    this.#status = '';
  }

  #clear(): string {
    return this.#out.isTTY ? '\r\x1b[2K' : '';
  }

  #shown(): string {
    return this.#out.isTTY ? this.#status : '';
  }
}

/** Single key presses; returns the function that gives the keyboard back. */
export function onKeys(input: Readable, press: (key: string) => void): () => void {
  const keyboard = input as Keyboard;
  if (!keyboard.isTTY || !keyboard.setRawMode) return () => undefined;
  const listen = (data: Buffer) => {
    for (const key of data.toString('utf8')) press(key);
  };
  keyboard.setRawMode(true);
  keyboard.resume();
  keyboard.on('data', listen);
  return () => {
    keyboard.off('data', listen);
    keyboard.setRawMode?.(false);
    keyboard.pause();
  };
}
