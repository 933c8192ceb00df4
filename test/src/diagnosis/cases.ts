/** Labelled plants: one fault, two at once, a change of load that is none, nothing at all. */
import { seededRng, subSeed } from '@edgeward/shared/rng';
import type { DeviceType, PlantDevice, ScheduledFault } from '@edgeward/simulators/plant';
import type { PlantCase } from './plant-case.js';
import { type LabelledKind, type Truth, truths } from './truths.js';

/** What is to be found on a device. */
export interface Label {
  readonly truth: Truth;
  readonly device: string;
  readonly component: string;
}

export interface LabelledCase extends PlantCase {
  readonly name: string;
  /** In which row of the table it counts. */
  readonly group: string;
  /** Empty: nothing is wrong. */
  readonly labels: readonly Label[];
  /** When it began, ms. */
  readonly onsetMs: number;
}

/** Assets have parameters of their own, by their names: a split by asset is one by machine. */
export interface Split {
  readonly name: 'development' | 'test';
  readonly asset: number;
  readonly firstSeed: number;
}

export const splits: Readonly<Record<Split['name'], Split>> = {
  development: { name: 'development', asset: 1, firstSeed: 1 },
  test: { name: 'test', asset: 7, firstSeed: 1001 },
};

const healthyS = 2100;
const usuallyWatchedS = 600;

export function faultCase(kind: LabelledKind, seed: number, split: Split): LabelledCase {
  const plan = new Plan(`${kind} ${seed}`, seed, split);
  const watchedS = plan.fault(kind);
  return plan.finish(kind, watchedS);
}

/** Two faults on two machines that begin within a minute and have nothing to do with each other. */
export function doubleCase(
  kinds: readonly [LabelledKind, LabelledKind],
  seed: number,
  split: Split,
): LabelledCase {
  const plan = new Plan(`${kinds.join(' + ')} ${seed}`, seed, split);
  const watched = [plan.fault(kinds[0]), plan.fault(kinds[1], 30)];
  return plan.finish('two at once', Math.max(...watched));
}

export function loadCase(on: DeviceType, seed: number, split: Split): LabelledCase {
  const plan = new Plan(`load-change on ${on} ${seed}`, seed, split);
  plan.add({ kind: 'load-change', device: plan.device(on), atS: healthyS, durationS: usuallyWatchedS + 600 });
  return plan.finish('load change', usuallyWatchedS);
}

export function healthyCase(hours: number, seed: number, split: Split): LabelledCase {
  const plan = new Plan(`healthy ${seed}`, seed, split);
  plan.device('pump');
  plan.device('cold-room');
  return plan.finish('healthy', hours * 3600 - healthyS);
}

class Plan {
  readonly #labels: Label[] = [];
  readonly #faults: ScheduledFault[] = [];
  readonly #devices: PlantDevice[];
  readonly #rng;
  readonly #startMs: number;

  constructor(
    private readonly name: string,
    private readonly seed: number,
    private readonly split: Split,
  ) {
    this.#rng = seededRng(subSeed(seed, name));
    this.#startMs = Date.UTC(2026, 0, 5) + Math.floor(this.#rng() * 7 * 86_400) * 1000;
    // A feed and a pump are always there: what is found must be told from what is beside it.
    this.#devices = (['pump', 'power-feed'] as const).map(type => ({ name: this.#nameOf(type), type }));
  }

  device(type: DeviceType): string {
    const name = this.#nameOf(type);
    if (!this.#devices.some(device => device.name === name)) this.#devices.push({ name, type });
    return name;
  }

  add(fault: ScheduledFault): void {
    this.#faults.push(fault);
  }

  /** @returns for how long it is to be watched, s */
  fault(kind: LabelledKind, laterS = 0): number {
    const truth: Truth = truths[kind];
    const device = this.device(truth.on);
    const field = truth.fields?.[Math.floor(this.#rng() * truth.fields.length)];
    const watchedS = truth.watchedS ?? usuallyWatchedS;
    this.add({
      kind,
      device,
      atS: healthyS + laterS,
      durationS: watchedS + 600,
      severity: 0.6 + 0.4 * this.#rng(),
      ...(field !== undefined && { field }),
    });
    this.#labels.push({ truth, device, component: truth.component.replace('{field}', field ?? '') });
    return watchedS;
  }

  finish(group: string, watchedS: number): LabelledCase {
    return {
      name: `${this.name}: ${this.#faults.map(({ kind, device, field }) => `${kind} ${device} ${field ?? ''}`.trim()).join(', ')}`,
      group,
      labels: this.#labels,
      onsetMs: this.#startMs + healthyS * 1000,
      config: {
        seed: this.seed,
        startMs: this.#startMs,
        stepMs: 1000,
        devices: this.#devices,
        faults: this.#faults,
      },
      seconds: healthyS + watchedS,
    };
  }

  #nameOf(type: DeviceType): string {
    return `${type}-${this.split.asset}`;
  }
}
