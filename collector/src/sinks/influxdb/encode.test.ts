import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Delivery, Field } from '@edgeward/shared/contracts';
import fc from '@edgeward/shared/testing/properties';
import { Tape } from '../../testing/deliveries.js';
import { Encoder } from './encode.js';
import { type ParsedPoint, parseLines } from './testing/parse-lines.js';

const never = () => assert.fail('nothing is to be refused');

function encoded(deliveries: readonly Delivery[], maxBytes = 1 << 20): ParsedPoint[] {
  const requests = [...new Encoder({ maxBytes }).requests(deliveries, never)];
  return requests.flatMap(({ bytes }) => parseLines(bytes.toString('utf8')));
}

/** One row of one device. */
function row(fields: readonly (Field & { value: unknown })[], more: Partial<Delivery> = {}): Delivery {
  const devices = ['pump-1'];
  const columns = fields.map(({ kind, value }) => {
    if (kind === 'float') return Float64Array.of(value as number);
    if (kind === 'int') return BigInt64Array.of(value as bigint);
    return kind === 'bool' ? Uint8Array.of(value ? 1 : 0) : [value as string];
  });
  return {
    gateway: 'gw-1',
    epoch: 'e',
    seq: 1,
    position: 1,
    ingestedMs: 0,
    late: false,
    batch: {
      schema: { type: 'pump', fields: fields.map(({ name, kind }) => ({ name, kind })), devices },
      time: Float64Array.of(1000),
      device: Uint16Array.of(0),
      row: Float64Array.of(1),
      values: columns,
      quality: Uint16Array.of(0),
    },
    ...more,
  };
}

test('a line, to the letter', () => {
  const tape = new Tape({ seed: 1, devices: ['pump-1'] });
  const flag = { detector: 'rule', source: 'hot', score: 0.9, threshold: 0.5, channels: [] } as const;
  const specs = [{ device: 'pump-1', pressure: 4.25, missing: ['flow', 'mode'], quality: 1, flag }];
  const delivery = tape.block(specs, { late: true });
  (delivery.batch.values[2] as BigInt64Array)[0] = -7n;
  const [request] = [...new Encoder({ maxBytes: 1000 }).requests([{ ...delivery, site: 'north' }], never)];
  assert.equal(
    request?.bytes.toString(),
    'pump,device=pump-1,gateway=gw-1,site=north ' +
      'discharge_pressure=4.25,starts=-7i,running=f,score=0.9,anomaly=t,late=t,quality=1i 1767225600000000\n',
  );
});

const edges = [0, -0, 5e-324, -5e-324, 1.7976931348623157e308, 2 ** 53, 1e15, 999999999999999.9, 0.1 + 0.2];

test('every float comes back to the bit (seeded)', () => {
  const float = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }),
    fc.constantFrom(...edges),
    fc.tuple(fc.integer(), fc.nat(8)).map(([n, places]) => n / 10 ** places),
  );
  const column = fc.array(float, { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(column, values => {
      const n = values.length;
      const { batch, ...delivery } = row([{ name: 'x', kind: 'float', value: 0 }]);
      const same = { device: new Uint16Array(n), row: new Float64Array(n), quality: new Uint16Array(n) };
      const more = { time: Float64Array.from(values, (_, i) => i), values: [Float64Array.from(values)] };
      const found = encoded([{ ...delivery, batch: { ...batch, ...same, ...more } }]);
      assert.deepEqual(
        found.map(({ fields }) => fields.get('x')),
        values,
      );
    }),
    { numRuns: 2000 },
  );
});

test('every integer comes back (seeded)', () => {
  const safe = 2n ** 53n;
  const [least, most] = [-(2n ** 63n), 2n ** 63n - 1n];
  const value = fc.oneof(
    fc.bigInt({ min: least, max: most }),
    fc.constantFrom(least, most, 0n, -1n, safe, -safe, safe - 1n, 1n - safe, 2n ** 32n, -(2n ** 32n)),
  );
  fc.assert(
    fc.property(value, int => {
      const [point] = encoded([row([{ name: 'n', kind: 'int', value: int }])]);
      assert.equal(point?.fields.get('n'), int);
    }),
    { numRuns: 1000 },
  );
});

