/**
 * A file that only takes up room. On a full disk LevelDB can neither delete nor open again: whatever would make room
 * needs some first. Giving up the ballast is that room; once there is enough again it is taken back.
 */
import { open, rm, stat, statfs } from 'node:fs/promises';
import path from 'node:path';

/** It is made again only when this many times its size is free, or a disk that is nearly full would flap. */
const roomFactor = 4;
const chunk = Buffer.alloc(64 * 1024, 0xed); // not zeros: some file systems store those as holes

export interface BallastOptions {
  readonly file: string;
  readonly bytes: number;
}

export class Ballast {
  readonly #file: string;
  readonly #bytes: number;

  constructor({ file, bytes }: BallastOptions) {
    this.#file = file;
    this.#bytes = bytes;
  }

  /** Whether there is anything to free. */
  async held(): Promise<boolean> {
    return stat(this.#file).then(
      ({ size }) => size > 0,
      () => false,
    );
  }

  /** Makes it if it is not there and there is room for it and more. Never throws: without it all goes on. */
  async hold(): Promise<boolean> {
    if (await this.#whole()) return true;
    try {
      if (!(await this.#couldHold())) return false;
      await this.#write();
      return true;
    } catch {
      await this.free();
      return false;
    }
  }

  /** Whether it is held or could be. Never throws: true where nobody knows. */
  async hasRoom(): Promise<boolean> {
    return (await this.#whole()) || (await this.#couldHold().catch(() => true));
  }

  /** True if that made room. */
  async free(): Promise<boolean> {
    const held = await this.held();
    await rm(this.#file, { force: true });
    return held;
  }

  async #couldHold(): Promise<boolean> {
    const { bavail, bsize } = await statfs(path.dirname(this.#file));
    return bavail * bsize >= roomFactor * this.#bytes;
  }

  #whole(): Promise<boolean> {
    return stat(this.#file).then(
      ({ size }) => size >= this.#bytes,
      () => false,
    );
  }

  async #write(): Promise<void> {
    const handle = await open(this.#file, 'w', 0o600);
    try {
      for (let left = this.#bytes; left > 0; left -= chunk.length)
        await handle.write(chunk, 0, Math.min(left, chunk.length));
      await handle.sync();
    } finally {
      await handle.close();
    }
  }
}
