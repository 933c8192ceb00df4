import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { BatchBuilder, RowNumbers, type Value } from '../batch.js';
import { systemClock } from '../clock.js';
import type { FieldKind, RecordBatch, Schema } from '../contracts.js';
import { compileRule, RuleError } from '../rules.js';
import fc from '../testing/properties.js';

function schemaOf(fields: Readonly<Record<string, FieldKind>>): Schema {
  const list = Object.entries(fields).map(([name, kind]) => ({ name, kind }));
  return { type: 'pump', fields: list, devices: ['pump-1'] };
}

function batchOf(schema: Schema, rows: readonly (readonly Value[])[]): RecordBatch {
  const context = { clock: systemClock, rows: new RowNumbers() };
  const builder = new BatchBuilder(schema, { maxRows: 1e6, maxAgeMs: 1e9 }, context);
  rows.forEach((row, i) => {
    builder.push(0, i, row);
  });
  return builder.take();
}

const plant = schemaOf({
  temperature: 'float',
  pressure: 'float',
  running: 'bool',
  count: 'int',
  name: 'string',
});
const seed = 'temperature > 40 or pressure > 120';

function evaluate(text: string, rows: readonly (readonly Value[])[], schema = plant): number[] {
  const bound = compileRule(text).bind(schema);
  assert.ok(bound, `does not apply: ${text}`);
  return [...bound.evaluateBatch(batchOf(schema, rows))];
}

describe('evaluation over columns', () => {
  test('the seed rule', () => {
    const rows = [
      [41, 1],
      [40, 120],
      [40, 120.5],
      [Number.NaN, 1],
      [null, 121],
      [undefined, null],
    ];
    assert.deepEqual(evaluate(seed, rows), [1, 0, 1, 0, 1, 0]);
  });

  test('a missing value makes nothing true, not even "not" and "!="', () => {
    const missing = [[null, 5]];
    for (const text of [
      'temperature != 3',
      'not temperature > 40',
      'not (temperature > 1 or pressure > 9)',
    ]) {
      assert.deepEqual(evaluate(text, missing), [0], text);
    }
    assert.deepEqual(evaluate('not (temperature > 1 and pressure > 9)', missing), [1]);
    assert.deepEqual(evaluate('max(temperature, pressure) > 1', missing), [0]);
  });

  test('whole numbers and booleans count as numbers', () => {
    const rows = [
      [0, 0, true, 7],
      [0, 0, false, 7],
      [0, 0, null, 7],
      [0, 0, true, null],
    ];
    assert.deepEqual(evaluate('running == 1 and count >= 7', rows), [1, 0, 0, 0]);
  });

  test('arithmetic binds as usual', () => {
    const row = [[10, 4]];
    assert.deepEqual(evaluate('temperature - pressure - 1 == 5', row), [1]);
    assert.deepEqual(evaluate('temperature + pressure * 2 == 18', row), [1]);
    assert.deepEqual(evaluate('-temperature / (pressure - 2) == -5', row), [1]);
    assert.deepEqual(evaluate('abs(pressure - temperature) == min(6, 7, temperature)', row), [1]);
  });

  test('a batch of another length does not see the rows before it', () => {
    const bound = compileRule('temperature + 0 > 40').bind(plant);
    assert.deepEqual([...bound!.evaluateBatch(batchOf(plant, [[50], [50], [50]]))], [1, 1, 1]);
    assert.deepEqual([...bound!.evaluateBatch(batchOf(plant, [[null], [50]]))], [0, 1]);
    assert.deepEqual([...bound!.evaluateBatch(batchOf(plant, []))], []);
  });

  test('results of earlier batches stay as they were', () => {
    const bound = compileRule(seed).bind(plant);
    const first = bound!.evaluateBatch(batchOf(plant, [[50, 0]]));
    bound!.evaluateBatch(batchOf(plant, [[0, 0]]));
    assert.deepEqual([...first], [1]);
  });
});

