/**
 * Health of a fleet that nobody disturbs, and of the same fleet with faults that grow slowly: one value a minute of each
 * field that is compared with its own past. Loads follow day and week, delays have bad minutes, jobs run at night, agents
 * leak a little and are started anew: what real fleets do without being broken.
 */
import type { Rng } from '@edgeward/shared/contracts';
import { gaussian, seededRng } from '@edgeward/shared/rng';

export type Kind = 'pipeline-gateway' | 'pipeline-sink';
export type Values = Readonly<Record<string, number>>;

export const minutesADay = 1440;
/** A Monday, 00:00 UTC. */
export const startMs = Date.UTC(2026, 0, 5);

export interface Fault {
  readonly name: string;
  readonly kind: Kind;
  /** Fields that show it. */
  readonly fields: readonly string[];
  /** @param minutes  since it began */
  apply(values: Values, minutes: number): Values;
}

const delays = ['event_delay_p99', 'sent_delay', 'read_delay'];

/** All of them stay below what rules tell. */
export const faults: readonly Fault[] = [
  {
    name: 'delay p99 doubles (below 10 s)',
    kind: 'pipeline-gateway',
    fields: delays,
    apply: values => ({ ...values, event_delay_p99: 2 * values.event_delay_p99! }),
  },
  {
    name: 'way to the collector takes twice as long',
    kind: 'pipeline-gateway',
    fields: delays,
    apply: values => ({
      ...values,
      sent_delay: 2 * values.sent_delay!,
      event_delay_p99: values.event_delay_p99! + values.sent_delay!,
    }),
  },
  {
    name: 'rate falls by 40 %',
    kind: 'pipeline-gateway',
    fields: ['rows_per_second'],
    apply: values => ({ ...values, rows_per_second: 0.6 * values.rows_per_second! }),
  },
  {
    name: 'age of the outbox creeps up, 1 s a minute',
    kind: 'pipeline-gateway',
    fields: ['outbox_age'],
    apply: (values, minutes) => ({ ...values, outbox_age: values.outbox_age! + minutes }),
  },
  {
    name: 'memory leaks: doubles in 6 h',
    kind: 'pipeline-gateway',
    fields: ['resident_memory'],
    apply: (values, minutes) => ({
      ...values,
      resident_memory: values.resident_memory! * (1 + minutes / 360),
    }),
  },
  {
    name: 'sink writes take 4 times as long',
    kind: 'pipeline-sink',
    fields: ['write_time', 'lag'],
    apply: values => ({ ...values, write_time: 4 * values.write_time! }),
  },
  {
    name: 'group behind a sink lags 4 times as long',
    kind: 'pipeline-sink',
    fields: ['consumer_lag'],
    apply: values => ({ ...values, consumer_lag: 4 * values.consumer_lag! }),
  },
];

export function simulated(kind: Kind, seed: number): (minute: number) => Values {
  const rng = seededRng(seed);
  return kind === 'pipeline-gateway' ? gatewayOf(rng) : sinkOf(rng);
}

/** [from, to), evenly in the logarithm. */
const between = (rng: Rng, from: number, to: number) => from * (to / from) ** rng();

/** Wanders around 0 with this deviation, and forgets in about so many minutes. */
function wandering(rng: Rng, deviation: number, minutes: number): () => number {
  const normal = gaussian(rng);
  const keep = Math.exp(-1 / minutes);
  let state = 0;
  return () => {
    state = keep * state + Math.sqrt(1 - keep * keep) * deviation * normal();
    return state;
  };
}

/** A factor that is 1 but for some minutes, so often a day. */
function badMinutes(rng: Rng, aDay: number, minutes: number, factor: number): () => number {
  let left = 0;
  let by = 1;
  return () => {
    if (left > 0) left -= 1;
    else if (rng() < aDay / minutesADay) {
      left = Math.ceil(minutes * (0.3 + rng()));
      by = factor ** (0.5 + rng());
    }
    return left > 0 ? by : 1;
  };
}

/** 0 at night, 1 in working hours, with ramps of an hour; on free days little. */
function workAt(minute: number, freeDays: boolean): number {
  const hour = (minute / 60) % 24;
  const ramp = Math.max(0, Math.min(1, hour - 5.5, 18.5 - hour));
  const day = Math.floor(minute / minutesADay) % 7;
  return freeDays && day >= 5 ? 0.1 * ramp : ramp;
}

function gatewayOf(rng: Rng): (minute: number) => Values {
  const [isShift, pauses] = [rng() < 0.5, rng() < 0.3];
  const shiftHours = Math.floor(rng() * 4) * 60;
  const [rate, read, sent] = [between(rng, 1, 200), between(rng, 0.05, 1), between(rng, 0.03, 0.8)];
  const [age, cpu, rss] = [between(rng, 0.3, 2), between(rng, 0.05, 0.4), between(rng, 80e6, 150e6)];
  const leakDays = between(rng, 2, 6);
  const normal = gaussian(rng);
  const rateNoise = wandering(rng, 0.04, 30);
  const [sentNoise, readNoise] = [wandering(rng, 0.2, 20), wandering(rng, 0.1, 10)];
  const badNetwork = badMinutes(rng, 6, 3, 4);
  const pause = badMinutes(rng, 2, 15, 0.5);
  return minute => {
    const work = workAt(minute + shiftHours, isShift);
    const load = isShift ? 0.4 + 0.6 * work : 1;
    const bad = badNetwork();
    const hour = (minute / 60) % 24;
    const readDelay = read * Math.exp(readNoise());
    const sentDelay = sent * (1 + 0.5 * work) * Math.exp(sentNoise()) * bad;
    const paused = pauses ? pause() : 1;
    const backup = hour >= 2 && hour < 2.5 ? 1.8 : 1;
    return {
      rows_per_second: rate * load * paused * Math.exp(rateNoise() + 0.02 * normal()),
      read_delay: readDelay,
      sent_delay: sentDelay,
      event_delay_p99: (readDelay + sentDelay) * (1.3 + 0.3 * Math.abs(normal())),
      outbox_age: age * Math.abs(1 + 0.3 * normal()) * bad,
      cpu_share: cpu * (0.5 + 0.5 * load) * backup * Math.exp(0.1 * normal()),
      resident_memory: rss * (1 + (0.15 * ((minute / minutesADay) % leakDays)) / leakDays),
    };
  };
}

function sinkOf(rng: Rng): (minute: number) => Values {
  const [write, group] = [between(rng, 0.005, 0.2), between(rng, 0.5, 5)];
  const normal = gaussian(rng);
  const noise = wandering(rng, 0.25, 15);
  const groupNoise = wandering(rng, 0.3, 10);
  const compaction = badMinutes(rng, 8, 3, 4);
  const retries = badMinutes(rng, 2, 1, 3);
  return minute => {
    const hour = (minute / 60) % 24;
    const job = hour >= 3 && hour < 3.4 ? 2.5 : 1;
    const writeS =
      write * (1 + 0.4 * workAt(minute, true)) * Math.exp(noise() + 0.1 * normal()) * compaction() * job;
    return {
      write_time: writeS,
      lag: 0.2 + 2 * writeS * Math.exp(0.2 * normal()),
      consumer_lag: group * (1 + workAt(minute, true)) * Math.exp(groupNoise()),
      errors_per_second: retries() > 1 ? 1 / 60 : 0,
    };
  };
}
