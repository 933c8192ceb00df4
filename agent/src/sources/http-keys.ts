import { createHash } from 'node:crypto';
import type { SourcePosition } from '@edgeward/shared/contracts';

/** What came of a request that had an Idempotency-Key. */
export interface KeyRecord {
  readonly accepted: number;
  readonly refused: number;
  /** Not all of it is stored yet: the devices whose rows are. A process ended between two blocks of the request. */
  readonly stored?: ReadonlySet<string>;
}

/** Twelve bytes tell the keys of a gateway apart, and a thousand of them make 17 kB. */
const digestBytes = 12;

export function digestOf(key: string): string {
  return createHash('sha256').update(key, 'latin1').digest().toString('base64url', 0, digestBytes);
}

/**
 * The newest keys, as they are stored with the rows of their requests: `DIGEST`, `DIGEST/ACCEPTED/REFUSED` where
 * points were refused, `DIGEST+DEVICE,DEVICE` where only these devices are stored; blanks between them.
 */
export class KeyWindow {
  readonly #records = new Map<string, KeyRecord>();
  readonly #most: number;

  constructor(most: number, position: SourcePosition | undefined) {
    this.#most = most;
    const text = typeof position?.keys === 'string' ? position.keys : '';
    for (const entry of text.split(' ')) if (entry !== '') this.#set(...readEntry(entry));
  }

  find(digest: string): KeyRecord | undefined {
    return this.#records.get(digest);
  }

  complete(digest: string, accepted: number, refused: number): void {
    this.#set(digest, { accepted, refused });
  }

  partly(digest: string, stored: ReadonlySet<string>): void {
    this.#set(digest, { accepted: 0, refused: 0, stored });
  }

  position(): SourcePosition {
    return { keys: [...this.#records].map(([digest, record]) => writeEntry(digest, record)).join(' ') };
  }

  #set(digest: string, record: KeyRecord): void {
    this.#records.delete(digest);
    this.#records.set(digest, record);
    for (const oldest of this.#records.keys()) {
      if (this.#records.size <= this.#most) break;
      this.#records.delete(oldest);
    }
  }
}

function writeEntry(digest: string, { accepted, refused, stored }: KeyRecord): string {
  if (stored) return `${digest}+${[...stored].join()}`;
  return refused === 0 ? digest : `${digest}/${accepted}/${refused}`;
}

function readEntry(entry: string): [string, KeyRecord] {
  const [whole = '', devices] = entry.split('+');
  if (devices !== undefined) return [whole, { accepted: 0, refused: 0, stored: new Set(devices.split(',')) }];
  const [digest = '', accepted = 0, refused = 0] = whole.split('/');
  return [digest, { accepted: Number(accepted), refused: Number(refused) }];
}