describe('evidence', () => {
  const evidence = (text: string, row: readonly Value[]) =>
    compileRule(text)
      .bind(plant)
      ?.evidence(batchOf(plant, [row]), 0)
      .map(({ field, direction, value, weight }) => `${field} ${direction} ${value} ${weight}`);

  test('names the fields whose comparisons held, and which way they went', () => {
    assert.deepEqual(evidence(seed, [41, 121]), ['temperature high 41 0.5', 'pressure high 121 0.5']);
    assert.deepEqual(evidence(seed, [41, 1]), ['temperature high 41 1']);
    assert.deepEqual(evidence(seed, [1, 1]), []);
    assert.deepEqual(evidence('40 < temperature and pressure < 2', [41, 1]), [
      'temperature high 41 0.5',
      'pressure low 1 0.5',
    ]);
    assert.deepEqual(evidence('temperature - pressure > 3', [9, 1]), [
      'temperature high 9 0.5',
      'pressure low 1 0.5',
    ]);
    assert.deepEqual(evidence('temperature * -2 > 3', [-9, 1]), ['temperature low -9 1']);
    assert.deepEqual(evidence('not temperature > 3', [2, 1]), ['temperature low 2 1']);
    assert.deepEqual(evidence('abs(temperature) > 3', [-9, 1]), ['temperature unusual -9 1']);
  });

  test('a part of "and" that held does not count if the whole did not', () => {
    assert.deepEqual(evidence('(temperature > 1 and pressure > 9) or pressure > 0', [5, 5]), [
      'pressure high 5 1',
    ]);
  });
});

test('a rule applies to device types that have one of its fields as a number; the others are missing', () => {
  const room = schemaOf({ temperature: 'float', pressure: 'string' });
  for (const schema of [schemaOf({ temperature: 'float' }), room]) {
    const rows = [[41], [40], [null]];
    assert.deepEqual(evaluate(seed, rows, schema), [1, 0, 0]);
    assert.deepEqual(evaluate('temperature > 40 and pressure > 120', rows, schema), [0, 0, 0]);
    assert.deepEqual(evaluate('temperature > 40 and not pressure > 120', rows, schema), [0, 0, 0]);
    assert.deepEqual(evaluate('max(temperature, pressure) > 1', rows, schema), [0, 0, 0]);
  }
  const held = compileRule(seed)
    .bind(room)!
    .evidence(batchOf(room, [[41, '121']]), 0);
  assert.deepEqual(
    held.map(({ field }) => field),
    ['temperature'],
  );
  assert.equal(compileRule(seed).bind(schemaOf({ humidity: 'float' })), undefined);
  assert.equal(compileRule('name > 3').bind(plant), undefined);
  assert.ok(compileRule('temperature > 3').bind(plant));
  assert.ok(compileRule('"oil-temp" > 3').bind(schemaOf({ 'oil-temp': 'float' })));
});

test('plain values can be tested without a schema', () => {
  const values: Readonly<Record<string, number>> = { temperature: 50 };
  const rule = compileRule(seed);
  assert.equal(
    rule.test(name => values[name] ?? Number.NaN),
    true,
  );
  assert.equal(
    rule.test(() => Number.NaN),
    false,
  );
  assert.deepEqual(rule.fields, ['temperature', 'pressure']);
});

