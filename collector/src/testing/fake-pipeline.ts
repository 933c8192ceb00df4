/** The pipeline's own devices as the views of a collector show them: a look every five seconds. */
import type { DeviceView, SeriesView } from '../views.js';

type Values = Readonly<Record<string, number | null>>;

const everyMs = 5000;
const looks = 60;

const well: Readonly<Record<string, { readonly type: string; readonly values: Values }>> = {
  _collector: {
    type: 'pipeline-collector',
    values: {
      rows_per_second: 48,
      event_delay_p50: 0.02,
      event_delay_p99: 0.2,
      queue_share: 0,
      disk_free: 75e9,
    },
  },
  '_sink-kafka': { type: 'pipeline-sink', values: { lag: 0.3, rows_per_second: 48, write_time: 0.012 } },
  'gw-north-1': gateway(0.04),
  'gw-cold-1': gateway(0.06),
};

function gateway(sentS: number) {
  const delays = { event_delay_p50: sentS, event_delay_p99: 2 * sentS, read_delay: 0.01, sent_delay: sentS };
  const values = {
    silent: 1,
    rows_per_second: 8,
    ...delays,
    ingested_delay: 0.005,
    outbox_share: 0.01,
    outbox_age: 2,
  };
  return { type: 'pipeline-gateway', values: { ...values, online: 1 } };
}

export class FakePipeline {
  readonly #values = new Map(Object.entries(well).map(([name, { values }]) => [name, values]));

  constructor(private readonly nowMs: number) {}

  /** One more gateway. */
  add(gateway: string): void {
    this.#values.set(gateway, this.#values.get('gw-north-1')!);
  }

  devices(): DeviceView[] {
    return [...this.#values].map(([device, last]) => ({
      gateway: '_pipeline',
      device,
      type: well[device]?.type ?? 'pipeline-gateway',
      fields: Object.keys(last).map(name => ({ name, kind: 'float' as const })),
      lastRowMs: this.nowMs,
      ...{ lastScore: null, lastAnomaly: false, lastQuality: [], model: null, threshold: null },
      last,
      openIncidentId: null,
    }));
  }

  series(device: string, fields: readonly string[]): SeriesView | undefined {
    const last = this.#values.get(device);
    if (!last) return undefined;
    const time = Array.from({ length: looks }, (_, i) => this.nowMs - (looks - 1 - i) * everyMs);
    const wave = (name: string) => time.map((_, i) => (last[name] ?? 0) * (1 + 0.3 * Math.sin(i)));
    return {
      gateway: '_pipeline',
      device,
      time,
      values: Object.fromEntries(fields.map(name => [name, wave(name)])),
      score: time.map(() => null),
      anomaly: time.map(() => false),
      quality: time.map(() => 0),
    };
  }
}
