/** The InfluxDB sink against a real server. */
import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { cursorAfter, Tape } from '@edgeward/collector/testing/deliveries';
import { sinkConformance } from '@edgeward/collector/testing/sink-conformance';
import type { Delivery, Note } from '@edgeward/shared/contracts';
import { countRows, type Influx, newBucket, points } from '../support/influx.js';
import { noService, startInflux } from '../support/services.js';
import { influxSink, open } from './influx-sink.js';
import { WrittenRows } from './written-rows.js';

let influx: Influx;

describe('InfluxDB', { skip: noService('influxdb'), timeout: 240_000 }, () => {
  before(async () => {
    influx = await startInflux();
  });
  after(() => influx?.service[Symbol.asyncDispose]());

  const written = new WrittenRows(() => influx);
  sinkConformance('influxdb', {
    unordered: true,
    create: folder =>
      written.by(influxSink(influx, { bucket: bucketOf(folder), createBucket: { allowed: true } })),
    rowsOf: folder => written.rowsIn(bucketOf(folder)),
  });

  test('a row has its channels, judgement and quality, and not what is missing', async () => {
    const bucket = await newBucket(influx, 'one-row');
    const tape = new Tape({ seed: 1, devices: ['pump-1'] });
    const flag = { detector: 'rule', source: 'hot', score: 0.9, threshold: 0.5, channels: [] } as const;
    const rows = [
      { device: 'pump-1', timeMs: 1767225600000.001, pressure: 0.1 + 0.2 },
      { device: 'pump-1', timeMs: 1767225601000, pressure: Number.NaN, missing: ['flow'], quality: 1, flag },
    ];
    await using sink = influxSink(influx, { bucket });
    await sink.write([{ ...tape.block(rows, { late: true }), site: 'north' }], cursorAfter([]), open);
    const [first, second] = await points(influx, bucket);
    const { _measurement, gateway, site, device, _time } = first!;
    assert.deepEqual([_measurement, gateway, site, device], ['pump', 'gw-1', 'north', 'pump-1']);
    assert.equal(_time, '2026-01-01T00:00:00.000001Z');
    assert.equal(first!.discharge_pressure, 0.30000000000000004);
    assert.deepEqual([first!.anomaly, first!.late, first!.quality], [false, true, 0]);
    assert.deepEqual([second!.discharge_pressure, second!.flow], [null, null]);
    assert.deepEqual([second!.anomaly, second!.score], [true, 0.9]);
    assert.equal(second!.quality, 3, 'missing as told, invalid as found');
  });

  test('notes become points of incidents and events, none over another', async () => {
    const bucket = await newBucket(influx, 'notes');
    const atMs = Date.UTC(2026, 0, 1);
    const incident = {
      id: 'i-1',
      title: 'Pump "1"\nis hot',
      severity: 'critical',
      state: 'open',
      site: 'north',
      peakScore: 0.9,
      channels: [{ field: 'temperature' }, { field: 'flow' }],
    };
    const common = { store: 's-1', gateway: 'gw-1', atMs };
    const notes: Note[] = [
      { ...common, feed: 'incident', number: 7, device: 'pump-1', value: incident },
      { ...common, feed: 'incident', number: 8, device: 'pump-1', value: { ...incident, id: 'i-2' } },
      { ...common, feed: 'event', number: 1, value: { kind: 'gap', text: 'A gap.', details: { ms: 5 } } },
    ];
    await using sink = influxSink(influx, { bucket });
    for (let time = 0; time < 2; time++) await sink.write([], cursorAfter([]), open, notes);
    const [event, ...incidents] = (await points(influx, bucket)).sort((a, b) =>
      String(a._measurement).localeCompare(String(b._measurement)),
    );
    assert.deepEqual([event!.kind, event!.text, event!.details], ['gap', 'A gap.', '{"ms":5}']);
    assert.deepEqual(
      incidents.map(({ id }) => id),
      ['i-1', 'i-2'],
    );
    const { severity, state, site, device, score, channels } = incidents[0]!;
    assert.deepEqual([severity, state, site, device], ['critical', 'open', 'north', 'pump-1']);
    assert.deepEqual([score, channels], [0.9, 'temperature, flow']);
  });

  test('5,000 rows of which one has another type: 4,999 are stored, one is handed back', async () => {
    const bucket = await newBucket(influx, 'conflict');
    const sink = influxSink(influx, { bucket, batchBytes: 8 * 1024 * 1024 });
    await using _ = sink;
    const tape = new Tape({ seed: 2, devices: ['pump-1'] });
    await sink.write([tape.next(1)], cursorAfter([]), open);
    const odd = otherKind(tape.next(1));
    await sink.write([tape.next(2500), odd, tape.next(2499)], cursorAfter([]), open);
    assert.equal(await countRows(influx, bucket), 1 + 4999);
    const [refusal] = sink.refusals;
    assert.equal(sink.refusals.length, 1);
    assert.ok(refusal && 'delivery' in refusal && refusal.delivery === odd && refusal.rows === undefined);
    assert.match(refusal.reason, /field type conflict.*discharge_pressure/);
  });
});

function bucketOf(folder: string): string {
  return path.basename(folder);
}

/** `discharge_pressure` as a text. */
function otherKind(delivery: Delivery): Delivery {
  const { batch } = delivery;
  const [first, ...fields] = batch.schema.fields;
  const schema = { ...batch.schema, fields: [{ ...first!, kind: 'string' as const }, ...fields] };
  const values = [Array.from(batch.time, () => 'much'), ...batch.values.slice(1)];
  return { ...delivery, batch: { ...batch, schema, values } };
}
