/**
 * Keeps new series out of a full bucket and lets those that it has go on. Far from the limits it is enough to know
 * how many series the bucket had; near them it is asked for their names.
 */
import type { Logger } from '@edgeward/shared/log';
import { type SeriesName, seriesKey } from './heads.js';

export interface SeriesLimits {
  readonly perMeasurement: number;
  readonly total: number;
}

/** More new series than one write brings. */
const near = 20_000;

export class SeriesGuard {
  readonly #limits: SeriesLimits;
  readonly #log: Logger;
  readonly #known = new Set<string>();
  readonly #counts = new Map<string, number>();
  #unnamed: number | undefined;
  #told = false;

  /** @param stored  how many series the bucket has; undefined = it does not say, and never will */
  constructor(limits: SeriesLimits, log: Logger, stored: number | undefined) {
    this.#limits = limits;
    this.#log = log;
    this.#unnamed = stored;
  }

  /** The names of what the bucket has are needed from now on: until `learn`, everything is let in. */
  get needsNames(): boolean {
    const { perMeasurement, total } = this.#limits;
    if (this.#unnamed === undefined) return false;
    return this.#unnamed + this.#known.size + near >= Math.min(perMeasurement, total);
  }

  learn(stored: Iterable<SeriesName>): void {
    for (const series of stored) this.#add(series);
    this.#unnamed = undefined;
  }

  /** Undefined: it may be written, now and from now on; else why not. */
  refusal(series: SeriesName): string | undefined {
    const reason = this.#known.has(seriesKey(series)) ? undefined : this.#full(series.measurement);
    if (reason === undefined) this.#add(series);
    else if (!this.#told) {
      this.#told = true;
      this.#log.warn(series, `${reason}: rows of new devices go to the dead letters, known ones go on`);
    }
    return reason;
  }

  #full(measurement: string): string | undefined {
    const { perMeasurement, total } = this.#limits;
    if (this.#unnamed !== undefined) return undefined;
    if (this.#known.size >= total) return `the bucket has as many series as maxSeries.total allows, ${total}`;
    if ((this.#counts.get(measurement) ?? 0) >= perMeasurement)
      return `measurement ${measurement} has as many series as maxSeries.perMeasurement allows, ${perMeasurement}`;
    return undefined;
  }

  #add(series: SeriesName): void {
    const key = seriesKey(series);
    if (this.#known.has(key)) return;
    this.#known.add(key);
    this.#counts.set(series.measurement, (this.#counts.get(series.measurement) ?? 0) + 1);
  }
}
