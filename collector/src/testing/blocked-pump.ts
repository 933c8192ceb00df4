import type { Cause } from '../diagnosis/catalogue.js';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import { explain } from '../diagnosis/explain.js';
import { type Facts, rank } from '../diagnosis/rank.js';
import type { Sign } from '../diagnosis/signs.js';

export function aSign(changes: Partial<Sign>): Sign {
  return {
    field: 'flow',
    unit: 'bar',
    now: 3.1,
    usual: [18, 32],
    since: 'past',
    shift: -6,
    leftMs: null,
    jumps: 0,
    noise: 1,
    stepped: false,
    still: false,
    isSwitch: false,
    ...changes,
  };
}

/** Hardly any flow against a high pressure. */
export function blockedFacts(changes: Partial<Facts> = {}): Facts {
  const pressure = aSign({ field: 'dischargePressure', shift: 5, now: 8.43, usual: [3.9, 5.1] });
  return {
    device: 'pump-1',
    deviceType: 'pump',
    signs: [aSign({}), pressure],
    intervalMs: 1000,
    blamed: [],
    marked: {},
    others: [],
    company: 0,
    alike: [],
    gateway: 'gateway-1',
    changes: [],
    sinceMs: 0,
    ...changes,
  };
}

export function aBlockedPump(
  catalogue: readonly Cause[],
  atMs: number,
  changes: Partial<Facts> = {},
): Diagnosis {
  const facts = blockedFacts(changes);
  return explain(rank(catalogue, facts), facts, atMs);
}
