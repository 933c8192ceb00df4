/** Which series a bucket has. Counting them costs the server nothing; naming 100,000 takes it 10 s. */
import { EdgewardError } from '@edgeward/shared/errors';
import { flux, HttpError } from '@influxdata/influxdb-client';
import type { SeriesName } from './heads.js';
import type { InfluxServer } from './server.js';

/** @returns undefined if the token may not read the bucket, or there is none: the server does not say which */
export async function countSeries(server: InfluxServer, bucket: string): Promise<number | undefined> {
  const query = flux`import "influxdata/influxdb"
influxdb.cardinality(bucket: ${bucket}, start: 1677-09-22T00:00:00Z, stop: 2262-04-11T00:00:00Z)`;
  try {
    const [count] = await server.query(query, ({ values, tableMeta }) => tableMeta.toObject(values)._value);
    return Number(count ?? 0);
  } catch (error) {
    if (isUnreadable(error)) return undefined;
    throw error;
  }
}

function isUnreadable(error: unknown): boolean {
  const cause = error instanceof EdgewardError ? error.cause : undefined;
  return cause instanceof HttpError && (cause.statusCode === 403 || cause.statusCode === 404);
}

/** Of devices: those with a `quality`, which every row of ours has. */
export function listSeries(server: InfluxServer, bucket: string): Promise<SeriesName[]> {
  const query = flux`from(bucket: ${bucket})
  |> range(start: 1677-09-22T00:00:00Z, stop: 2262-04-11T00:00:00Z)
  |> filter(fn: (r) => r._field == "quality")
  |> last()
  |> keep(columns: ["_measurement", "gateway", "site", "device"])`;
  return server.query(query, ({ values, tableMeta }) => {
    const {
      _measurement: measurement = '',
      gateway = '',
      site = '',
      device = '',
    } = tableMeta.toObject(values);
    return { measurement, gateway, site, device };
  });
}
