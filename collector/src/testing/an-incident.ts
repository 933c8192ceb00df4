import type { Incident } from '../alerts/incident.js';

const startMs = Date.UTC(2026, 0, 1);

/** A blocked valve, some seconds old. */
export function anIncident(changes: Partial<Incident> = {}): Incident {
  const channels = [
    channel('dischargePressure', 'bar', 8.4321, [3.9, 5.1], 'high', 0.55),
    channel('flow', 'm3/h', 3.1, [18, 32], 'low', 0.31),
    channel('motorCurrent', 'A', 9.87, [10.2, 14.9], 'low', 0.09),
    channel('bearingTemperature', 'Cel', 61.3, [38, 66], 'unusual', 0.05),
  ];
  const found = { detector: 'forest', source: 'pump-3', threshold: 0.62, explainedRows: 4 };
  return {
    id: 'inc-0123456789abcdef',
    gateway: 'pump-station-1',
    site: 'north',
    device: 'pump-1',
    deviceType: 'pump',
    state: 'open',
    severity: 'critical',
    title: 'pump-1: dischargePressure high, flow low',
    firstMs: startMs + 2000,
    openedMs: startMs + 8000,
    lastMs: startMs + 16_000,
    closedMs: null,
    rows: 12,
    peakScore: 0.781,
    ...found,
    model: 'pump-3',
    channels,
    detectors: [{ ...found, score: 0.781, channels }],
    recommendations: [
      'Look for a blockage downstream: Is the discharge valve open? Are filter and strainer clean?',
      'Reduce speed or stop the pump before it runs against a closed line for long: it overheats.',
    ],
    timeline: [
      { atMs: startMs + 8000, text: 'Opened: 3 flagged rows among the last 8' },
      { atMs: startMs + 12_000, text: 'Severity rose to critical' },
    ],
    ...changes,
  };
}

function channel(
  field: string,
  unit: string,
  value: number,
  expected: readonly [number, number],
  direction: 'high' | 'low' | 'unusual',
  weight: number,
) {
  return { field, unit, value, expected, direction, weight, rows: 12, firstMs: startMs + 2000 };
}
