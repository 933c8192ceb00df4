import { type DeviceType, type FaultKind, Plant, type PlantConfig, type ScheduledFault } from '../plant.js';

/** A Monday, 8:00. */
export const monday = Date.UTC(2026, 0, 5, 8);

export function configOf(types: readonly DeviceType[], more: Partial<PlantConfig> = {}): PlantConfig {
  const devices = types.map((type, i) => ({ name: `${type}-${i + 1}`, type }));
  return { seed: 3, startMs: monday, stepMs: 1000, devices, ...more };
}

/** What one device showed, as columns by field name; booleans as 0 and 1. */
export interface Track {
  readonly timeS: number[];
  readonly fault: (FaultKind | null)[];
  readonly fields: Record<string, number[]>;
}

/** Runs a plant and keeps every device's rows by its name. */
export function record(config: PlantConfig, seconds: number): Record<string, Track> {
  const plant = new Plant(config);
  const tracks: Record<string, Track> = {};
  for (let i = 0; i * config.stepMs < seconds * 1000; i++) {
    const tick = plant.step();
    for (const row of tick.rows) {
      const schema = plant.schemas[row.schema]!;
      const name = schema.devices[row.device]!;
      tracks[name] ??= { timeS: [], fault: [], fields: {} };
      const track = tracks[name];
      track.timeS.push((tick.timeMs - config.startMs) / 1000);
      track.fault.push(row.fault);
      for (const [f, field] of schema.fields.entries()) {
        track.fields[field.name] ??= [];
        track.fields[field.name]!.push(Number(row.values[f]));
      }
    }
  }
  return tracks;
}

export function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Mean of a field over rows from…to (by simulated second) of the first device, with and without a fault. */
export interface Compared {
  readonly healthy: number;
  readonly faulty: number;
}

/** The same plant twice, once with the fault: what it does to each field, averaged over a span. */
export function compare(
  type: DeviceType,
  fault: ScheduledFault,
  span: readonly [number, number],
  more: Partial<PlantConfig> = {},
): (field: string) => Compared {
  const config = configOf([type], more);
  const name = config.devices[0]!.name;
  const [healthy, faulty] = [[], [fault]].map(faults => record({ ...config, faults }, span[1])[name]!);
  const over = (track: Track | undefined, field: string) =>
    mean((track?.fields[field] ?? []).filter((_, i) => (track?.timeS[i] ?? -1) >= span[0]));
  return field => ({ healthy: over(healthy, field), faulty: over(faulty, field) });
}
