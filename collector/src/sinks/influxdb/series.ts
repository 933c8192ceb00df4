import type { Logger } from '@edgeward/shared/log';
import { type SeriesName, seriesKey } from './heads.js';

export interface SeriesLimits {
  readonly perMeasurement: number;
  readonly total: number;
}

/** Which series the bucket has, as far as this collector writes them; new ones beyond the limits are kept out. */
export class SeriesGuard {
  readonly #limits: SeriesLimits;
  readonly #log: Logger;
  readonly #known = new Set<string>();
  readonly #counts = new Map<string, number>();
  #told = false;

  /** @param stored  what the bucket has */
  constructor(limits: SeriesLimits, log: Logger, stored: Iterable<SeriesName>) {
    this.#limits = limits;
    this.#log = log;
    for (const series of stored) this.#add(series);
  }

  /** Undefined: it may be written, now and from now on; else why not. */
  refusal(series: SeriesName): string | undefined {
    if (this.#known.has(seriesKey(series))) return undefined;
    const reason = this.#full(series.measurement);
    if (reason === undefined) this.#add(series);
    else if (!this.#told) {
      this.#told = true;
      this.#log.warn(series, `${reason}: rows of new devices go to the dead letters, known ones go on`);
    }
    return reason;
  }

  #full(measurement: string): string | undefined {
    const { perMeasurement, total } = this.#limits;
    if (this.#known.size >= total) return `the bucket has maxSeries.total = ${total} series`;
    if ((this.#counts.get(measurement) ?? 0) >= perMeasurement)
      return `measurement ${measurement} has maxSeries.perMeasurement = ${perMeasurement} series`;
    return undefined;
  }

  #add(series: SeriesName): void {
    this.#known.add(seriesKey(series));
    this.#counts.set(series.measurement, (this.#counts.get(series.measurement) ?? 0) + 1);
  }
}
