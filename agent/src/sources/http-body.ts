import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { promisify } from 'node:util';
import { gunzip } from 'node:zlib';
import { HttpRefusal } from './http-problem.js';

const inflate = promisify(gunzip);

/** Bytes that all requests together may hold. */
export class Room {
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  /** @throws HttpRefusal 429 if there is none */
  take(bytes: number): void {
    if (bytes > this.#left) {
      const remedy = 'Remedy: send it again after Retry-After.';
      throw new HttpRefusal(429, 'EW_HTTP_BUSY', `Too many requests wait to be stored. ${remedy}`, 1);
    }
    this.#left -= bytes;
  }

  give(bytes: number): void {
    this.#left += bytes;
  }
}

/** What one request holds of the room. */
export class Share {
  readonly #room: Room;
  #bytes = 0;

  constructor(room: Room) {
    this.#room = room;
  }

  take(bytes: number): void {
    this.#room.take(bytes);
    this.#bytes += bytes;
  }

  giveBack(): void {
    this.#room.give(this.#bytes);
    this.#bytes = 0;
  }
}

/**
 * The body as text, gzip undone. Calls back rather than promising, since at thousands of small requests a second
 * promises cost as much as reading does.
 * @param take  if it throws, `fail` is told
 * @param fail  at most once, of an HttpRefusal (400, 413, 415, 429) or of a connection that broke
 * @throws HttpRefusal  415, 413
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  share: Share,
  take: (text: string) => void,
  fail: (error: unknown) => void,
): void {
  const coding = codingOf(request);
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > maxBytes) throw tooLarge(maxBytes);
  const whole = (body: Buffer) => {
    if (coding === 'identity') take(textOf(body));
    else
      unzip(body, maxBytes, share)
        .then(inflated => take(textOf(inflated)))
        .catch(fail);
  };
  collect(request, maxBytes, share, whole, fail);
}

function textOf(body: Buffer): string {
  if (!isUtf8(body)) throw new HttpRefusal(400, 'EW_HTTP_REQUEST', 'The body is not UTF-8.');
  return body.toString('utf8');
}

function codingOf({ headers }: IncomingMessage): 'gzip' | 'identity' {
  const coding = (headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  if (coding === 'gzip' || coding === 'x-gzip') return 'gzip';
  if (coding === 'identity' || coding === '') return 'identity';
  throw new HttpRefusal(
    415,
    'EW_HTTP_REQUEST',
    'This content-encoding is not known. Remedy: use gzip, or none.',
  );
}

function collect(
  request: IncomingMessage,
  maxBytes: number,
  share: Share,
  whole: (body: Buffer) => void,
  fail: (error: unknown) => void,
): void {
  const chunks: Buffer[] = [];
  let length = 0;
  let over = false; // what comes after a refusal goes nowhere, within the time that a request may take
  const once = (error: unknown) => {
    if (over) return;
    over = true;
    fail(error);
  };
  request.on('data', (chunk: Buffer) => {
    if (over) return;
    try {
      length += chunk.length;
      if (length > maxBytes) throw tooLarge(maxBytes);
      share.take(chunk.length);
      chunks.push(chunk);
    } catch (error) {
      once(error);
    }
  });
  request.on('end', () => {
    if (over) return;
    over = true;
    try {
      whole(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length));
    } catch (error) {
      fail(error);
    }
  });
  request.on('error', once);
}

async function unzip(body: Buffer, maxBytes: number, share: Share): Promise<Buffer> {
  let inflated: Buffer;
  try {
    inflated = await inflate(body, { maxOutputLength: maxBytes });
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE') throw tooLarge(maxBytes);
    throw new HttpRefusal(400, 'EW_HTTP_REQUEST', 'The body is no gzip, though content-encoding says so.');
  }
  share.take(inflated.length);
  return inflated;
}

function tooLarge(maxBytes: number): HttpRefusal {
  const remedy = 'split it, or raise maxBodyBytes of this source';
  return new HttpRefusal(
    413,
    'EW_HTTP_REQUEST',
    `The body has more than ${maxBytes} bytes. Remedy: ${remedy}.`,
  );
}