describe('mistakes are named with their place', () => {
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ['temperature >', 13, /found the end/],
    ['temperature > or pressure > 120', 14, /Expected a number, a field/],
    ['temperature > 40 pressure', 17, /Expected "and", "or" or the end/],
    ['(temperature > 40', 17, /Expected "\)"/],
    ['temperature && 1', 12, /write "and"/],
    ['a > 1 || b > 2', 6, /write "or"/],
    ['temperature = 4', 12, /write "=="/],
    ['!a > 3', 0, /write "not"/],
    ['1 < a < 3', 6, /One comparison at a time/],
    ['a', 0, /Expected a comparison/],
    ['a > 3 or b', 9, /Expected a comparison/],
    ['(a > 3) + 1 > 2', 0, /Expected a number, found a comparison/],
    ['ab(a) > 3', 0, /Did you mean "abs"/],
    ['abs(a, b) > 3', 0, /abs takes 1/],
    ['max(a) > 3', 0, /at least 2/],
    ['a > 1e999', 4, /too large/],
    ['a > 40ms', 4, /40ms is a duration: it stands after "for"/],
    ['a > 40mm', 4, /a blank after a number; durations are/],
    ['3 > 2', 0, /names no field/],
    ['', 0, /found the end/],
    ['a > "x y"', 4, /double quotes/],
    ['a > 3; process.exit()', 5, /no meaning/],
    [`a > ${'('.repeat(40)}`, 37, /deeper than 32/],
    [`a > ${'-'.repeat(40)}1`, 37, /deeper than 32/],
    [`a > ${'1'.repeat(1000)}`, 1000, /Longer than 1000/],
  ];
  for (const [text, at, problem] of cases) {
    test(text.slice(0, 40) || '(empty)', () => {
      assert.throws(
        () => compileRule(text),
        error => {
          assert.ok(error instanceof RuleError);
          assert.equal(error.code, 'EW_RULE_SYNTAX');
          assert.match(error.problem, problem);
          assert.equal(error.at, at);
          return true;
        },
      );
    });
  }

  test('the message points at it', () => {
    assert.throws(() => compileRule('temperature > or pressure > 120'), {
      message: /\(column 15\)\n {2}temperature > or pressure > 120\n {16}\^$/,
    });
  });

  test('a field that is not known', () => {
    assert.throws(() => compileRule('temprature > 3', ['temperature', 'pressure']), {
      code: 'EW_RULE_FIELD',
      problem: 'No field "temprature". Did you mean "temperature"? Known: temperature, pressure.',
    });
  });
});

// Random rules as text, with a second evaluator written from the meaning: true, false or unknown (Kleene).
type Truth = boolean | undefined;
interface Sample {
  readonly text: string;
  readonly truth: (row: readonly number[]) => Truth;
}
interface NumberSample {
  readonly text: string;
  readonly value: (row: readonly number[]) => number;
}

const names = ['a', 'b', 'oil-temp'];
const shown = ['a', 'b', '"oil-temp"'];

const { condition } = fc.letrec<{ term: NumberSample; condition: Sample }>(tie => ({
  term: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.integer({ min: 0, max: 9 }).map(value => ({ text: String(value), value: () => value })),
    fc.nat(2).map(i => ({ text: shown[i]!, value: (row: readonly number[]) => row[i]! })),
    fc.tuple(fc.constantFrom('+', '-', '*', '/'), tie('term'), tie('term')).map(([op, left, right]) => ({
      text: `(${left.text} ${op} ${right.text})`,
      value: (row: readonly number[]) => arithmetic(op, left.value(row), right.value(row)),
    })),
    tie('term').map(term => ({
      text: `abs(-${term.text})`,
      value: (row: readonly number[]) => Math.abs(-term.value(row)),
    })),
  ),
  condition: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc
      .tuple(fc.constantFrom('>', '>=', '<', '<=', '==', '!='), tie('term'), tie('term'))
      .map(([op, left, right]) => ({
        text: `${left.text} ${op} ${right.text}`,
        truth: (row: readonly number[]) => comparison(op, left.value(row), right.value(row)),
      })),
    tie('condition').map(item => ({
      text: `NOT (${item.text})`,
      truth: (row: readonly number[]) => {
        const truth = item.truth(row);
        return truth === undefined ? undefined : !truth;
      },
    })),
    fc.tuple(fc.boolean(), tie('condition'), tie('condition')).map(([isOr, left, right]) => ({
      text: `(${left.text}) ${isOr ? 'or' : 'And'} (${right.text})`,
      truth: (row: readonly number[]) => joined(isOr, left.truth(row), right.truth(row)),
    })),
  ),
}));

function arithmetic(op: string, a: number, b: number): number {
  return op === '+' ? a + b : op === '-' ? a - b : op === '*' ? a * b : a / b;
}

function comparison(op: string, a: number, b: number): Truth {
  if (Number.isNaN(a) || Number.isNaN(b)) return undefined;
  if (op === '==') return a === b;
  if (op === '!=') return a !== b;
  return (op.startsWith('>') && a > b) || (op.startsWith('<') && a < b) || (op.endsWith('=') && a === b);
}

function joined(isOr: boolean, a: Truth, b: Truth): Truth {
  if (a === isOr || b === isOr) return isOr;
  return a === undefined || b === undefined ? undefined : !isOr;
}

