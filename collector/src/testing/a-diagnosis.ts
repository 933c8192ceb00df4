import type { Diagnosis, LikelyCause } from '../diagnosis/diagnosis.js';

const blocked: LikelyCause = {
  id: 'pump-blocked-discharge',
  cause: 'Blockage or closed valve behind the pump',
  component: 'discharge valve',
  severity: 'critical',
  probability: 0.81,
  evidence: ['E1', 'E2'],
  against: ['E3'],
  actions: ['Open the valve.'],
};

/** Of the incident of `anIncident`. */
export function aDiagnosis(changes: Partial<Diagnosis> = {}): Diagnosis {
  return {
    atMs: Date.UTC(2026, 0, 1, 0, 0, 16),
    verdict: 'likely',
    agreed: 1,
    causes: [
      blocked,
      {
        ...blocked,
        id: 'pump-worn-impeller',
        cause: 'Worn impeller',
        component: 'impeller',
        probability: 0.12,
        against: [],
      },
    ],
    unknown: 0.07,
    evidence: [
      { id: 'E1', text: 'dischargePressure is high: 8.43 bar, 3.9 – 5.1 bar before', device: 'pump-1' },
      { id: 'E2', text: 'flow is low: 3.1 m³/h, 18 – 32 m³/h before', device: 'pump-1' },
      { id: 'E3', text: 'motorCurrent is as before: 13 A', device: 'pump-1' },
    ],
    ...changes,
  };
}
