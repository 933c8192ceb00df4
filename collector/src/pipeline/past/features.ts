/** What of a pipeline device's row is compared with its own past. */

export interface Feature {
  /** Of the row. */
  readonly field: string;
  readonly unit: string | null;
  /** In a sentence: `its … has been`. */
  readonly named: string;
  /** The direction that is trouble; the other is none. */
  readonly worse: 'high' | 'low';
  /** Less of a change than by this factor is none, however rare. */
  readonly factor: number;
  /** Added before factors are formed: below it, values differ by nothing that matters. */
  readonly floor: number;
  /** It follows the shifts of people: it also has an own past for each hour of the week. */
  readonly isWeekly?: boolean;
  /** Of the catalogue. */
  readonly causes: readonly (readonly [id: string, probability: number])[];
}

const rate = (floor: number, causes: Feature['causes']): Feature => ({
  ...{ field: 'rows_per_second', unit: '1/s', named: 'rows a second', worse: 'low', factor: 1.4, floor },
  isWeekly: true,
  causes,
});

const delay = (
  field: string,
  named: string,
  floor: number,
  causes: readonly (readonly [id: string, probability: number])[],
): Feature => ({ field, unit: 's', named, worse: 'high', factor: 1.6, floor, causes });

const memory = (floor: number, causes: Feature['causes']): Feature => ({
  ...{ field: 'resident_memory', unit: 'B', named: 'memory', worse: 'high', factor: 1.5, floor },
  causes,
});

const cpu = (causes: Feature['causes']): Feature => ({
  ...{ field: 'cpu_share', unit: null, named: 'share of a CPU', worse: 'high', factor: 1.8, floor: 0.05 },
  causes,
});

const network = ['pipeline-network-gateway', 0.6] as const;
const box = ['pipeline-gateway-overloaded', 0.5] as const;
const collectorCpu = ['pipeline-collector-overloaded', 0.5] as const;
const disk = ['pipeline-disk-slow', 0.6] as const;
const server = ['pipeline-sink-slow', 0.7] as const;

/** By the type of a pipeline device. Where several are out, the first named hop is the one that is farthest out. */
export const featuresOf = {
  'pipeline-gateway': [
    rate(0.02, [
      ['pipeline-channel-silent', 0.5],
      ['pipeline-source-silent', 0.3],
    ]),
    delay('read_delay', 'delay from row to block', 0.2, [box]),
    delay('sent_delay', 'delay from its agent to the collector', 0.1, [network]),
    // Before its parts are known to be out, the whole is: of the slowest blocks.
    delay('event_delay_p99', 'longest delay of rows', 0.2, [network, box]),
    { ...delay('outbox_age', 'age of the oldest block in its outbox', 5, [network]), factor: 2 },
    cpu([box]),
    memory(20e6, [box]),
  ],
  'pipeline-sink': [
    { ...delay('write_time', 'time of a write', 0.02, [server]), factor: 2 },
    { ...delay('lag', 'lag', 2, [server]), factor: 2 },
    { ...delay('consumer_lag', 'lag of the groups behind it', 5, [['pipeline-consumer', 0.7]]), factor: 2 },
    {
      ...{ field: 'errors_per_second', unit: '1/s', named: 'errors a second', worse: 'high', factor: 2 },
      floor: 0.05,
      causes: [['pipeline-sink-down', 0.6]],
    },
  ],
  'pipeline-collector': [
    rate(0.1, [['pipeline-network-collector', 0.3]]),
    { ...delay('ingested_delay', 'time of a commit', 0.05, [disk]), factor: 2 },
    {
      ...delay('queue_share', 'share of its queue that is taken', 0.02, [collectorCpu]),
      unit: null,
      factor: 2,
    },
    cpu([collectorCpu]),
    memory(50e6, [collectorCpu]),
  ],
} as const satisfies Record<string, readonly Feature[]>;

export type PipelineType = keyof typeof featuresOf;
