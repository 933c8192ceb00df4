/**
 * What must hold, said without any of the code under test: plain sets of readings. Every reading has a number of its
 * own, which is also its value, so that it is known wherever it turns up.
 */
import type { Clock } from '@edgeward/shared/contracts';

export type SourceKind = 'poll' | 'push' | 'file';

export interface Reading {
  readonly id: number;
  readonly gateway: string;
  readonly source: SourceKind;
  readonly device: string;
  readonly admittedMs: number;
  /** Durable, by the outbox's own word. */
  durable: boolean;
  /** Nobody promised it: its agent was killed, or refused it, before it was durable. */
  unpromised: boolean;
  /** A journal was lost that may have been alone with the agent in having it. */
  exposed: boolean;
  /** Its agent no longer has it: it was durable at the collector, and only in memory here, when the agent died. */
  orphan: boolean;
}

/** Where a reading was found at the end. */
export interface Found {
  readonly id: number;
  readonly gateway: string;
  readonly device: string;
  readonly epoch: string;
  readonly row: number;
}

export class Oracle {
  readonly readings = new Map<number, Reading>();
  /** What went wrong, in sentences. */
  readonly wrong: string[] = [];
  readonly #clock: Clock;
  #lastId = 0;
  /** What the collector has, on its present disk or in its sink. */
  stored: () => ReadonlySet<number> = () => new Set();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  nextId(): number {
    this.#lastId += 1;
    return this.#lastId;
  }

  say(text: string): void {
    if (this.wrong.length < 10) this.wrong.push(`${Math.round(this.#clock.monotonic())} ms: ${text}`);
  }

  admitted(reading: Omit<Reading, 'admittedMs' | 'durable' | 'unpromised' | 'exposed' | 'orphan'>): Reading {
    const known = {
      ...reading,
      admittedMs: this.#clock.monotonic(),
      durable: false,
      unpromised: false,
      exposed: false,
      orphan: false,
    };
    this.readings.set(reading.id, known);
    return known;
  }

  /**
   * The journal is lost with its disk. Polled readings may be durable there alone: of those its agent has in memory
   * only, this and the death of that agent are one loss too many, in whichever order. Nothing else is excused.
   */
  journalLost(): void {
    const stored = this.stored();
    for (const reading of this.readings.values()) {
      if (reading.source !== 'poll' || stored.has(reading.id)) continue;
      if (reading.orphan) reading.unpromised = true;
      else reading.exposed = true;
    }
  }

  /**
   * The agent of a gateway has died.
   * @param mayBeMs  as old as this at most are readings that are not durable
   * @param onDisk   readings that its next start finds
   */
  died(gateway: string, mayBeMs: number, onDisk: ReadonlySet<number>): void {
    const stored = this.stored();
    for (const reading of this.readings.values()) {
      if (reading.gateway !== gateway || reading.unpromised) continue;
      if (reading.durable && onDisk.has(reading.id)) continue;
      if (reading.durable && (!reading.exposed || stored.has(reading.id))) {
        reading.orphan = true;
        continue;
      }
      reading.unpromised = true;
      const ageMs = this.#clock.monotonic() - reading.admittedMs;
      if (reading.source === 'poll' && !reading.exposed && ageMs > mayBeMs)
        this.say(
          `polled reading ${reading.id} was ${Math.round(ageMs)} ms old and not durable (${mayBeMs} allowed)`,
        );
    }
  }

  /**
   * Holds what is there against what must be.
   * @param found    in the order it was stored in
   * @param counted  rows that were given up and counted, by device, over all gateways
   * @param stored   all that is anywhere at the collector's end
   */
  settle(found: readonly Found[], counted: ReadonlyMap<string, number>, stored: ReadonlySet<number>): void {
    this.#once(found);
    const missing = new Map<string, number[]>();
    for (const { id, gateway, device, durable, unpromised } of this.readings.values()) {
      if (stored.has(id) || !durable || unpromised) continue;
      const key = `${gateway}/${device}`;
      missing.set(key, [...(missing.get(key) ?? []), id]);
    }
    for (const [device, ids] of missing) {
      const given = counted.get(device) ?? 0;
      if (ids.length > given)
        this.say(
          `${device}: ${ids.length} durable readings are missing, ${given} counted as lost: ${ids.slice(0, 8)}`,
        );
    }
  }

  #once(found: readonly Found[]): void {
    const seen = new Set<number>();
    for (const { id, gateway, device } of found) {
      if (seen.has(id)) this.say(`reading ${id} of ${gateway}/${device} is stored twice`);
      seen.add(id);
      const reading = this.readings.get(id);
      if (!reading) this.say(`reading ${id} was never read`);
      else if (reading.gateway !== gateway || reading.device !== device)
        this.say(`reading ${id} of ${reading.device} is stored as ${gateway}/${device}`);
    }
  }

  /** Rows of one device must come in the order they were read in. */
  inOrder(found: readonly Found[]): void {
    const last = new Map<string, number>();
    for (const { id, gateway, device } of found) {
      const key = `${gateway}/${device}`;
      const before = last.get(key) ?? 0;
      if (id < before) this.say(`${key}: reading ${id} is stored behind ${before}`);
      last.set(key, id);
    }
  }
}
