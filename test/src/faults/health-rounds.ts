/** Rounds of faults in a watched plant: all of a round are broken at once, found each, healed, and over. */
import assert from 'node:assert/strict';
import { until } from '../support/processes.js';
import { full, minutes } from './scale.js';
import type { PipelineIncident, WatchedPlant } from './watched-plant.js';

export interface Wanted {
  readonly fault: string;
  readonly inject: () => unknown;
  /** Of its incident: `source device`. */
  readonly source: RegExp;
  /** Component of its first cause. */
  readonly hop: RegExp;
}

const withinMs = 30_000;

export class HealthRounds {
  /** One line for each fault that was found. */
  readonly found: string[] = [];

  constructor(readonly plant: WatchedPlant) {}

  /** @param heal  absent: what follows does not need it well */
  async together(faults: readonly Wanted[], heal?: () => unknown): Promise<void> {
    const running = faults.map(one => [one, Date.now(), one.inject()] as const);
    await Promise.all(running.map(([one, begunMs]) => this.#find(one, begunMs)));
    if (!heal) return;
    await heal();
    await Promise.all(running.map(([, , done]) => done));
    await until(
      'all is over',
      async () => {
        const open = await this.plant.incidents('open');
        if (open.length > 0) throw new Error(open.map(({ title }) => title).join('; '));
        return true;
      },
      full ? minutes(4) : 40_000,
    );
  }

  async #find({ fault, source, hop }: Wanted, begunMs: number): Promise<void> {
    const incident = await until(
      fault,
      async () => (await this.plant.incidents('open')).find(one => source.test(placeOf(one))),
      withinMs + 15_000,
    );
    // By our own clock: the collector's may be what has jumped.
    const seconds = (Date.now() - begunMs) / 1000;
    const first = incident.diagnosis?.causes[0]?.component ?? 'none';
    this.found.push(`${fault}: ${seconds.toFixed(1)} s, ${first}, “${incident.title}”`);
    assert.match(first, hop, fault);
    assert.ok(seconds * 1000 <= withinMs, this.found.at(-1));
  }

  /** Rows of all gateways have come for so many looks: enough to know what is usual. */
  async known(everyMs: number): Promise<void> {
    const looksMs = 14 * everyMs;
    await until(
      'rows have come from all',
      async () => {
        const rows = await Promise.all([1, 2, 3].map(i => this.plant.health(`gateway-${i}`)));
        return rows.every(({ rows_a_minute }) => (rows_a_minute ?? 0) >= Math.min(looksMs / 500, 60));
      },
      minutes(3),
    );
    assert.deepEqual(await this.plant.incidents(), [], 'nothing is wrong before');
  }
}

function placeOf({ source, device }: PipelineIncident): string {
  return `${source} ${device}`;
}
