import type { RecordBatch } from '@edgeward/shared/contracts';
import { gaussian, seededRng } from '@edgeward/shared/rng';

/** A made-up cooler for tests: on when the room is warm, off when it is cold; the air outside comes and goes in hours. */
export const cyclingFields = ['room', 'coil', 'outside', 'current', 'door'] as const;

export interface CyclingOptions {
  readonly rows: number;
  readonly devices?: number;
  readonly seed?: number;
  /** From this row to that, the machine has this share of its current, and cools so much less. */
  readonly weak?: { readonly from: number; readonly to: number; readonly share: number };
  readonly stepMs?: number;
}

export const cyclingStepMs = 5000;

/** Rows of all devices in turn, as a source would yield them. */
export function cyclingBatch({
  rows,
  devices = 2,
  seed = 1,
  weak,
  stepMs = cyclingStepMs,
}: CyclingOptions): RecordBatch {
  const n = rows * devices;
  const values = cyclingFields.map(() => new Float64Array(n));
  for (let d = 0; d < devices; d++) {
    const rng = seededRng(seed * 1000 + d);
    const noise = gaussian(rng);
    const phase = 6 * rng();
    let [room, coil, on, door] = [4 + 2 * rng() - 1, 2, false, 0];
    for (let row = 0; row < rows; row++) {
      const [r, hours] = [row * devices + d, (row * stepMs) / 3_600_000];
      const outside = 15 + 8 * Math.sin(hours + phase);
      const share = weak && row >= weak.from && row < weak.to ? weak.share : 1;
      door = door > 0 ? door - 1 : rng() < 0.004 ? 8 : 0;
      on = room > 5 ? true : room < 3 ? false : on;
      coil += (((on ? room - 9 * share : room) - coil) * stepMs) / 60_000;
      room += ((0.025 * (outside - room) + 0.3 * (coil - room) + (door > 0 ? 0.3 : 0)) * stepMs) / 300_000;
      const current = on ? share * (4 + 0.05 * (outside - 15)) + 0.04 * noise() : 0.01 * Math.abs(noise());
      const shown = [room + 0.03 * noise(), coil + 0.1 * noise(), outside + 0.1 * noise(), current];
      for (const [c, value] of shown.entries()) values[c]![r] = Math.round(value * 100) / 100;
      values[4]![r] = door > 0 ? 1 : 0;
    }
  }
  return {
    schema: {
      type: 'cooler',
      fields: cyclingFields.map(name => ({ name, kind: 'float' })),
      devices: Array.from({ length: devices }, (_, d) => `cooler-${d + 1}`),
    },
    time: Float64Array.from({ length: n }, (_, r) => 1_700_000_000_000 + Math.floor(r / devices) * stepMs),
    device: Uint16Array.from({ length: n }, (_, r) => r % devices),
    row: Float64Array.from({ length: n }, (_, r) => Math.floor(r / devices) + 1),
    values,
    quality: new Uint16Array(n),
  };
}
