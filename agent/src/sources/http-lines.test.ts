import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cellOf } from '@edgeward/shared/batch';
import fc from '@edgeward/shared/testing/properties';
import { httpConfig } from './http-config.js';
import { HttpDevices } from './http-devices.js';
import { HttpIntake } from './http-intake.js';
import type { Precision } from './http-line-values.js';
import { readLines } from './http-lines.js';
import { toBlocks } from './http-rows.js';
import { SeriesReader } from './http-series.js';

const nowMs = 1_700_000_000_000;

/** Rows as `type device@time field=value …`, and what was refused as `line: reason`. */
function read(text: string, precision: Precision = 'ns', options: object = {}) {
  const config = httpConfig.parse(options);
  const devices = new HttpDevices(config, () => true);
  const intake = new HttpIntake(devices, nowMs, config.maxRows);
  readLines(text, precision, new SeriesReader(config, devices), intake);
  const rows = toBlocks([{ rows: intake.rows }]).flatMap(block => {
    const batch = { ...block, row: new Float64Array(block.time.length) };
    return Array.from(block.time, (time, i) => {
      const cells = block.schema.fields.flatMap(({ name }, f) => {
        const value = cellOf(batch, f, i);
        return value === undefined
          ? []
          : [`${name}=${typeof value === 'bigint' ? `${value}i` : JSON.stringify(value)}`];
      });
      return `${block.schema.type} ${block.schema.devices[block.device[i]!]}@${time} ${cells.join(' ')}`;
    });
  });
  return { rows, errors: intake.errors.map(({ line, reason }) => `${line}: ${reason}`), intake };
}

test('a line is a row: its tag names the device, else the measurement does; without a time it is now', () => {
  const { rows, errors } = read(
    'press,device=press-1,line=a force=1.5,cycles=3i,open=t,part="x" 1700000000123456789\npress force=2\n',
  );
  assert.deepEqual(errors, []);
  assert.deepEqual(rows, [
    'press press-1@1700000000123.457 force=1.5 cycles=3i open=true part="x"',
    `press press@${nowMs} force=2`,
  ]);
});

test('a line that begins like the one before it is read for what it is', () => {
  const lines = [
    'a,device=x v=1,w=2 1',
    'a,device=x v=3,w=4 2',
    'a,device=x w=5,v=6 3',
    'a,device=x vw=7 4',
    'a,device=xy v=8 5',
    'a,device=x\\ v=9 6',
    'a,device=x nonsense 7',
    'a,device=x v=bad 8',
    'b v=10 9',
    'a,device=x v=11 10',
  ];
  const { rows, errors, intake } = read(lines.join('\n'), 'ms');
  assert.deepEqual(rows.toSorted(), [
    'a x@1 v=1 w=2',
    'a x@10 v=11',
    'a x@2 v=3 w=4',
    'a x@3 v=6 w=5',
    'a x@4 vw=7',
    'a xy@5 v=8',
    'b b@9 v=10',
  ]);
  assert.deepEqual(
    errors.map(error => error.slice(0, 15)),
    ['6: a tag must b', '7: fields must ', '8: not a value.'],
  );
  assert.equal(intake.errors[2]!.field, 'v');
});

test('a field keeps its measurement when the same one comes with another', () => {
  const lines = 'm,device=x v=1 1\nm,device=x v=2 2\nn,device=x v=3 3\nn,device=x v=no 4';
  const { rows, intake } = read(lines, 'ms', { fieldNames: 'measurement' });
  assert.deepEqual(rows, ['device x@1 m.v=1', 'device x@2 m.v=2', 'device x@3 n.v=3']);
  assert.equal(intake.errors[0]!.field, 'v');
});

test('every kind of value, as the protocol writes them', () => {
  const values: readonly (readonly [string, string])[] = [
    ['-1', '-1'],
    ['+1.50', '1.5'],
    ['1.', '1'],
    ['.5', '0.5'],
    ['1e-3', '0.001'],
    ['-2E+5', '-200000'],
    ['-9223372036854775808i', '-9223372036854775808i'],
    ['9007199254740993i', '9007199254740993i'],
    ['12u', '12i'],
    ['TRUE', 'true'],
    ['F', 'false'],
    ['"a, b = \\"c\\" \\\\ d"', JSON.stringify('a, b = "c" \\ d')],
    ['""', '""'],
    ['"zwei\nZeilen ü"', JSON.stringify('zwei\nZeilen ü')],
  ];
  for (const [written, value] of values)
    assert.deepEqual(read(`m v=${written} 0`).rows, [`m m@0 v=${value}`], written);
});

