import type { Plant, PlantRow } from './plant.js';

/** Enough text a write to make writing cheap, little enough to stop soon. */
const chunkChars = 65_536;

/** One line a row. */
interface RowFormat {
  readonly head: string;
  line(timestamp: string, device: string, row: PlantRow): string;
}

/**
 * The rows of a plant of one device type as text, in pieces of about 64 kB.
 * Numbers are the shortest decimals that read back as the same double.
 * @param ticks  rows of each device
 */
export function* rowText(
  plant: Plant,
  ticks: number,
  format: 'csv' | 'ndjson',
  labels: boolean,
): Generator<string, void, void> {
  const schema = plant.schemas[0];
  if (schema === undefined) return;
  const names = schema.fields.map(({ name }) => name);
  const { head, line } = format === 'csv' ? csv(names, labels) : ndjson(names, labels);
  let text = head;
  for (let i = 0; i < ticks; i++) {
    const tick = plant.step();
    const timestamp = new Date(tick.timeMs).toISOString();
    for (const row of tick.rows) text += line(timestamp, schema.devices[row.device] ?? '', row);
    if (text.length < chunkChars) continue;
    yield text;
    text = '';
  }
  if (text) yield text;
}

/** Names, numbers and booleans only: nothing needs quotes. */
function csv(names: readonly string[], labels: boolean): RowFormat {
  const columns = ['timestamp', 'device', ...names, ...(labels ? ['fault'] : [])];
  return {
    head: `${columns.join(',')}\n`,
    line: (timestamp, device, { values, fault }) =>
      `${timestamp},${device},${values.join(',')}${labels ? `,${fault ?? ''}` : ''}\n`,
  };
}

function ndjson(names: readonly string[], labels: boolean): RowFormat {
  const keys = names.map(name => `,${JSON.stringify(name)}:`);
  return {
    head: '',
    line: (timestamp, device, { values, fault }) => {
      let text = `{"timestamp":"${timestamp}","device":"${device}"`;
      for (let f = 0; f < keys.length; f++) text += `${keys[f]}${values[f]}`;
      if (labels) text += `,"fault":${fault === null ? null : `"${fault}"`}`;
      return `${text}}\n`;
    },
  };
}