/** Whatever a publisher may call things, with a preference for what line protocol minds. */
const hostile = fc.string({
  unit: fc.oneof(
    fc.constantFrom(...' ,="\\#%\n\r\t\0_:25A', '\u{1f321}', '\ud800', '\udc00', 'é', '\u0085'),
    fc.string({ minLength: 1, maxLength: 1 }),
  ),
  minLength: 1,
  maxLength: 12,
});

test('every text comes back (seeded)', () => {
  fc.assert(
    fc.property(hostile, text => {
      const [point] = encoded([row([{ name: 's', kind: 'string', value: text }])]);
      assert.equal(point?.fields.get('s'), Buffer.from(text).toString('utf8'));
    }),
    { numRuns: 1000 },
  );
});

test('different names stay different, and break no line (seeded)', () => {
  const names = fc.record({
    gateway: hostile,
    site: hostile,
    device: hostile,
    type: hostile,
    field: hostile,
  });
  const lineOf = (name: { gateway: string; site: string; device: string; type: string; field: string }) => {
    const { gateway, site, device, type, field } = name;
    const delivery = row([{ name: field, kind: 'float', value: 1.5 }], { gateway, site });
    const schema = { ...delivery.batch.schema, type, devices: [device] };
    const points = encoded([{ ...delivery, batch: { ...delivery.batch, schema } }]);
    assert.equal(points.length, 1);
    const { measurement, tags, fields } = points[0]!;
    assert.deepEqual([...tags.keys()], ['device', 'gateway', 'site']);
    const own = [...fields.keys()].filter(key => key !== 'anomaly' && key !== 'quality');
    assert.equal(own.length, 1);
    assert.equal(fields.get(own[0]!), 1.5);
    return [measurement, ...tags.values(), own[0]].map(part => JSON.stringify(part));
  };
  fc.assert(
    fc.property(names, names, (a, b) => {
      const [first, second] = [lineOf(a), lineOf(b)];
      for (const [i, key] of (['type', 'device', 'gateway', 'site', 'field'] as const).entries())
        assert.equal(first[i] === second[i], a[key] === b[key], `${key}: ${first[i]} and ${second[i]}`);
    }),
    { numRuns: 2000 },
  );
});

test('a channel may have any name', () => {
  const names = ['score', 'time', '_field', 'device', 'channel:score', 'humidity %', 'temp'];
  const [point] = encoded([row(names.map((name, value) => ({ name, kind: 'float', value })))]);
  assert.deepEqual([...point!.fields].slice(0, names.length), [
    ['channel:score', 0],
    ['channel:time', 1],
    ['channel:_field', 2],
    ['channel:device', 3],
    ['channel:channel:score', 4],
    ['humidity %', 5],
    ['temp', 6],
  ]);
});

test('what InfluxDB has no word for is left out, and the quality tells', () => {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  const [point] = encoded([row(values.map((value, i) => ({ name: `x${i}`, kind: 'float', value })))]);
  assert.deepEqual(Object.fromEntries(point!.fields), { anomaly: false, quality: 2n });
});

test('a tag without a value is left out', () => {
  const [point] = encoded([row([{ name: 'x', kind: 'float', value: 1 }], { gateway: '', site: '' })]);
  assert.deepEqual([...point!.tags], [['device', 'pump-1']]);
});

test('requests are closed by size, and each line knows its row', () => {
  const tape = new Tape({ seed: 3 });
  const deliveries = [tape.next(40), tape.next(1), tape.next(30)];
  const requests = [...new Encoder({ maxBytes: 2000 }).requests(deliveries, never)];
  assert.ok(requests.length > 3);
  const origins = requests.flatMap(request =>
    Array.from({ length: request.size }, (_, i) => request.origin(i)),
  );
  const expected = deliveries.flatMap(delivery =>
    Array.from(delivery.batch.time, (_, row) => ({ delivery, row })),
  );
  assert.deepEqual(origins, expected);
  for (const { bytes } of requests) assert.ok(bytes.length < 2000 + 300);
});