test('what is no value is refused with its line, field and value; its neighbours are kept', () => {
  const wrong = [
    'x',
    '0x1f',
    '1..2',
    '1e999',
    'NaN',
    'Infinity',
    '1.5i',
    '-1u',
    '9223372036854775808i',
    '""x',
    '"open',
    '',
  ];
  for (const value of wrong) {
    const { rows, intake } = read(`m v=1 1\nm v=${value} 2`);
    assert.deepEqual(rows, ['m m@0 v=1'], value);
    assert.equal(intake.refused, 1, value);
    assert.equal(intake.errors[0]!.line, 2, value);
  }
  const { errors } = read(
    'm v=1 1\nm v=1,\nm\n=1 v=1\nm v =1\nm,t v=1\n, v=1\nm v=1 1 1\nm v=1 now\n# m\n\n  m v=1 1',
  );
  assert.deepEqual(
    errors.map(error => error.split(':')[0]),
    ['2', '3', '4', '5', '6', '7', '8', '9'],
  );
});

test('times in each precision are exact to the microsecond', () => {
  const cases: readonly (readonly [Precision, string, number])[] = [
    ['ns', '1700000000123456789', 1_700_000_000_123.457],
    ['ns', '-1500000', -1.5],
    ['ns', '999', 0.001],
    ['us', '1700000000123456', 1_700_000_000_123.456],
    ['us', '-1', -0.001],
    ['ms', '1700000000123', 1_700_000_000_123],
    ['s', '1700000000', 1_700_000_000_000],
  ];
  for (const [precision, token, timeMs] of cases)
    assert.deepEqual(read(`m v=1 ${token}\r\n`, precision).rows, [`m m@${timeMs} v=1`], token);
  assert.match(read('m v=1 9999999999999', 's').errors[0]!, /^1: not a time in s/);
});

test('escapes in names and tags are undone', () => {
  const { rows, errors } = read('a\\ b,device=d,x=1\\,2\\=3 f\\ g=1,h\\=i=2', 'ns', {});
  assert.deepEqual(rows, []);
  assert.match(errors[0]!, /not a device type/);
  const fine = read('a\\ b,device=d,x=1\\,2\\=3 f=1 0', 'ns', { deviceType: 'thing' });
  assert.deepEqual(fine.rows, ['thing d@0 f=1']);
  assert.match(read('m f\\ g=1').errors[0]!, /not a field name/);
});

test('the configuration says which tags name a device, its type, and whether measurements name fields', () => {
  const lines = 'cpu,host=a,cpu=cpu0 idle=1 0\ncpu,host=a,cpu=cpu1 idle=2 0\nmem,host=a used=3 0';
  assert.deepEqual(read(lines, 'ns', { deviceTags: ['host', 'cpu'] }).rows, [
    'cpu a.cpu0@0 idle=1',
    'cpu a.cpu1@0 idle=2',
    'mem a@0 used=3',
  ]);
  const quantities = 'temperature,device=d value=1 0\npressure,device=d value=2,raw=3 1000000';
  assert.deepEqual(read(quantities, 'ns', { fieldNames: 'measurement', deviceType: 'press' }).rows, [
    'press d@0 temperature=1',
    'press d@1 pressure=2 pressure.raw=3',
  ]);
  assert.match(read(quantities).errors[0]!, /2: device d is of type temperature already.*fieldNames/);
});

test('a field keeps the kind of its first value; whole numbers fit a float, and floats without a fraction an int', () => {
  const { rows, errors, intake } = read(
    'm a=1,b=1i 0\nm a=2i,b=2 1000000\nm a="x",b=1i\nm a=1,b=1.5\nm a=t,b=3i 2000000',
  );
  assert.deepEqual(rows, ['m m@0 a=1 b=1i', 'm m@1 a=2 b=2i', 'm m@2 a=1 b=3i']);
  assert.deepEqual(
    errors.map(error => error.slice(0, 30)),
    ['3: the field has been float. R', '4: the field has been int. Rem'],
  );
  assert.deepEqual(
    [...intake.rejects].map(([{ name }, counts]) => [name, ...counts]),
    [['m', ['kind', 2]]],
  );
});

