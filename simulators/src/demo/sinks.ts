/** The user's own Kafka and InfluxDB as sinks of the demo's collector. */
import path from 'node:path';
import type { CommandOption, CommandValues } from '@edgeward/shared/command';
import { EdgewardError } from '@edgeward/shared/errors';

const tokenVariable = 'EDGEWARD_INFLUX_TOKEN';
const usual = { org: 'edgeward', bucket: 'readings' } as const;

export const sinkOptions: Readonly<Record<string, CommandOption>> = {
  kafka: {
    type: 'string',
    placeholder: 'HOST:PORT',
    description: 'Write to this Kafka, too; several brokers with commas between them',
  },
  influx: {
    type: 'string',
    placeholder: 'URL',
    description: `Write to this InfluxDB 2, too, with the token in ${tokenVariable}`,
  },
  'influx-org': {
    type: 'string',
    placeholder: 'NAME',
    description: `Organisation there; default ${usual.org}`,
  },
  'influx-bucket': {
    type: 'string',
    placeholder: 'NAME',
    description: `Bucket there, created where it is missing; default ${usual.bucket}`,
  },
  'influx-token-file': {
    type: 'string',
    placeholder: 'FILE',
    description: `Read the token from here instead of ${tokenVariable}`,
  },
};

/** For the `sinks` of a collector. @throws EW_USAGE */
export function sinksOf(values: CommandValues, env: NodeJS.ProcessEnv = process.env): object[] {
  const text = (name: string) => values[name] as string | undefined;
  const sinks: object[] = [];
  const kafka = text('kafka');
  if (kafka !== undefined) sinks.push({ type: 'kafka', name: 'kafka', brokers: brokersOf(kafka) });
  const influx = text('influx');
  if (influx !== undefined) {
    const [org, bucket] = [text('influx-org') ?? usual.org, text('influx-bucket') ?? usual.bucket];
    const url = urlOf(influx);
    const token = tokenOf(text('influx-token-file'), env);
    sinks.push({
      type: 'influxdb',
      name: 'influxdb',
      url,
      org,
      bucket,
      token,
      createBucket: { allowed: true },
    });
  } else refuseLeftOver(values);
  return sinks;
}

function brokersOf(value: string): string[] {
  const brokers = value.split(',').map(broker => broker.trim());
  if (brokers.every(broker => /^(?:\[[0-9a-fA-F:.]+\]|[^\s:/@[\]]+):\d{1,5}$/.test(broker))) return brokers;
  throw new EdgewardError('EW_USAGE', `--kafka ${value}: give HOST:PORT, for example 127.0.0.1:9092.`);
}

function urlOf(value: string): string {
  const url = URL.canParse(value) ? new URL(value) : undefined;
  if (url && /^https?:$/.test(url.protocol) && !url.username && !url.password && !url.search && !url.hash)
    return value;
  // The value is not repeated: there may be a password in it.
  const remedy = 'give a URL like http://127.0.0.1:8086, without user, password or token';
  throw new EdgewardError('EW_USAGE', `--influx is not understood: ${remedy}.`);
}

/** Never the token itself: it would stand in the configuration file and in the list of processes. */
function tokenOf(file: string | undefined, env: NodeJS.ProcessEnv): object {
  if (file !== undefined) return { file: path.resolve(file) };
  if (env[tokenVariable]) return { env: tokenVariable };
  const remedy = `set ${tokenVariable}, or give --influx-token-file FILE`;
  throw new EdgewardError('EW_USAGE', `--influx needs a token: ${remedy}.`);
}

function refuseLeftOver(values: CommandValues): void {
  const name = Object.keys(sinkOptions).find(
    known => known.startsWith('influx-') && values[known] !== undefined,
  );
  if (name !== undefined)
    throw new EdgewardError(
      'EW_USAGE',
      `--${name} needs --influx URL, for example --influx http://127.0.0.1:8086.`,
    );
}