const cell = fc.oneof(fc.integer({ min: -3, max: 12 }), fc.constant(Number.NaN));
const rows = fc.array(fc.tuple(cell, cell, cell), { maxLength: 20 });
const usable = condition.filter(
  ({ text }) => text.length < 800 && shown.some(name => new RegExp(`(?<![a-z])${name}(?![a-z])`).test(text)),
);

test('columns, single values and the meaning agree on random rules', () => {
  const schema = schemaOf({ a: 'float', b: 'float', 'oil-temp': 'float' });
  fc.assert(
    fc.property(usable, rows, ({ text, truth }, table) => {
      const rule = compileRule(text);
      const expected = table.map(row => (truth(row) === true ? 1 : 0));
      assert.deepEqual([...rule.bind(schema)!.evaluateBatch(batchOf(schema, table))], expected);
      const single = table.map(row => (rule.test(name => row[names.indexOf(name)]!) ? 1 : 0));
      assert.deepEqual(single, expected);
      table.forEach((row, i) => {
        const evidence = rule.evidence(name => row[names.indexOf(name)]!);
        if (expected[i] === 0) assert.deepEqual(evidence, []);
      });
    }),
    { numRuns: 800 },
  );
});

test('a field that the device type lacks or has as text is as one that is missing in every row', () => {
  const lacking = {
    'no b': schemaOf({ a: 'float', 'oil-temp': 'float' }),
    text: schemaOf({ b: 'string', a: 'float', 'oil-temp': 'float' }),
  };
  fc.assert(
    fc.property(usable, rows, ({ text }, table) => {
      const rule = compileRule(text);
      const expected = table.map(([a, , c]) =>
        rule.test(name => (name === 'b' ? Number.NaN : name === 'a' ? a : c)) ? 1 : 0,
      );
      for (const [what, schema] of Object.entries(lacking)) {
        const cells = table.map(([a, b, c]) => (what === 'text' ? [String(b), a, c] : [a, c]));
        const bound = rule.bind(schema);
        if (rule.fields.every(name => name === 'b')) assert.equal(bound, undefined);
        else assert.deepEqual([...bound!.evaluateBatch(batchOf(schema, cells))], expected, what);
      }
    }),
    { numRuns: 400 },
  );
});

test('the printed rule is the same rule', () => {
  fc.assert(
    fc.property(usable, rows, ({ text }, table) => {
      const rule = compileRule(text);
      const again = compileRule(rule.text);
      assert.equal(again.text, rule.text);
      const values = (row: readonly number[]) => (name: string) => row[names.indexOf(name)]!;
      for (const row of table) assert.equal(again.test(values(row)), rule.test(values(row)), rule.text);
    }),
    { numRuns: 800 },
  );
});

test('the printed rule has no bracket that is not needed, so it is never too deep to parse', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['((a)) - ((b - c)) > (((2 * d)))', 'a - (b - c) > 2 * d'],
    ['(a > 1 AND b > 2) or not (c > 3)', 'a > 1 and b > 2 or not c > 3'],
    ['(a > 1 or b > 2) and -(-a) * 2 < (4)', '(a > 1 or b > 2) and --a * 2 < 4'],
    ['"and" > "a-b" + "c"', '"and" > "a-b" + c'],
    [`${'not '.repeat(15)}a > ${'-'.repeat(15)}1`, `${'not '.repeat(15)}a > ${'-'.repeat(15)}1`],
  ];
  for (const [text, printed] of cases) assert.equal(compileRule(text).text, printed);
});

test('any text is parsed or refused with a place inside it', () => {
  const piece = fc.constantFrom(
    'a',
    ' ',
    '>',
    '<',
    '=',
    '(',
    ')',
    '-',
    '1',
    'or',
    ' and ',
    'not ',
    'abs',
    ',',
    '"b-c"',
    '.',
    '\n',
    ' for ',
    '5m',
    'mean',
    'missing(a, 5m)',
  );
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string(),
        fc.array(piece).map(pieces => pieces.join('')),
      ),
      text => {
        try {
          compileRule(text);
        } catch (error) {
          assert.ok(error instanceof RuleError, String(error));
          assert.ok(error.at >= 0 && error.at <= text.length);
        }
      },
    ),
    { numRuns: 2000 },
  );
});
