/**
 * A disk with one store on it, in memory, that can do what real ones do to LevelDB: let a write fail, after which it
 * refuses further ones until it is opened again; end the process within a call; lose at a power cut what was not
 * synced, from some write on.
 */
import { setMaxListeners } from 'node:events';
import type { Clock, Rng } from '../contracts.js';

export interface MemoryWrite {
  readonly type: 'put' | 'del';
  readonly key: string;
  readonly value?: Buffer;
}

export type MemoryCall =
  | 'open'
  | 'batch'
  | 'get'
  | 'iterator'
  | 'clear'
  | 'size'
  | 'compact'
  | 'reopen'
  | 'close';

/**
 * What becomes of a call. `late` is after it took effect: a write that fails late is on the disk although it is said
 * to have failed, as when only the sync went wrong.
 */
export type Fate = 'ok' | 'fail' | 'fail-late' | 'die' | 'die-late';

export interface MemoryDiskOptions {
  readonly clock: Clock;
  readonly rng: Rng;
  /** How long a call takes. */
  readonly latencyMs?: () => number;
  /** @param n  number of the call on this disk, from 1 */
  readonly fateOf?: (n: number, call: MemoryCall) => Fate;
  /** Ends the process that uses the disk, through `kill` or `cutPower`. */
  readonly onDeath?: () => void;
}

type Entries = Map<string, Buffer>;

const never = new AbortController().signal;
setMaxListeners(0, never);

export class MemoryDisk {
  readonly marker = { id: '', starts: 0, state: 'none' as 'none' | 'open' | 'closed' };
  /** Made by calls that failed, for those who wait until all works again. */
  lastFailedMs = Number.NEGATIVE_INFINITY;
  readonly #options: MemoryDiskOptions;
  /** As the running system sees it. */
  #entries: Entries = new Map();
  /** What is sure to survive a power cut. */
  #synced: Entries = new Map();
  /** Written since, in order. */
  #unsynced: (readonly MemoryWrite[])[] = [];
  #sorted: readonly string[] | undefined;
  #underWay: readonly MemoryWrite[] | undefined;
  #calls = 0;
  #process = 0;
  #broken = false;

  constructor(options: MemoryDiskOptions) {
    this.#options = options;
  }

  get calls(): number {
    return this.#calls;
  }

  /** Number of the process that uses it: calls of an earlier one never return. */
  get process(): number {
    return this.#process;
  }

  /** A write has failed and the store was not opened again since. */
  get broken(): boolean {
    return this.#broken;
  }

  get entries(): ReadonlyMap<string, Buffer> {
    return this.#entries;
  }

  get synced(): ReadonlyMap<string, Buffer> {
    return this.#synced;
  }

  /** Keys in their order. */
  get sorted(): readonly string[] {
    this.#sorted ??= [...this.#entries.keys()].sort();
    return this.#sorted;
  }

  /** Ends the process: what is being written may get there or not, all that was written is there. */
  kill(): void {
    this.#process += 1;
    this.#broken = false;
    const half = this.#underWay;
    this.#underWay = undefined;
    if (half && this.#options.rng() < 0.5) this.#apply(half, false);
  }

  /** The same, and what was not synced is lost from some write on. */
  cutPower(): void {
    this.kill();
    const kept = this.#unsynced.slice(0, Math.floor(this.#options.rng() * (this.#unsynced.length + 1)));
    this.#entries = new Map(this.#synced);
    this.#unsynced = [];
    this.#sorted = undefined;
    for (const writes of kept) this.#apply(writes, false);
  }

  /** One call of a process; never returns once that has ended. */
  async call<T>(process: number, call: MemoryCall, act: () => T): Promise<T> {
    if (process !== this.#process) return forever();
    this.#calls += 1;
    const fate = this.#options.fateOf?.(this.#calls, call) ?? 'ok';
    if (fate === 'die') this.#options.onDeath?.();
    else {
      const latencyMs = this.#options.latencyMs?.() ?? 0;
      if (latencyMs > 0) await this.#options.clock.sleep(latencyMs, never);
    }
    if (process !== this.#process) return forever();
    if (fate === 'fail') throw this.#failure(call);
    const result = act();
    if (fate === 'fail-late') throw this.#failure(call);
    if (fate !== 'die-late') return result;
    this.#options.onDeath?.();
    return forever();
  }

  /** @throws if a write has failed before */
  write(process: number, writes: readonly MemoryWrite[], sync: boolean): Promise<void> {
    if (process === this.#process) this.#underWay = writes;
    return this.call(process, 'batch', () => {
      this.#underWay = undefined;
      if (this.#broken) throw new Error('the store is read-only since a write has failed');
      this.#apply(writes, sync);
    });
  }

  /** When it opens a store, LevelDB writes what it finds in its log to a table, and syncs that. */
  opened(): void {
    this.#broken = false;
    this.#unsynced = [];
    this.#synced = new Map(this.#entries);
  }

  #failure(call: MemoryCall): Error {
    this.lastFailedMs = this.#options.clock.monotonic();
    this.#underWay = undefined;
    if (call === 'batch' || call === 'clear') this.#broken = true;
    return new Error(`injected: ${call} failed`);
  }

  #apply(writes: readonly MemoryWrite[], sync: boolean): void {
    applyTo(this.#entries, writes);
    this.#sorted = undefined;
    this.#unsynced.push(writes);
    if (!sync) return;
    for (const earlier of this.#unsynced) applyTo(this.#synced, earlier);
    this.#unsynced = [];
  }
}

function applyTo(entries: Entries, writes: readonly MemoryWrite[]): void {
  for (const { type, key, value } of writes) {
    if (type === 'put' && value) entries.set(key, value);
    else entries.delete(key);
  }
}

function forever(): Promise<never> {
  return new Promise(() => undefined);
}
