import type { CommandOption, CommandValues } from '@edgeward/shared/command';
import { EdgewardError } from '@edgeward/shared/errors';
import { type DeviceType, deviceTypes } from './faults.js';
import { type ScenarioName, scenarioNames } from './scenarios.js';

export const formats = ['csv', 'ndjson'] as const;

export interface SimulateOptions {
  readonly type: DeviceType;
  readonly devices: number;
  readonly seed: number;
  readonly scenario: ScenarioName;
  readonly hours: number;
  readonly stepMs: number;
  readonly startMs: number;
  readonly format: (typeof formats)[number];
  readonly labels: boolean;
  /** Undefined: standard output. */
  readonly out: string | undefined;
}

/** A Monday, so that runs without --start are the same today and tomorrow. */
const defaultStart = '2026-01-05T00:00:00.000Z';

export const simulateOptions = {
  type: {
    type: 'string',
    placeholder: 'TYPE',
    description: `Device type: ${deviceTypes.join(', ')}. Default: pump`,
  },
  devices: {
    type: 'string',
    placeholder: 'N',
    description: 'How many devices, named TYPE-1 to TYPE-N. Default: 1',
  },
  seed: { type: 'string', placeholder: 'N', description: 'The same seed gives the same bytes. Default: 1' },
  scenario: {
    type: 'string',
    placeholder: 'NAME',
    description: `What goes wrong: ${scenarioNames.join(', ')}. Default: normal`,
  },
  hours: { type: 'string', placeholder: 'H', description: 'Simulated hours, fractions allowed. Default: 1' },
  'step-ms': { type: 'string', placeholder: 'MS', description: 'Simulated ms between rows. Default: 1000' },
  start: {
    type: 'string',
    placeholder: 'ISO',
    description: `Time of the first row. Default: ${defaultStart}`,
  },
  format: { type: 'string', placeholder: 'FORMAT', description: `${formats.join(' or ')}. Default: csv` },
  labels: {
    type: 'boolean',
    description: 'Adds the column "fault": the fault at work, empty if none (a load-change is none)',
  },
  out: {
    type: 'string',
    short: 'o',
    placeholder: 'FILE',
    description: 'Writes there, not to standard output',
  },
} as const satisfies Readonly<Record<string, CommandOption>>;

/** @throws EW_USAGE naming the option, its value and the remedy */
export function readSimulateOptions(values: CommandValues): SimulateOptions {
  return {
    type: oneOf('type', text(values, 'type', 'pump'), deviceTypes),
    devices: number('devices', text(values, 'devices', '1'), 1, 1000, true),
    seed: number('seed', text(values, 'seed', '1'), 0, Number.MAX_SAFE_INTEGER, true),
    scenario: oneOf('scenario', text(values, 'scenario', 'normal'), scenarioNames),
    hours: number('hours', text(values, 'hours', '1'), 1 / 3600, 100_000, false),
    stepMs: number('step-ms', text(values, 'step-ms', '1000'), 1, 3_600_000, true),
    startMs: instant('start', text(values, 'start', defaultStart)),
    format: oneOf('format', text(values, 'format', 'csv'), formats),
    labels: values.labels === true,
    out: typeof values.out === 'string' ? values.out : undefined,
  };
}

function text(values: CommandValues, name: string, otherwise: string): string {
  const value = values[name];
  return typeof value === 'string' ? value.trim() : otherwise;
}

function oneOf<const T extends string>(name: string, value: string, known: readonly T[]): T {
  return (
    known.find(candidate => candidate === value) ?? refuse(name, value, `use one of ${known.join(', ')}`)
  );
}

function number(name: string, value: string, low: number, high: number, whole: boolean): number {
  const result = /^[\d.]+(e\d+)?$/i.test(value) ? Number(value) : Number.NaN;
  if (result >= low && result <= high && (!whole || Number.isSafeInteger(result))) return result;
  return refuse(
    name,
    value,
    `give a ${whole ? 'whole ' : ''}number from ${Number(low.toPrecision(2))} to ${high}`,
  );
}

function instant(name: string, value: string): number {
  // Without a zone the reader would have to guess one, and elsewhere guess another.
  const zoned = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d))?$/.test(value);
  const ms = zoned && isDay(value.slice(0, 10)) ? Date.parse(value) : Number.NaN;
  return ms >= 0 ? ms : refuse(name, value, 'give a date from 1970 on, such as 2026-01-05T00:00:00Z');
}

/** Date.parse takes the 31st of February for the 3rd of March. */
function isDay(day: string): boolean {
  const ms = Date.parse(`${day}T00:00:00Z`);
  return !Number.isNaN(ms) && new Date(ms).toISOString().startsWith(day);
}

function refuse(name: string, value: string, remedy: string): never {
  throw new EdgewardError('EW_USAGE', `--${name} is ${JSON.stringify(value)}: ${remedy}.`);
}
