/**
 * Flux that several panels have in common. Rows are in a measurement per device type, with the tags gateway, device
 * and, where there is one, site; notes are in edgeward_incident and edgeward_event: see deploy/influxdb.md.
 */

/** What the time picker shows. */
export const inRange = `from(bucket: v.defaultBucket)
  |> range(start: v.timeRangeStart, stop: v.timeRangeStop)`;

const rows = 'r._measurement !~ /^edgeward_/';
/** "All" is `.*`, which no row without a site must be lost to. */
const ofSite = '(not exists r.site or r.site =~ /^${site:regex}$/)';
const ofGateway = 'r.gateway =~ /^${gateway:regex}$/';

/** Rows of the chosen gateways. @param condition  Flux on r */
export function fleetRows(condition: string): string {
  return `${inRange}
  |> filter(fn: (r) => ${rows} and ${condition} and ${ofGateway} and ${ofSite})`;
}

/** Rows of the chosen device. */
export function deviceRows(condition: string): string {
  const device = 'r._measurement == "${type}" and r.gateway == "${gateway}" and r.device == "${device}"';
  return `${inRange}
  |> filter(fn: (r) => ${device} and ${condition})`;
}

/** A line per device. */
export const perDevice = '|> group(columns: ["gateway", "device"])';

export function everyWindow(fn: string, createEmpty = false): string {
  return `|> aggregateWindow(every: v.windowPeriod, fn: ${fn}, createEmpty: ${createEmpty})`;
}

/** Changes of incidents of the chosen gateways: a table with a column for each field. */
export const incidentChanges = `${inRange}
  |> filter(fn: (r) => r._measurement == "edgeward_incident" and ${ofGateway} and ${ofSite})
  |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")`;

/** Of each incident its newest change. */
export const incidentsNow = `${incidentChanges}
  |> group(columns: ["id"])
  |> sort(columns: ["_time"])
  |> last(column: "title")
  |> group()`;

/** Of each incident its first change within the range. */
export const incidentsFirst = `${incidentChanges}
  |> group(columns: ["id"])
  |> sort(columns: ["_time"])
  |> first(column: "title")
  |> group()`;

/** What gateways and the collector told. @param condition  Flux on r */
export function events(condition: string): string {
  return `${inRange}
  |> filter(fn: (r) => r._measurement == "edgeward_event" and ${ofGateway} and ${condition})`;
}

/** Values of a tag, for a variable. @param condition  Flux on r */
export function tagValues(tag: string, condition: string): string {
  return `import "influxdata/influxdb/schema"
schema.tagValues(bucket: v.defaultBucket, tag: "${tag}", predicate: (r) => ${condition}, start: v.timeRangeStart)`;
}

export const sites = tagValues('site', rows);
export const gateways = tagValues('gateway', `${rows} and ${ofSite}`);
export const types = tagValues('_measurement', `${rows} and r.gateway == "\${gateway}"`);
export const devices = tagValues('device', 'r._measurement == "${type}" and r.gateway == "${gateway}"');

/** Numbers only: text and yes or no have no mean. */
export const channels = `import "types"
${deviceRows('r._field != "score" and r._field != "quality"')}
  |> last()
  |> filter(fn: (r) => types.isNumeric(v: r._value))
  |> keep(columns: ["_field"])
  |> group()
  |> rename(columns: {_field: "_value"})`;
