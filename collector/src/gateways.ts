import type { AgentEvent, Clock, Delivery, RecordBatch, Schema } from '@edgeward/shared/contracts';
import { getOrMake } from '@edgeward/shared/maps';
import type { GatewayState } from './messages.js';
import { GatewayPulse, type Hops } from './pipeline/pulse.js';
import type { GatewayReport } from './report.js';

/** What is known of one gateway beside its rows. */
export interface Gateway {
  readonly id: string;
  state: GatewayState | undefined;
  report: GatewayReport | undefined;
  lastRowMs: number | null;
  /** Journaled since the start. */
  rows: number;
  /** When its last report came, ms; null = it came before the start. */
  reportedMs: number | null;
  readonly devices: Set<string>;
  /** Which devices of the schema that its last rows had are among them. */
  counted: { readonly schema: Schema; readonly devices: Uint8Array } | undefined;
  readonly rate: RowRate;
  readonly pulse: GatewayPulse;
}

/** Rows a second over the last full ten seconds, in one-second buckets. */
export class RowRate {
  static readonly seconds = 10;
  readonly #buckets = new Float64Array(RowRate.seconds + 1);
  #second = 0;

  add(nowMs: number, rows: number): void {
    this.#advance(nowMs);
    this.#buckets[this.#second % this.#buckets.length]! += rows;
  }

  perSecond(nowMs: number): number {
    this.#advance(nowMs);
    const current = this.#buckets[this.#second % this.#buckets.length]!;
    return (this.#buckets.reduce((a, b) => a + b, 0) - current) / RowRate.seconds;
  }

  #advance(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    const gone = Math.min(second - this.#second, this.#buckets.length);
    for (let i = 1; i <= gone; i++) this.#buckets[(this.#second + i) % this.#buckets.length] = 0;
    if (second > this.#second) {
      this.#second = second;
      this.#buckets[second % this.#buckets.length] = 0;
    }
  }
}

type Change =
  | { readonly kind: 'gateway'; readonly id: string }
  | { readonly kind: 'event'; readonly event: AgentEvent };

/** The fleet: who is there, what they last said, and what happened to them. */
export class Gateways {
  readonly #gateways = new Map<string, Gateway>();
  readonly #events: AgentEvent[] = [];
  readonly #clock: Clock;
  readonly #listeners = new Set<(change: Change) => void>();

  constructor(clock: Clock, reports: readonly GatewayReport[] = [], events: readonly AgentEvent[] = []) {
    this.#clock = clock;
    for (const report of reports) this.#of(report.gateway).report = report;
    this.#events.push(...events);
  }

  all(): Gateway[] {
    return [...this.#gateways.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  }

  get(id: string): Gateway | undefined {
    return this.#gateways.get(id);
  }

  /** Newest first. */
  events(limit: number): AgentEvent[] {
    return this.#events.slice(-limit).reverse();
  }

  subscribe(listener: (change: Change) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  stored(deliveries: readonly Delivery[]): void {
    const nowMs = this.#clock.now();
    for (const { gateway: id, batch, late } of deliveries) {
      const gateway = this.#of(id);
      gateway.rate.add(nowMs, batch.time.length);
      gateway.rows += batch.time.length;
      gateway.pulse.heard(this.#clock.monotonic());
      if (!late && isNewer(batch, gateway.lastRowMs)) gateway.pulse.freshRows += batch.time.length;
      gateway.lastRowMs = newestOf(batch, gateway.lastRowMs);
      countDevices(gateway, batch);
    }
  }

  /** How long a block that is stored now was on its way. */
  timed(id: string, hops: Hops): void {
    this.#of(id).pulse.block(hops);
  }

  state(id: string, state: GatewayState): void {
    const gateway = this.#of(id);
    const known = gateway.state;
    // A last will travels with a dead connection; the next one may already be up.
    if (!state.online && known?.online && (known.epoch !== state.epoch || known.link > state.link)) return;
    gateway.state = state;
    if (state.online) gateway.pulse.heard(this.#clock.monotonic());
    this.#tell({ kind: 'gateway', id });
  }

  report(report: GatewayReport): void {
    const gateway = this.#of(report.gateway);
    gateway.report = report;
    gateway.reportedMs = this.#clock.now();
    gateway.pulse.heard(this.#clock.monotonic());
    this.#tell({ kind: 'gateway', id: report.gateway });
  }

  event(event: AgentEvent): void {
    this.#events.push(event);
    if (this.#events.length > 1000) this.#events.shift();
    this.#tell({ kind: 'event', event });
  }

  #of(id: string): Gateway {
    return getOrMake(this.#gateways, id, () => ({
      id,
      state: undefined,
      report: undefined,
      lastRowMs: null,
      rows: 0,
      reportedMs: null,
      devices: new Set<string>(),
      counted: undefined,
      rate: new RowRate(),
      pulse: new GatewayPulse(),
    }));
  }

  #tell(change: Change): void {
    for (const listener of this.#listeners) listener(change);
  }
}

/** A block that ends later than all before, whatever of it lies earlier. */
function isNewer({ time }: RecordBatch, knownMs: number | null): boolean {
  return (time.at(-1) ?? 0) > (knownMs ?? Number.NEGATIVE_INFINITY);
}

function newestOf({ time }: RecordBatch, knownMs: number | null): number | null {
  let newestMs = knownMs ?? time[0] ?? null;
  for (let i = 0; newestMs !== null && i < time.length; i++) newestMs = Math.max(newestMs, time[i]!);
  return newestMs;
}

function countDevices(gateway: Gateway, { schema, device }: RecordBatch): void {
  if (gateway.counted?.schema !== schema)
    gateway.counted = { schema, devices: new Uint8Array(schema.devices.length) };
  const { devices } = gateway.counted;
  for (let i = 0; i < device.length; i++) {
    const index = device[i]!;
    if (devices[index] === 1) continue;
    devices[index] = 1;
    gateway.devices.add(schema.devices[index]!);
  }
}
