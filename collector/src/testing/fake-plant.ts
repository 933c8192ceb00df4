/** A made-up fleet for tests of the API and the page: seeded, so that a picture can be taken twice. */
import type { Field, Rng } from '@edgeward/shared/contracts';
import { gaussian } from '@edgeward/shared/rng';

interface Channel extends Field {
  readonly base: number;
  readonly swing: number;
  readonly periodS: number;
  readonly noise: number;
  /** What a full fault adds. */
  readonly fault: number;
}

interface Kind {
  readonly type: string;
  readonly threshold: number;
  readonly channels: readonly Channel[];
  readonly faults: readonly string[];
}

const channel = (
  name: string,
  unit: string | undefined,
  [base, swing, periodS, noise]: readonly [number, number, number, number],
  fault = 0,
): Channel => ({
  name,
  kind: 'float',
  base,
  swing,
  periodS,
  noise,
  fault,
  ...(unit !== undefined && { unit }),
});

const pump: Kind = {
  type: 'pump',
  threshold: 0.62,
  faults: ['bearing-wear', 'blocked-valve', 'leak'],
  channels: [
    channel('motor_temperature', 'Cel', [61, 2.2, 95, 0.12], 17),
    channel('bearing_temperature', 'Cel', [48, 1.1, 140, 0.1], 22),
    channel('vibration', 'mm/s', [2.1, 0.3, 17, 0.12], 5.4),
    channel('pressure', 'bar', [6.4, 0.25, 31, 0.03], -1.1),
    channel('flow', 'L/min', [182, 6, 31, 0.9], -34),
    channel('current', 'A', [14.2, 0.6, 31, 0.07], 3.1),
  ],
};

const coldRoom: Kind = {
  type: 'cold-room',
  threshold: 0.6,
  faults: ['door-open', 'refrigerant-leak'],
  channels: [
    channel('air_temperature', 'Cel', [-18.4, 0.9, 60, 0.05], 9),
    channel('evaporator_temperature', 'Cel', [-27, 1.6, 60, 0.08], 12),
    channel('humidity', '%', [71, 3, 120, 0.4], 18),
    { ...channel('door_open', undefined, [0, 0, 1, 0], 1), kind: 'bool' },
  ],
};

const powerFeed: Kind = {
  type: 'power-feed',
  threshold: 0.65,
  faults: ['power-sag'],
  channels: [
    channel('voltage', 'V', [231, 1.4, 40, 0.3], -26),
    channel('frequency', 'Hz', [50, 0.02, 23, 0.004], -0.2),
    channel('active_power', 'kW', [84, 9, 75, 0.7], 21),
  ],
};

export const kinds = { pump, coldRoom, powerFeed };

/** One row as plain values, in the order of the fields. */
export interface FakeRow {
  readonly time: number;
  readonly values: readonly (number | null)[];
  readonly score: number;
  readonly anomaly: boolean;
}

export class FakeDevice {
  readonly rows: FakeRow[] = [];
  /** Name of the fault that is being played. */
  active: string | null = null;
  read = 0;
  #severity = 0;
  readonly #normal: () => number;

  constructor(
    readonly gateway: string,
    readonly device: string,
    readonly kind: Kind,
    rng: Rng,
  ) {
    this.#normal = gaussian(rng);
  }

  get fields(): readonly Field[] {
    return this.kind.channels.map(({ name, kind, unit }) => ({
      name,
      kind,
      ...(unit !== undefined && { unit }),
    }));
  }

  get last(): FakeRow | undefined {
    return this.rows.at(-1);
  }

  step(time: number): FakeRow {
    this.#severity += this.active ? (1 - this.#severity) * 0.06 : -this.#severity * 0.08;
    const values = this.kind.channels.map(one => this.#value(one, time));
    const score = Math.min(0.99, 0.41 + 0.03 * this.#normal() + 0.5 * this.#severity);
    const row = { time, values, score, anomaly: score > this.kind.threshold };
    this.rows.push(row);
    this.read += 1;
    if (this.rows.length > 4000) this.rows.splice(0, 1000);
    return row;
  }

  #value({ kind, base, swing, periodS, noise, fault }: Channel, time: number): number {
    if (kind === 'bool') return this.#severity > 0.3 ? 1 : 0;
    const wave = Math.sin((2 * Math.PI * time) / 1000 / periodS);
    const wobble = 1 + 0.25 * Math.abs(this.#normal()) * this.#severity;
    return round(base + swing * wave + noise * this.#normal() + fault * this.#severity * wobble);
  }
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
