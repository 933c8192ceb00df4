import {
  type DeviceType,
  defaultSeverity,
  type FaultKind,
  faultKinds,
  fits,
  isDistractor,
  levelOf,
  type RunningFault,
  type ScheduledFault,
} from './faults.js';

/** A device as the book knows it. */
export interface BookDevice {
  readonly name: string;
  readonly type: DeviceType;
  /** Channel that a sensor fault without a field befalls. */
  readonly tellingField: string;
}

interface Entry {
  readonly fault: RunningFault;
  /** Index of the device; undefined = the whole site. */
  readonly target: number | undefined;
}

const none: readonly RunningFault[] = [];

/**
 * Which fault acts on what, as time goes on. Time only moves forward.
 * A sag of the first power feed (or of no device in particular) is the whole site's.
 */
export class FaultBook {
  readonly #devices: readonly BookDevice[];
  readonly #active: RunningFault[][];
  #site: RunningFault[] = [];
  #waiting: Entry[] = [];
  #running: Entry[] = [];
  #nextChangeS = Number.POSITIVE_INFINITY;
  #nowS = Number.NEGATIVE_INFINITY;

  constructor(devices: readonly BookDevice[]) {
    this.#devices = devices;
    this.#active = devices.map(() => []);
  }

  /** The fault has been checked. */
  add(fault: ScheduledFault): void {
    this.#waiting.push(...this.#entries(fault));
    this.#waiting.sort((a, b) => a.fault.startS - b.fault.startS);
    this.#nextChangeS = Number.NEGATIVE_INFINITY;
  }

  moveTo(nowS: number): void {
    this.#nowS = nowS;
    if (nowS >= this.#nextChangeS) this.#sortOut();
  }

  /** Faults of one device alone, oldest first. */
  of(device: number): readonly RunningFault[] {
    return this.#active[device] ?? none;
  }

  get site(): readonly RunningFault[] {
    return this.#site;
  }

  get running(): readonly RunningFault[] {
    return this.#running.map(({ fault }) => fault);
  }

  level(faults: readonly RunningFault[], kind: FaultKind): number {
    let strongest = 0;
    for (const fault of faults)
      if (fault.kind === kind) strongest = Math.max(strongest, levelOf(fault, this.#nowS));
    return strongest;
  }

  /** What a row of this device is labelled with: the oldest fault at work on it; distractors are none. */
  label(device: number): FaultKind | null {
    const own = this.of(device).find(({ kind }) => !isDistractor(kind));
    const shared = this.#site.find(fault => fault.kind === 'power-sag');
    if (own === undefined || shared === undefined) return own?.kind ?? shared?.kind ?? null;
    return own.startS <= shared.startS ? own.kind : shared.kind;
  }

  get offline(): boolean {
    return this.#site.some(fault => fault.kind === 'gateway-offline');
  }

  #sortOut(): void {
    const now = this.#nowS;
    const due = this.#waiting.findIndex(({ fault }) => fault.startS > now);
    const started = this.#waiting.splice(0, due < 0 ? this.#waiting.length : due);
    this.#running = [...this.#running, ...started].filter(({ fault }) => fault.endS > now);
    this.#site = [];
    for (const list of this.#active) list.length = 0;
    for (const { fault, target } of this.#running) {
      if (target === undefined) this.#site.push(fault);
      else this.#active[target]?.push(fault);
    }
    this.#nextChangeS = this.#running.reduce(
      (soonest, { fault }) => Math.min(soonest, fault.endS),
      this.#waiting[0]?.fault.startS ?? Number.POSITIVE_INFINITY,
    );
  }

  #entries(scheduled: ScheduledFault): Entry[] {
    const { kind, device, field, atS, durationS } = scheduled;
    const info = faultKinds[kind];
    const base = {
      kind,
      startS: atS,
      endS: atS + durationS,
      severity: scheduled.severity ?? defaultSeverity,
      rampS: scheduled.rampS ?? info.rampS,
    };
    if (info.acts === 'site' || this.#isSiteSag(scheduled))
      return [{ fault: { ...base, device, field }, target: undefined }];
    return this.#devices.flatMap(({ name, type, tellingField }, target) => {
      if (!fits(kind, type) || (device !== undefined && device !== name)) return [];
      const channel = info.acts === 'sensor' ? (field ?? tellingField) : undefined;
      return [{ fault: { ...base, device: name, field: channel }, target }];
    });
  }

  #isSiteSag({ kind, device }: ScheduledFault): boolean {
    if (kind !== 'power-sag') return false;
    return device === undefined || device === this.#devices.find(({ type }) => type === 'power-feed')?.name;
  }
}
