/** The sink under test, on a real server. */
import { InfluxdbSink } from '@edgeward/collector/sinks/influxdb';
import { checkInfluxdb, influxdbConfig } from '@edgeward/collector/sinks/influxdb/config';
import { systemClock } from '@edgeward/shared/clock';
import type { Refusal } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import type { z } from 'zod';

/** A deadline that never comes. */
export const open: AbortSignal = new AbortController().signal;

/** Who is told what the server will not take. */
export type Refuse = (refusals: readonly Refusal[]) => Promise<void>;

export type Options = Partial<z.input<typeof influxdbConfig>>;

/** Remembers what it was told that the server will not take. */
export class TestedSink extends InfluxdbSink {
  readonly refusals: Refusal[];
  /** What it warned of. */
  readonly warnings: string[];

  constructor(options: z.input<typeof influxdbConfig>, refuse?: Refuse) {
    const refusals: Refusal[] = [];
    const warnings: string[] = [];
    const log = silentLogger.child({});
    log.warn = (...args: unknown[]) => void warnings.push(args.map(String).join(' '));
    const config = influxdbConfig.superRefine(checkInfluxdb).parse(options);
    super(config, {
      name: 'influxdb',
      collector: 'collector',
      log,
      clock: systemClock,
      refuse: async more => {
        refusals.push(...more);
        await refuse?.(more);
      },
    });
    this.refusals = refusals;
    this.warnings = warnings;
  }
}

interface Access {
  readonly url: string;
  readonly org: string;
  readonly bucket: string;
  readonly token: string;
}

export function influxSink(influx: Access, options: Options = {}, refuse?: Refuse) {
  const { url, org, bucket, token } = influx;
  const variable = `EDGEWARD_TEST_${token.replaceAll(/\W/g, '_')}`;
  process.env[variable] = token;
  return new TestedSink({ url, org, bucket, token: { env: variable }, ...options }, refuse);
}
