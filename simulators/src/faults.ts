/** The device types a plant can have. */
export const deviceTypes = ['pump', 'cold-room', 'power-feed'] as const;
export type DeviceType = (typeof deviceTypes)[number];

interface FaultKindShape {
  /** Device types it can befall. */
  readonly fits: readonly DeviceType[];
  /**
   * `process`: the physics; `sensor`: one channel's reading; `site`: everything behind the gateway;
   * `load`: what is asked of a healthy device, so that its rows are labelled with no fault.
   */
  readonly acts: 'process' | 'sensor' | 'site' | 'load';
  readonly description: string;
  /** Simulated seconds it lasts if nobody says otherwise. */
  readonly durationS: number;
  /** Simulated seconds until it has its full severity; a time-lapse, real wear takes weeks. */
  readonly rampS: number;
}

/** Every fault, what it can befall and how it usually runs. Severity 1 is just short of a breakdown. */
export const faultKinds = {
  'bearing-wear': {
    fits: ['pump'],
    acts: 'process',
    description: 'Bearing friction and play grow: vibration, bearing temperature and motor current rise.',
    durationS: 900,
    rampS: 120,
  },
  'blocked-valve': {
    fits: ['pump'],
    acts: 'process',
    description:
      'Debris in the control valve: flow falls, discharge pressure rises, the valve opens in vain.',
    durationS: 600,
    rampS: 20,
  },
  leak: {
    fits: ['pump'],
    acts: 'process',
    description:
      'A crack in the discharge pipe: flow and motor power rise, discharge pressure falls, the tank gets less.',
    durationS: 600,
    rampS: 30,
  },
  'suction-blocked': {
    fits: ['pump'],
    acts: 'process',
    description:
      'The strainer before the pump clogs: suction and discharge pressure, flow and motor power fall, then it cavitates.',
    durationS: 600,
    rampS: 60,
  },
  misaligned: {
    fits: ['pump'],
    acts: 'process',
    description:
      'The coupling has slipped out of line: vibration rises at once, power and bearing temperature a little.',
    durationS: 900,
    rampS: 0,
  },
  'cooling-lost': {
    fits: ['pump'],
    acts: 'process',
    description: "The motor's fan is blocked: its winding gets hotter and hotter, little else changes.",
    durationS: 1800,
    rampS: 20,
  },
  'door-open': {
    fits: ['cold-room'],
    acts: 'process',
    description:
      'The door is left ajar: warm, moist air comes in, the compressor hardly stops, frost builds up.',
    durationS: 900,
    rampS: 0,
  },
  'refrigerant-leak': {
    fits: ['cold-room'],
    acts: 'process',
    description: 'Refrigerant escapes: less cooling and current, a warm evaporator, the room drifts up.',
    durationS: 3600,
    rampS: 600,
  },
  'fan-failed': {
    fits: ['cold-room'],
    acts: 'process',
    description:
      'The evaporator fan stops: the coil gets much colder, the compressor hardly stops, the room warms.',
    durationS: 3600,
    rampS: 0,
  },
  'condenser-fouled': {
    fits: ['cold-room'],
    acts: 'process',
    description:
      'Dirt on the condenser: the compressor takes more current and cools less, the coil is warmer.',
    durationS: 3600,
    rampS: 300,
  },
  overload: {
    fits: ['power-feed'],
    acts: 'process',
    description: 'Far more load than the feed is made for: current and power far up, voltage a little down.',
    durationS: 600,
    rampS: 20,
  },
  'capacitor-failed': {
    fits: ['power-feed'],
    acts: 'process',
    description: 'The capacitors drop out: the power factor falls, the same power takes more current.',
    durationS: 900,
    rampS: 0,
  },
  'power-sag': {
    fits: ['power-feed', 'pump', 'cold-room'],
    acts: 'process',
    description:
      'The supply voltage drops; on a power feed (or without a device) it drops for everything fed by it.',
    durationS: 60,
    rampS: 2,
  },
  'stuck-sensor': {
    fits: ['pump', 'cold-room', 'power-feed'],
    acts: 'sensor',
    description: 'One sensor keeps showing its last value.',
    durationS: 600,
    rampS: 0,
  },
  drift: {
    fits: ['pump', 'cold-room', 'power-feed'],
    acts: 'sensor',
    description: 'One sensor reads more and more too high.',
    durationS: 900,
    rampS: 300,
  },
  offset: {
    fits: ['pump', 'cold-room', 'power-feed'],
    acts: 'sensor',
    description: 'One sensor jumps by a fixed amount and stays there.',
    durationS: 900,
    rampS: 0,
  },
  'noisy-sensor': {
    fits: ['pump', 'cold-room', 'power-feed'],
    acts: 'sensor',
    description: 'The noise of one sensor grows many times.',
    durationS: 600,
    rampS: 0,
  },
  spikes: {
    fits: ['pump', 'cold-room', 'power-feed'],
    acts: 'sensor',
    description: 'Single readings of one sensor jump up or down, as with a loose contact.',
    durationS: 300,
    rampS: 0,
  },
  'gateway-offline': {
    fits: ['pump', 'cold-room', 'power-feed'],
    acts: 'site',
    description: 'The gateway reads nothing: no rows at all while it lasts.',
    durationS: 120,
    rampS: 0,
  },
  'load-change': {
    fits: ['pump', 'cold-room', 'power-feed'],
    acts: 'load',
    description:
      'No fault: a works draws more or less from the tank, warm goods arrive, or a big consumer is switched on.',
    durationS: 1800,
    rampS: 60,
  },
} as const satisfies Record<string, FaultKindShape>;

export type FaultKind = keyof typeof faultKinds;
export type FaultKindInfo = FaultKindShape;

export const faultKindNames = Object.keys(faultKinds) as FaultKind[];

export function isFaultKind(text: unknown): text is FaultKind {
  return typeof text === 'string' && Object.hasOwn(faultKinds, text);
}

/** A change that is no fault: the plant tells it among its active faults, yet labels no row with it. */
export function isDistractor(kind: FaultKind): boolean {
  const info: FaultKindInfo = faultKinds[kind];
  return info.acts === 'load';
}

export function fits(kind: FaultKind, type: DeviceType): boolean {
  const info: FaultKindInfo = faultKinds[kind];
  return info.fits.includes(type);
}

/** A fault with its place in simulated time. */
export interface ScheduledFault {
  readonly kind: FaultKind;
  /** Absent: every device that the kind fits; never given with `gateway-offline`. */
  readonly device?: string | undefined;
  /** Sensor faults only; absent: the type's most telling channel. */
  readonly field?: string | undefined;
  /** Simulated seconds after the plant's start. */
  readonly atS: number;
  readonly durationS: number;
  /** Above 0, up to 1; default 0.8. */
  readonly severity?: number | undefined;
  /** Default: the kind's own. */
  readonly rampS?: number | undefined;
}

export const defaultSeverity = 0.8;

/** One fault at work, or waiting. Times are simulated seconds after the plant's start. */
export interface RunningFault {
  readonly kind: FaultKind;
  readonly device: string | undefined;
  readonly field: string | undefined;
  readonly startS: number;
  readonly endS: number;
  readonly severity: number;
  readonly rampS: number;
}

/** 0 before and after, `severity` once the ramp is over. */
export function levelOf(fault: RunningFault, nowS: number): number {
  if (nowS < fault.startS || nowS >= fault.endS) return 0;
  const risen = fault.rampS > 0 ? Math.min(1, (nowS - fault.startS) / fault.rampS) : 1;
  return fault.severity * risen;
}
