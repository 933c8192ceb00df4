/** The InfluxDB sink against a real server. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cursorAfter, Tape } from '@edgeward/collector/testing/deliveries';
import type { Note, RecordBatch } from '@edgeward/shared/contracts';
import { flux, type Influx, newBucket, points } from '../support/influx.js';
import { noService, startInflux } from '../support/services.js';
import { influxSink, open } from './influx-sink.js';

let influx: Influx;

describe('InfluxDB', { skip: noService('influxdb'), timeout: 240_000 }, () => {
  before(async () => {
    influx = await startInflux();
  });
  after(() => influx?.service[Symbol.asyncDispose]());

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

  test('numbers, texts and names of every kind come back as they were', async () => {
    const bucket = await newBucket(influx, 'extremes');
    const floats = [
      1.7976931348623157e308,
      5e-324,
      -2.2250738585072014e-308,
      0.1 + 0.2,
      1e21,
      -0,
      123456.789,
    ];
    const ints = [-(2n ** 63n), 2n ** 63n - 1n, 2n ** 53n + 1n, -1n, 0n, 7n, -(2n ** 32n)];
    const texts = ['', '"', '\\', 'a\\"b', 'é \u{1f321} 温度', 'x=1,y=2 z', "it's", '\ttab'];
    const names = [
      'a b',
      'c,d',
      'e=f',
      'g"h',
      'i\\',
      'j\nk',
      '%41',
      '温度',
      "l'm",
      '#n',
      'score',
      '_p',
      'time',
    ];
    const fields = [
      { name: 'float', kind: 'float' as const },
      { name: 'int', kind: 'int' as const },
      { name: 'text', kind: 'string' as const },
      ...names.map(name => ({ name, kind: 'float' as const })),
    ];
    const n = floats.length;
    const batch: RecordBatch = {
      schema: { type: 'odd', fields, devices: ['d-1'] },
      time: Float64Array.from(floats, (_, i) => Date.UTC(2026, 0, 1) + i),
      device: new Uint16Array(n),
      row: Float64Array.from(floats, (_, i) => i + 1),
      values: [
        Float64Array.from(floats),
        BigInt64Array.from(ints),
        texts.slice(0, n),
        ...names.map((_, f) => new Float64Array(n).fill(f)),
      ],
      quality: new Uint16Array(n),
    };
    await using sink = influxSink(influx, { bucket });
    const delivery = { gateway: 'gw-1', epoch: 'e', seq: 1, position: 1, ingestedMs: 0, late: false, batch };
    await sink.write([delivery], cursorAfter([]), open);
    assert.deepEqual(sink.refusals, []);
    // As texts: the library makes doubles of 64-bit integers.
    const read = async (field: string) => {
      const from = `from(bucket: "${bucket}") |> range(start: 2026-01-01T00:00:00Z, stop: 2026-01-02T00:00:00Z)`;
      const rows = await flux(influx, `${from} |> filter(fn: (r) => r._field == "${field}") |> toString()`);
      return rows.map(({ _value }) => String(_value));
    };
    assert.deepEqual((await read('float')).map(Number), floats);
    assert.deepEqual((await read('int')).map(BigInt), ints);
    assert.deepEqual(await read('text'), texts.slice(0, n));
    const written = ['a b', 'c,d', 'e=f', 'g\\"h', 'i%5C', 'j%0Ak', '%2541', '温度', "l'm", '#n'];
    for (const [f, name] of [...written, 'channel:score', 'channel:_p', 'channel:time'].entries())
      assert.deepEqual(new Set(await read(name)), new Set([String(f)]), name);
  });
});
