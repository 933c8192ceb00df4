/** A file as an ext4 disk of its own: the kernel counts what reaches it, with all that the file system adds. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';

const sectorBytes = 512;

export class LoopDisk implements Disposable {
  readonly folder: string;
  readonly #device: string;
  readonly #image: string;

  private constructor(home: string, megabytes: number) {
    this.folder = path.join(home, 'disk');
    this.#image = path.join(home, 'disk.img');
    mkdirSync(this.folder, { recursive: true });
    run('truncate', '-s', `${megabytes}M`, this.#image);
    // Without lazy initialisation: what the kernel does by and by would be counted as ours.
    run('mkfs.ext4', '-q', '-F', '-E', 'lazy_itable_init=0,lazy_journal_init=0', this.#image);
    this.#device = run('losetup', '--find', '--show', this.#image).trim();
    run('mount', '-o', 'noatime', this.#device, this.folder);
  }

  /** Undefined where one may not mount, or there is no such thing. */
  static make(home: string, megabytes: number): LoopDisk | undefined {
    if (process.platform !== 'linux' || process.getuid?.() !== 0) return undefined;
    try {
      return new LoopDisk(home, megabytes);
    } catch {
      return undefined;
    }
  }

  /** Since it was made, with everything that still waited to be written. */
  writtenBytes(): number {
    run('sync', '-f', this.folder);
    const stat = readFileSync(`/sys/block/${path.basename(this.#device)}/stat`, 'utf8');
    return Number(stat.trim().split(/\s+/)[6]) * sectorBytes;
  }

  [Symbol.dispose](): void {
    run('umount', '--lazy', this.folder);
    run('losetup', '--detach', this.#device);
    rmSync(this.#image);
  }
}

function run(command: string, ...args: string[]): string {
  return execFileSync(command, args, { encoding: 'utf8', stdio: 'pipe' });
}
