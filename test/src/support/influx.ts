/** What a real InfluxDB has, read as its users read it. */
import { InfluxDB } from '@influxdata/influxdb-client';
import type { startInflux } from './services.js';

export type Influx = Awaited<ReturnType<typeof startInflux>>;

/** A row of a Flux answer. */
export type FluxRow = Readonly<Record<string, unknown>>;

export function flux(
  influx: { readonly url: string; readonly org: string; readonly token: string },
  query: string,
): Promise<FluxRow[]> {
  const { url, org, token } = influx;
  return new InfluxDB({ url, token, timeout: 60_000 }).getQueryApi(org).collectRows<FluxRow>(query);
}

/** All there is of any time. */
const ever = 'range(start: 1677-09-22T00:00:00Z, stop: 2262-04-11T00:00:00Z)';

/** One row for each point, its fields as columns; oldest first within its series. */
export function points(influx: Influx, bucket: string, filter = 'true'): Promise<FluxRow[]> {
  const where = `filter(fn: (r) => ${filter})`;
  const pivot = 'pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")';
  return flux(influx, `from(bucket: "${bucket}") |> ${ever} |> ${where} |> ${pivot}`);
}

/** How many rows of devices there are. */
export async function countRows(influx: Influx, bucket: string, filter = 'true'): Promise<number> {
  const where = `filter(fn: (r) => r._field == "quality" and (${filter}))`;
  const query = `from(bucket: "${bucket}") |> ${ever} |> ${where} |> count() |> group() |> sum()`;
  const [row] = await flux(influx, query);
  return Number(row?._value ?? 0);
}

/** @param retentionS  0 = for ever @returns its name */
export async function newBucket(influx: Influx, name: string, retentionS = 0): Promise<string> {
  const { orgs } = await api(influx, 'GET', `/api/v2/orgs?org=${influx.org}`);
  const retentionRules = retentionS > 0 ? [{ type: 'expire', everySeconds: retentionS }] : [];
  await api(influx, 'POST', '/api/v2/buckets', { orgID: orgs[0].id, name, retentionRules });
  return name;
}

/** A token that may do this with one bucket, and nothing else. */
export async function newToken(
  influx: Influx,
  bucket: string,
  actions: readonly ('read' | 'write')[],
): Promise<string> {
  const { buckets } = await api(influx, 'GET', `/api/v2/buckets?name=${bucket}`);
  const [{ id, orgID }] = buckets;
  const permissions = actions.map(action => ({ action, resource: { type: 'buckets', id, orgID } }));
  return (await api(influx, 'POST', '/api/v2/authorizations', { orgID, permissions })).token;
}

/** @throws Error for any answer that is not 2xx */
export async function api(influx: Influx, method: string, path: string, body?: object) {
  const response = await fetch(`${influx.url}${path}`, {
    method,
    headers: { authorization: `Token ${influx.token}`, 'content-type': 'application/json' },
    ...(body && { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`);
  // What the server says is looked at by those who asked.
  return text === '' ? undefined : JSON.parse(text);
}
