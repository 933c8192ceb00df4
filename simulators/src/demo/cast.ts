/** Who plays in the demo, and the configuration each of them gets. */
import { createRequire } from 'node:module';
import path from 'node:path';
import {
  type DeviceType,
  type FaultKind,
  type FaultKindInfo,
  faultKindNames,
  faultKinds,
  fits,
  type ScheduledFault,
} from '../faults.js';

export interface CastMember {
  readonly id: string;
  readonly site: string;
  /** Simulated devices; faults can be injected into these. */
  readonly devices: readonly { readonly name: string; readonly type: DeviceType }[];
  readonly faults: Readonly<Record<string, readonly FaultKind[]>>;
}

/** Rows come every so often; each is this much later in the plant, so that things happen while one watches. */
export const pace = { intervalMs: 250, stepMs: 2000 } as const;

export const cast: readonly CastMember[] = [
  member('pump-station', 'north', { 'pump-1': 'pump', 'pump-2': 'pump', 'feed-1': 'power-feed' }),
  member('cold-store', 'south', { 'cold-room-1': 'cold-room', 'cold-room-2': 'cold-room' }),
  { id: 'office', site: 'east', devices: [], faults: {} },
];

function member(id: string, site: string, types: Readonly<Record<string, DeviceType>>): CastMember {
  const devices = Object.entries(types).map(([name, type]) => ({ name, type }));
  const faults = Object.fromEntries(
    devices.map(({ name, type }) => [name, faultKindNames.filter(kind => fits(kind, type))]),
  );
  return { id, site, devices, faults };
}

/** A demo fault lasts half a minute of the audience's time. */
const faultDurationS = 240;

/** What a plant is told when a fault of `faults` is chosen for a device; a site's fault names none. */
export function injectionOf(device: string, kind: FaultKind): Omit<ScheduledFault, 'atS'> {
  const info: FaultKindInfo = faultKinds[kind];
  return { kind, device: info.acts === 'site' ? undefined : device, durationS: faultDurationS, severity: 1 };
}

export interface Stage {
  readonly directory: string;
  readonly seed: number;
  readonly apiPort: number;
  readonly brokerPort: number;
  /** Of the collector, beside the files. */
  readonly sinks?: readonly object[];
}

const recordedType = 'office';
/** The recording is in degrees Fahrenheit; its model is trained in degrees Celsius. */
const fahrenheit = { scale: 5 / 9, offset: -160 / 9 };
/** For events of one value, which name no channel. */
const plainRule = { name: 'plain-value', when: 'value > 40', score: 1 };
const seedRule = { name: 'seed-rule', when: 'temperature > 40 or pressure > 120', score: 1 };

/** JSON is YAML: no writer is needed. */
export function collectorConfig(stage: Stage): string {
  return JSON.stringify({
    // A collector of the user's own may write to the same Kafka.
    name: 'demo',
    dataDir: path.join(stage.directory, 'collector'),
    broker: { port: stage.brokerPort },
    api: { port: stage.apiPort },
    sinks: [
      { type: 'file', name: 'file', directory: path.join(stage.directory, 'readings') },
      ...(stage.sinks ?? []),
    ],
    score: { rules: [seedRule, plainRule], models: Object.keys(bundles).map(bundleFolder) },
    mail: { from: 'edgeward@localhost', to: ['plant-engineer@localhost'] },
  });
}

export function agentConfig(who: CastMember, stage: Stage, uplinkPort: number): string {
  const simulated = {
    type: 'simulated',
    name: 'plant',
    devices: who.devices,
    seed: stage.seed,
    ...pace,
    lingerMs: 500,
  };
  return JSON.stringify({
    gateway: who.id,
    site: who.site,
    dataDir: path.join(stage.directory, who.id),
    uplink: { url: `mqtt://127.0.0.1:${uplinkPort}` },
    models: [...new Set(typesOf(who))].map(bundleFolder),
    rules: [seedRule],
    reportMs: 1000,
    sources: who.devices.length ? [simulated] : [recording()],
  });
}

/** A real office's temperature, measured every hour; played so fast that four rows come a second. */
function recording() {
  const file = path.join(
    packageFolder('@edgeward/simulators'),
    'recordings',
    'ambient_temperature_system_failure.csv',
  );
  return {
    type: 'replay',
    name: 'recording',
    path: file,
    device: 'office-1',
    deviceType: recordedType,
    columns: { value: { field: 'temperature', unit: 'Cel', ...fahrenheit } },
    speed: 4 * 3600,
    time: 'now',
    loop: true,
    lingerMs: 500,
  };
}

/** Device type → bundle in `models/bundles`. */
const bundles: Readonly<Record<string, string>> = {
  pump: 'pump',
  'cold-room': 'cold-room',
  'power-feed': 'power-feed',
  [recordedType]: 'office-temperature',
};

function typesOf({ devices }: CastMember): string[] {
  return devices.length > 0 ? devices.map(({ type }) => type) : [recordedType];
}

function bundleFolder(type: string): string {
  return path.join(packageFolder('@edgeward/models'), 'bundles', bundles[type] ?? type);
}

/** Found by name, not imported: the demo only tells the agent where the files are. */
function packageFolder(name: string): string {
  return path.dirname(createRequire(import.meta.url).resolve(`${name}/package.json`));
}
