/** A small ext4 disk of its own for one machine of the plant: it can lose its power, fill up and fail. */
import { closeSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { command } from './host.js';

export class Disk implements Disposable {
  /** Where it is mounted. */
  readonly folder: string;
  readonly #home = mkdtempSync(path.join(tmpdir(), 'edgeward-disk-'));
  #image: string;
  #cuts = 0;

  constructor(bytes = 128 * 1024 * 1024) {
    this.folder = path.join(this.#home, 'mounted');
    mkdirSync(this.folder);
    this.#image = path.join(this.#home, 'disk-0.img');
    command('truncate', '-s', String(bytes), this.#image);
    command('mkfs.ext4', '-q', '-F', this.#image);
    this.#mount();
  }

  /**
   * The power fails. Whatever used the disk must have been killed before. What the kernel had not yet written to the
   * image is gone: the copy is taken while the image is still mounted, and all goes on from the copy.
   */
  cutPower(): void {
    this.#cuts += 1;
    const former = this.#image;
    this.#image = path.join(this.#home, `disk-${this.#cuts}.img`);
    command('cp', '--sparse=always', former, this.#image);
    command('umount', this.folder);
    rmSync(former);
    this.#mount();
  }

  /** As ext4 does after an error: read-only at once, whoever has files open. */
  fail(): void {
    command('mount', '-o', 'remount,abort', this.folder);
  }

  /** Taken out and put in again. Nobody may have it open. */
  remount(as: 'rw' | 'ro' = 'rw'): void {
    command('umount', this.folder);
    command('mount', '-o', `loop,${as}`, this.#image, this.folder);
  }

  /** Takes all room that is left, until `freeSpace`. */
  fill(): void {
    const filler = openSync(this.#filler, 'a');
    try {
      for (const bytes of [1 << 20, 4096]) fillWith(filler, Buffer.alloc(bytes, 0x2e));
    } finally {
      closeSync(filler);
    }
  }

  freeSpace(): void {
    rmSync(this.#filler);
  }

  get #filler(): string {
    return path.join(this.folder, 'filler');
  }

  [Symbol.dispose](): void {
    command('umount', '--lazy', this.folder);
    rmSync(this.#home, { recursive: true, force: true });
  }

  #mount(): void {
    command('mount', '-o', 'loop', this.#image, this.folder);
  }
}

function fillWith(file: number, bytes: Buffer): void {
  try {
    for (;;) writeSync(file, bytes);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'ENOSPC') throw error;
  }
}
