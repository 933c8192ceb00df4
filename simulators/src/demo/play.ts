import type { FaultKind } from '../faults.js';
import type { Director } from './director.js';

/** What happens by itself, in seconds from the first row. The rest is up to whoever watches. */
interface Scene {
  readonly atS: number;
  play(director: Director): void;
}

const scenes: readonly Scene[] = [
  fault(12, 'pump-station', 'pump-1', 'blocked-valve'),
  { atS: 24, play: director => director.cut('cold-store') },
  { atS: 30, play: director => director.heal('cold-store') },
  { atS: 34, play: director => director.killAgent('office') },
  fault(75, 'cold-store', 'cold-room-1', 'spikes'),
];

/** Then one fault after the other, so that a page left open stays worth looking at. */
const later: readonly [string, string, FaultKind][] = [
  ['pump-station', 'pump-2', 'leak'],
  ['pump-station', 'feed-1', 'power-sag'],
  ['cold-store', 'cold-room-2', 'stuck-sensor'],
  ['pump-station', 'pump-1', 'bearing-wear'],
];
const laterEveryS = 120;

function fault(atS: number, gateway: string, device: string, kind: FaultKind): Scene {
  return { atS, play: director => director.inject(gateway, device, kind) };
}

/** Scenes due between two times, both in seconds since the first row. */
export function due(afterS: number, untilS: number): Scene[] {
  const found = scenes.filter(({ atS }) => atS > afterS && atS <= untilS);
  const nth = Math.floor(untilS / laterEveryS);
  if (nth >= 1 && nth > Math.floor(afterS / laterEveryS)) {
    const [gateway, device, kind] = later[(nth - 1) % later.length]!;
    found.push(fault(nth * laterEveryS, gateway, device, kind));
  }
  return found;
}
