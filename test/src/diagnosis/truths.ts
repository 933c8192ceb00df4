/** What is true of each simulated fault, as somebody who knows plants would say it. */
import type { DeviceType, FaultKind } from '@edgeward/simulators/plant';

export type Level = 'none' | 'info' | 'warning' | 'critical';

export interface Truth {
  /** Ids of causes in the catalogue that name it. */
  readonly causes: readonly string[];
  /** What has to be looked at; `{field}` stands for the field of a sensor fault. */
  readonly component: string;
  readonly severity: Level;
  readonly on: DeviceType;
  /** Seconds that are watched; 600 if absent. */
  readonly watchedS?: number;
  /** Of sensor faults: on which of them. */
  readonly fields?: readonly string[];
}

/** Channels of a pump whose sensors fail. */
const fields = ['bearingTemperature', 'dischargePressure', 'suctionPressure', 'flow', 'motorTemperature'];

export const truths = {
  'bearing-wear': {
    causes: ['pump-bearing-wear'],
    component: 'bearing',
    severity: 'critical',
    on: 'pump',
  },
  'blocked-valve': {
    causes: ['pump-blocked-discharge'],
    component: 'discharge valve',
    severity: 'critical',
    on: 'pump',
  },
  leak: { causes: ['pump-leak'], component: 'discharge pipe', severity: 'critical', on: 'pump' },
  'suction-blocked': {
    causes: ['pump-suction-blocked'],
    component: 'suction strainer',
    severity: 'critical',
    on: 'pump',
  },
  misaligned: { causes: ['pump-misaligned'], component: 'coupling', severity: 'warning', on: 'pump' },
  'cooling-lost': {
    causes: ['motor-cooling-lost'],
    component: 'motor fan',
    severity: 'warning',
    on: 'pump',
    watchedS: 1500,
  },
  'door-open': { causes: ['cold-room-door-open'], component: 'door', severity: 'warning', on: 'cold-room' },
  'refrigerant-leak': {
    causes: ['cold-room-refrigerant-leak'],
    component: 'refrigeration circuit',
    severity: 'critical',
    on: 'cold-room',
    watchedS: 3600,
  },
  'fan-failed': {
    causes: ['cold-room-fan-failed'],
    component: 'evaporator fan',
    severity: 'critical',
    on: 'cold-room',
    watchedS: 2400,
  },
  'condenser-fouled': {
    causes: ['cold-room-condenser-fouled'],
    component: 'condenser',
    severity: 'warning',
    on: 'cold-room',
    watchedS: 2400,
  },
  overload: { causes: ['power-overload'], component: 'power supply', severity: 'warning', on: 'power-feed' },
  'capacitor-failed': {
    causes: ['power-factor-low'],
    component: 'compensation capacitor',
    severity: 'warning',
    on: 'power-feed',
  },
  'power-sag': {
    causes: ['power-sag', 'power-sag-felt'],
    component: 'power supply',
    severity: 'critical',
    on: 'power-feed',
  },
  'stuck-sensor': {
    causes: ['sensor-stuck'],
    component: 'sensor of {field}',
    severity: 'warning',
    on: 'pump',
    fields,
  },
  drift: {
    causes: ['sensor-drift'],
    component: 'sensor of {field}',
    severity: 'warning',
    on: 'pump',
    fields,
  },
  offset: {
    causes: ['sensor-offset'],
    component: 'sensor of {field}',
    severity: 'warning',
    on: 'pump',
    fields,
  },
  'noisy-sensor': {
    causes: ['sensor-noisy'],
    component: 'sensor of {field}',
    severity: 'info',
    on: 'pump',
    fields,
  },
  spikes: {
    causes: ['sensor-loose'],
    component: 'sensor of {field}',
    severity: 'warning',
    on: 'pump',
    fields,
  },
} as const satisfies Partial<Record<FaultKind, Truth>>;

export type LabelledKind = keyof typeof truths;
export const labelledKinds = Object.keys(truths) as LabelledKind[];

/** What an incident about a change of load, which is no fault, should be called. */
export const loadCauses: readonly string[] = ['pump-demand', 'cold-room-warm-goods', 'power-load'];