test('declared fields are as declared; undeclared ones join or are refused', () => {
  const options = {
    deviceTypes: [
      {
        name: 'press',
        fields: [
          { name: 'force', unit: 'kN' },
          { name: 'count', kind: 'int' },
        ],
      },
    ],
    devices: [{ name: 'press-1', type: 'press' }],
  };
  const lines =
    'any,device=press-1 count=3,extra=1 0\npress,device=press-2 force=1 0\npump,device=p flow=1 0';
  assert.deepEqual(read(lines, 'ns', options).rows, [
    'press press-1@0 count=3i extra=1',
    'press press-2@0 force=1',
    'pump p@0 flow=1',
  ]);
  const strict = read(lines, 'ns', { ...options, discover: 'devices' });
  assert.deepEqual(strict.rows, ['press press-2@0 force=1']);
  assert.match(strict.errors.join(), /1: type press has no such field.*3: no such device type/);
  const closed = read(lines.replace(',extra=1', ''), 'ns', { ...options, discover: 'nothing' });
  assert.deepEqual(closed.rows, ['press press-1@0 count=3i']);
  assert.match(closed.errors.join(), /2: no such device. Did you mean "press-1"/);
});

test('devices and fields are bounded, and a refused point leaves nothing behind', () => {
  const many = Array.from({ length: 5 }, (_, i) => `m,device=d${i} v=1 0`).join('\n');
  const { rows, errors } = read(many, 'ns', { maxDevices: 3 });
  assert.equal(rows.length, 3);
  assert.match(errors.join(), /4: there are 3 devices already.*5: /);
  const wide = read('m a=1,b=2,c=3 0\nm d=4,a=x 0\nm a=1,d=4 0\nm a=1,b=2 0', 'ns', { maxFields: 3 });
  assert.deepEqual(wide.rows, ['m m@0 a=1 b=2 c=3', 'm m@0 a=1 b=2']);
  assert.match(wide.errors.join(), /3: device m would have 4 fields/);
  // A bad first line does not take a place.
  assert.equal(read('m,device=a v=x\nm,device=b v=1 0', 'ns', { maxDevices: 1 }).rows.length, 1);
});

test('errors are told up to a number, and counted beyond it', () => {
  const { intake } = read('m v=x\n'.repeat(1000));
  assert.equal(intake.refused, 1000);
  assert.equal(intake.errors.length, 20);
  assert.throws(() => read('m v=1\n'.repeat(10_001)), /more than 10000 points/);
});

test('any text is read to its end, one verdict a point', () => {
  const piece = fc.constantFrom(
    'm',
    ',',
    '=',
    ' ',
    '\n',
    '\r\n',
    '\\',
    '"',
    '#',
    '1',
    't',
    'i',
    '-',
    'v=1',
    'm v=1\n',
    'ü',
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 60 }), pieces => {
      const text = pieces.join('');
      const { rows, intake } = read(text);
      assert.equal(rows.length, intake.rows.count);
      assert.ok(rows.length + intake.refused <= text.split('\n').length);
    }),
    { numRuns: 2000 },
  );
});

test('what a generator writes is what is read', () => {
  const value = fc.oneof(
    fc.double({ noNaN: true, noDefaultInfinity: true }).map(n => [`${n}`, JSON.stringify(n === 0 ? 0 : n)]),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(n => [`${n}i`, `${n}i`]),
    fc.boolean().map(b => [`${b}`, `${b}`]),
    fc.string().map(s => [`"${s.replace(/["\\]/g, '\\$&')}"`, JSON.stringify(s)]),
  );
  fc.assert(
    fc.property(fc.array(value, { minLength: 1, maxLength: 8 }), values => {
      const line = `m ${values.map(([written], f) => `f${f}=${written}`).join()} 0`;
      const expected = `m m@0 ${values
        .map(([, read]) => read)
        .map((read, f) => `f${f}=${read}`)
        .join(' ')}`;
      assert.deepEqual(read(line).rows, [expected]);
    }),
  );
});
