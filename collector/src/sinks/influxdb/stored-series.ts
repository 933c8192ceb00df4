import { flux } from '@influxdata/influxdb-client';
import type { SeriesName } from './heads.js';
import type { InfluxServer } from './server.js';

/** Series of devices that the bucket has: those with a `quality`, which every row of ours has. */
export function storedSeries(server: InfluxServer, bucket: string): Promise<SeriesName[]> {
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
