import { Chance } from './chance.js';
import { checkDevices, numericFields, type PlantDevice, refuse } from './config.js';
import {
  type FaultKind,
  type FaultKindInfo,
  faultKindNames,
  faultKinds,
  fits,
  type ScheduledFault,
} from './faults.js';

/**
 * When what goes wrong in a run.
 * @param seed       the same seed gives the same faults
 * @param durationS  simulated length of the run
 * @returns          in the order of time; devices fail independently of each other
 * @throws EW_CONFIG_INVALID if no device can have such a fault
 */
export type Scenario = (devices: readonly PlantDevice[], seed: number, durationS: number) => ScheduledFault[];

/** A run without end would else need a list without end. */
const mostPerDevice = 500;

/** One fault of its kind after another, each after a healthy stretch about three times as long. */
function one(kind: FaultKind): Scenario {
  return (devices, seed, durationS) => {
    checkRun(devices, durationS);
    const info: FaultKindInfo = faultKinds[kind];
    const fitting = devices.filter(({ type }) => fits(kind, type));
    if (fitting.length === 0) refuse('scenario', kind, `it needs a device of type ${info.fits.join(' or ')}`);
    // A sag or a silent gateway is one event for the whole site.
    if (info.acts === 'site' || kind === 'power-sag')
      return schedule(new Chance(seed, kind), durationS, () => ({ kind }));
    return inTime(
      fitting.flatMap(({ name }) => {
        const chance = new Chance(seed, `${kind} ${name}`);
        return schedule(chance, durationS, () => ({ kind, device: name }));
      }),
    );
  };
}

/** What `mixed` draws from: fixed, since a further kind would change every mixed run there ever was. */
const mixedKinds: readonly FaultKind[] = [
  'bearing-wear',
  'blocked-valve',
  'leak',
  'door-open',
  'refrigerant-leak',
  'power-sag',
  'stuck-sensor',
  'drift',
  'spikes',
];

/** Any of these that fits, on any device and field. */
function anyOf(purpose: string, drawn: readonly FaultKind[]): Scenario {
  return (devices, seed, durationS) => {
    checkRun(devices, durationS);
    return inTime(
      devices.flatMap(({ name, type }) => {
        const chance = new Chance(seed, `${purpose} ${name}`);
        const kinds = drawn.filter(kind => fits(kind, type));
        return schedule(chance, durationS, () => {
          const kind = chance.pick(kinds);
          const field = faultKinds[kind].acts === 'sensor' ? chance.pick(numericFields(type)) : undefined;
          return { kind, device: name, field };
        });
      }),
    );
  };
}

const mixed = anyOf('mixed', mixedKinds);
/** Every kind a device can have, distractors too; grows with the kinds there are. */
const everything = anyOf(
  'everything',
  faultKindNames.filter(kind => faultKinds[kind].acts !== 'site'),
);

const normal: Scenario = (devices, _seed, durationS) => {
  checkRun(devices, durationS);
  return [];
};

const kinds = Object.fromEntries(faultKindNames.map(kind => [kind, one(kind)])) as Record<
  FaultKind,
  Scenario
>;

export const scenarios = { normal, ...kinds, mixed, everything };
export type ScenarioName = keyof typeof scenarios;
export const scenarioNames = Object.keys(scenarios) as ScenarioName[];

/** @throws EW_CONFIG_INVALID for an unknown name */
export function scenarioOf(name: string): Scenario {
  if (!Object.hasOwn(scenarios, name)) refuse('scenario', name, `use one of ${scenarioNames.join(', ')}`);
  return scenarios[name as ScenarioName];
}

function schedule(
  chance: Chance,
  runS: number,
  draw: () => Pick<ScheduledFault, 'kind' | 'device' | 'field'>,
): ScheduledFault[] {
  const faults: ScheduledFault[] = [];
  // The first waits long enough for detectors to warm up, but a short run has one too.
  let atS = Math.round(Math.min(chance.between(300, 600), runS * chance.between(0.2, 0.4)));
  while (atS < runS && faults.length < mostPerDevice) {
    const what = draw();
    const { durationS: usualS, rampS: usualRampS } = faultKinds[what.kind];
    const durationS = Math.max(1, Math.round(Math.min(usualS, runS / 3)));
    const rampS = Math.min(usualRampS, durationS / 2);
    faults.push({ ...what, atS, durationS, rampS, severity: Math.round(chance.between(70, 100)) / 100 });
    atS += Math.round(durationS * (1 + chance.between(2, 4)));
  }
  return faults;
}

function inTime(faults: ScheduledFault[]): ScheduledFault[] {
  return faults.sort((a, b) => a.atS - b.atS);
}

function checkRun(devices: readonly PlantDevice[], durationS: number): void {
  checkDevices(devices);
  if (!Number.isFinite(durationS) || durationS <= 0)
    refuse('durationS', durationS, 'give the simulated seconds the run lasts');
}
