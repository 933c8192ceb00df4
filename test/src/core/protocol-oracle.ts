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
  /** Its journal was lost before the sink had it. */
  exposed: boolean;
  /** Its agent was killed since. */
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

  /** The journal is lost. What was journaled there and had not reached the sink, its agent still has, if it lives. */
  journalLost(isAtSink: (id: number) => boolean): void {
    for (const reading of this.readings.values()) {
      if (reading.source !== 'poll' || isAtSink(reading.id)) continue;
      if (reading.orphan) reading.unpromised = true;
      reading.exposed = true;
    }
  }

  /** Readings of one gateway that are not durable, at the death of its agent. @param mayBeMs  as old as this at most */
  died(gateway: string, mayBeMs: number): void {
    for (const reading of this.readings.values()) {
      if (reading.gateway !== gateway || reading.unpromised) continue;
      reading.orphan = true;
      if (reading.durable && !reading.exposed) continue;
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
   * @param counted  rows that were given up and counted, by device, over all gateways
   */
  settle(found: readonly Found[], counted: ReadonlyMap<string, number>): void {
    const seen = this.#once(found);
    const missing = new Map<string, number[]>();
    for (const { id, gateway, device, durable, unpromised } of this.readings.values()) {
      if (seen.has(id) || !durable || unpromised) continue;
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

  #once(found: readonly Found[]): Set<number> {
    const seen = new Set<number>();
    for (const { id, gateway, device } of found) {
      if (seen.has(id)) this.say(`reading ${id} of ${gateway}/${device} is stored twice`);
      seen.add(id);
      const reading = this.readings.get(id);
      if (!reading) this.say(`reading ${id} was never read`);
      else if (reading.gateway !== gateway || reading.device !== device)
        this.say(`reading ${id} of ${reading.device} is stored as ${gateway}/${device}`);
    }
    return seen;
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
