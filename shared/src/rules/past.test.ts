import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { RecordBatch, Schema } from '../contracts.js';
import { Quality } from '../quality.js';
import { type CompiledRule, compileRule, RuleError, RuleHistory } from '../rules.js';
import fc from '../testing/properties.js';
import { naiveWindow, rowsInTime } from '../windows/testing/naive.js';
import { windowFunctions } from '../windows/time-window.js';
import { maxDevices } from './per-device.js';

interface Row {
  readonly device: number;
  readonly timeMs: number;
  readonly a: number;
  readonly b: number;
}

const schema: Schema = {
  type: 'pump',
  fields: [
    { name: 'a', kind: 'float' },
    { name: 'b', kind: 'float' },
  ],
  devices: ['pump-1', 'pump-2', 'pump-3'],
};

function batchOf(rows: readonly Row[]): RecordBatch {
  return {
    schema,
    time: Float64Array.from(rows, ({ timeMs }) => timeMs),
    device: Uint16Array.from(rows, ({ device }) => device),
    row: Float64Array.from(rows, (_, i) => i + 1),
    values: [Float64Array.from(rows, ({ a }) => a), Float64Array.from(rows, ({ b }) => b)],
    quality: new Uint16Array(rows.length),
  };
}

function evaluate(text: string, rows: readonly Row[]): number[] {
  return [...compileRule(text).bind(schema)!.evaluateBatch(batchOf(rows))];
}

/** One device, a value every so many seconds. */
function everySecond(values: readonly number[], seconds = 1, fromMs = 0): Row[] {
  return values.map((a, i) => ({ device: 0, timeMs: fromMs + i * seconds * 1000, a, b: 0 }));
}

describe('windows', () => {
  test('look back over so much time, and are missing until they are full', () => {
    const rows = everySecond([9, 9, 9, 9, 0, 0, 0]);
    assert.deepEqual(evaluate('mean(a, 2s) > 5', rows), [0, 0, 1, 1, 1, 0, 0]);
    assert.deepEqual(evaluate('max(a, 2s) > 5', rows), [0, 0, 1, 1, 1, 1, 0]);
    assert.deepEqual(evaluate('min(a, 2s) > 5', rows), [0, 0, 1, 1, 0, 0, 0]);
    assert.deepEqual(evaluate('change(a, 2s) <= -9', rows), [0, 0, 0, 0, 1, 1, 0]);
    assert.deepEqual(evaluate('rate(a, 2s) == -4.5', rows), [0, 0, 0, 0, 1, 1, 0]);
    assert.deepEqual(evaluate('spread(a, 2s) == 0', rows), [0, 0, 1, 1, 0, 0, 1]);
    assert.deepEqual(evaluate('count(a, 2s) == 3', rows), [0, 0, 1, 1, 1, 1, 1]);
    assert.deepEqual(evaluate('not mean(a, 2s) > 5', rows), [0, 0, 0, 0, 0, 1, 1]);
  });

  test('min and max of two values stay what they were', () => {
    const rows = everySecond([1, 8, 3]);
    assert.deepEqual(evaluate('max(a, 2) > 2', rows), [0, 1, 1]);
    assert.deepEqual(evaluate('max(a, 2s) > 7', rows), [0, 0, 1]);
    assert.deepEqual(evaluate('min(a, b, 2) < 0', rows), [0, 0, 0]);
  });

  test('missing: rows come, but no value', () => {
    const rows = everySecond([1, Number.NaN, Number.NaN, Number.NaN, 1, 1]);
    assert.deepEqual(evaluate('missing(a, 2s)', rows), [0, 0, 0, 1, 0, 0]);
    assert.deepEqual(evaluate('not missing(a, 2s)', rows), [0, 0, 1, 0, 1, 1]);
  });

  test('a silence longer than the window begins it anew; a shorter one does not', () => {
    const before = everySecond([9, 9, 9, 9]);
    const after = (fromMs: number) => [...before, ...everySecond([9, 9, 9], 1, fromMs)];
    assert.deepEqual(evaluate('mean(a, 2s) > 5', after(5000)), [0, 0, 1, 1, 1, 1, 1]);
    assert.deepEqual(evaluate('mean(a, 2s) > 5', after(5001)), [0, 0, 1, 1, 0, 0, 1]);
  });

  test('a late row is not judged by them, and leaves no trace in them', () => {
    const rows = everySecond([1, 1, 1, 1, 1, 1]);
    const late = { device: 0, timeMs: 1500, a: 1000, b: 0 };
    const mixed = [...rows.slice(0, 4), late, ...rows.slice(4)];
    assert.deepEqual(evaluate('max(a, 3s) > 0', mixed), [0, 0, 0, 1, 0, 1, 1]);
    assert.deepEqual(evaluate('max(a, 3s) > 500 or a > 500', mixed), [0, 0, 0, 0, 1, 0, 0]);
  });

  test('rows at one time are all counted', () => {
    const rows = [0, 1000, 1000, 1000, 2000].map(timeMs => ({ device: 0, timeMs, a: 1, b: 0 }));
    assert.deepEqual(evaluate('count(a, 1s) >= 3', rows), [0, 0, 1, 1, 1]);
  });

  test('after the clock was far ahead, the tenth row of the right time begins anew', () => {
    const wrong = { device: 0, timeMs: 1e12, a: 1, b: 0 };
    const rows = [wrong, ...everySecond(new Array<number>(14).fill(1))];
    const expected = [...new Array<number>(10).fill(0), 0, 0, 1, 1, 1];
    assert.deepEqual(evaluate('count(a, 2s) == 3', rows), expected);
  });

  test('values that are none, or cannot be, do not count', () => {
    const rows = everySecond([1, 1, 1, 1]);
    const invalid = Uint8Array.of(0, Quality.outOfRange, 0, Quality.stuck);
    const batch = { ...batchOf(rows), fieldQuality: [invalid, undefined] };
    const bound = compileRule('count(a, 1s) == 1').bind(schema)!;
    assert.deepEqual([...bound.evaluateBatch(batch)], [0, 1, 1, 0]);
    assert.deepEqual(evaluate('max(a, 1s) > 9', everySecond([1, Number.POSITIVE_INFINITY, 1])), [0, 0, 0]);
  });
});

describe('for', () => {
  test('holds once the condition has held for so long, until it does not', () => {
    const rows = everySecond([9, 0, 9, 9, 9, 9, 0, 9]);
    assert.deepEqual(evaluate('a > 5 for 2s', rows), [0, 0, 0, 0, 1, 1, 0, 0]);
    assert.deepEqual(evaluate('a > 5 for 2s or a == 0', rows), [0, 1, 0, 0, 1, 1, 1, 0]);
    assert.deepEqual(evaluate('(a > 5 and b == 0) for 1s', rows), [0, 0, 0, 1, 1, 1, 0, 0]);
    assert.deepEqual(evaluate('(not a > 5) for 1s', everySecond([9, 0, 0, 0])), [0, 0, 1, 1]);
  });

  test('a row without the value neither ends it nor counts; for longer than that, nothing was seen to hold', () => {
    const nan = Number.NaN;
    assert.deepEqual(evaluate('a > 5 for 2s', everySecond([9, nan, 9, 9])), [0, 0, 1, 1]);
    assert.deepEqual(
      evaluate('a > 5 for 2s', everySecond([9, nan, nan, nan, 9, 9, 9])),
      [0, 0, 0, 0, 0, 0, 1],
    );
  });

  test('a silence longer than that begins anew', () => {
    const rows = [...everySecond([9]), ...everySecond([9, 9, 9], 1, 2001)];
    assert.deepEqual(evaluate('a > 5 for 2s', rows), [0, 0, 0, 1]);
    assert.deepEqual(evaluate('a > 5 for 2s', everySecond([9, 9, 9], 10)), [0, 0, 0]);
  });

  test('a late row neither holds nor ends it', () => {
    const rows = [
      ...everySecond([9, 9]),
      { device: 0, timeMs: 500, a: 0, b: 0 },
      ...everySecond([9], 1, 2000),
    ];
    assert.deepEqual(evaluate('a > 5 for 2s', rows), [0, 0, 0, 1]);
  });

  test('after the clock was far ahead, the tenth row of the right time begins anew', () => {
    const wrong = [1e12, 1e12 + 1000, 1e12 + 2000].map(timeMs => ({ device: 0, timeMs, a: 9, b: 0 }));
    const rows = [...wrong, ...everySecond(new Array<number>(13).fill(9))];
    const expected = [0, 0, 1, ...new Array<number>(9).fill(0), 0, 0, 1, 1];
    assert.deepEqual(evaluate('a > 5 for 2s', rows), expected);
  });

  test('of a window', () => {
    const rows = everySecond([9, 9, 9, 9, 9, 0]);
    assert.deepEqual(evaluate('mean(a, 1s) > 8 for 2s', rows), [0, 0, 0, 1, 1, 0]);
  });
});

test('evidence: the value is what the window says, with its name and its limit', () => {
  const evidence = (text: string, rows: readonly Row[]) => {
    const bound = compileRule(text).bind(schema)!;
    const batch = batchOf(rows);
    bound.evaluateBatch(batch);
    return bound
      .evidence(batch, rows.length - 1)
      .map(({ field, of, direction, value, limit, weight }) =>
        [field, of, direction, value, limit, weight].filter(part => part !== undefined).join(' '),
      );
  };
  const rising = everySecond([1, 2, 6]);
  assert.deepEqual(evidence('mean(a, 2s) > 2', rising), ['a mean(a, 2s) high 3 2 1']);
  assert.deepEqual(evidence('a - 1 > mean(a, 2s) + 1', rising), ['a unusual 6 1']);
  assert.deepEqual(evidence('b + 1 < mean(a, 2000ms)', rising), [
    'b low 0 0.5',
    'a mean(a, 2s) high 3 1 0.5',
  ]);
  assert.deepEqual(evidence('b < 1 and change(a, 1s) >= 4', rising), [
    'b low 0 1 0.5',
    'a change(a, 1s) high 4 4 0.5',
  ]);
  assert.deepEqual(evidence('max(a, 1s) > 5 or a > 4', rising), ['a max(a, 1s) high 6 5 1']);
  assert.deepEqual(evidence('a > 1 for 1s', rising), ['a high 6 1 1']);
  assert.deepEqual(evidence('a > 1 for 2s', rising), []);
  const silent = everySecond([1, Number.NaN, Number.NaN]);
  assert.deepEqual(evidence('missing(a, 1s)', silent), ['a count(a, 1s) unusual 0 0 1']);
});

test('a single row has no past: windows are missing there, and nothing has lasted', () => {
  const of = (text: string, a: number) => compileRule(text).test(() => a);
  assert.equal(of('mean(a, 1s) > 2', 9), false);
  assert.equal(of('not mean(a, 1s) > 2', 9), false);
  assert.equal(of('a > 2 for 1s', 9), false);
  assert.equal(of('a > 2 for 1s or a > 8', 9), true);
  assert.deepEqual(compileRule('a > 2 and min(a, b) > 2').past, []);
  assert.equal(compileRule('a > 2 for 1s and mean(a, 1s) > 2').past.length, 2);
});

test('the printed rule is the same rule', () => {
  const cases: readonly (readonly [string, string])[] = [
    ['mean(a, 600s)>4', 'mean(a, 10m) > 4'],
    ['count("a-b", 1.5h) == 0', 'missing("a-b", 90m)'],
    ['not missing(a, 0.5ms)', 'not missing(a, 0.5ms)'],
    ['(a > 1 FOR 24h) or b > 2', 'a > 1 for 1d or b > 2'],
    ['b > 2 or (a > 1 for 7d)', 'b > 2 or (a > 1 for 7d)'],
    ['b > 2 or ((a > 1 for 1m) and b > 3)', 'b > 2 or (a > 1 for 1m) and b > 3'],
    ['(not a > 1) for 90s', '(not a > 1) for 90s'],
    ['((a > 1)) for 1m and b > 2', 'a > 1 for 1m and b > 2'],
    ['for > 1 for 1m', 'for > 1 for 1m'],
    ['abs(min(a, 1m) - mean) > count', 'abs(min(a, 1m) - mean) > count'],
  ];
  for (const [text, printed] of cases) {
    assert.equal(compileRule(text).text, printed);
    assert.equal(compileRule(printed).text, printed);
  }
});

describe('mistakes are named with their place', () => {
  const cases: readonly (readonly [string, number, RegExp])[] = [
    ['mean(a) > 3', 0, /mean needs to know how far back: write for example mean\(x, 10m\)/],
    ['mean(a, 10) > 3', 0, /how far back/],
    ['mean(a, 10 m) > 3', 11, /Expected "\)"/],
    ['mean(10m, a) > 3', 5, /The field comes before the duration/],
    ['mean(a + b, 10m) > 3', 5, /Only of a field is the past known/],
    ['mean(mean(a, 1m), 10m) > 3', 5, /Only of a field/],
    ['min(a, b, 10m) > 3', 10, /one field and one duration/],
    ['min(a, 10m, 10m) > 3', 12, /one field and one duration/],
    ['abs(a, 10m) > 3', 0, /abs takes a value and no duration/],
    ['missing(a, 10m) > 3', 0, /found a comparison/],
    ['maen(a, 10m) > 3', 0, /Did you mean "mean"/],
    ['mean(a, 0s) > 3', 8, /above 0 and at most 7d/],
    ['mean(a, 8d) > 3', 8, /above 0 and at most 7d/],
    ['mean(a, 10min) > 3', 8, /durations are 500ms, 30s, 10m, 2h or 1d/],
    ['mean(a, 10M) > 3', 8, /durations are/],
    ['a > 3 for', 9, /Expected a duration after "for"/],
    ['a > 3 for 5', 10, /Expected a duration after "for"/],
    ['a > 5m', 4, /5m is a duration/],
    ['a for 5m', 0, /Expected a comparison/],
    ['a > 3 and b > 3 for 5m', 16, /with brackets/],
    ['a > 3 for 5m or b > 3 and a > 4 for 5m', 32, /with brackets/],
    ['not a > 3 for 5m', 10, /with brackets/],
    ['not (a > 3 for 5m)', 11, /"not" before "for"/],
    ['(a > 3 for 5m) for 6m', 7, /A "for" within a "for"/],
    ['a > 3 for 5m for 6m', 13, /Expected "and", "or" or the end/],
  ];
  for (const [text, at, problem] of cases) {
    test(text, () => {
      assert.throws(
        () => compileRule(text),
        error => {
          assert.ok(error instanceof RuleError);
          assert.match(error.problem, problem);
          assert.equal(error.at, at);
          return true;
        },
      );
    });
  }
});

// Random rules as text, with a second evaluator that works from all rows of the device: true, false or unknown.
type Truth = boolean | undefined;
interface Sample {
  readonly text: string;
  /** At the last of the rows, which are all of one device. */
  readonly truth: (rows: readonly Row[]) => Truth;
}

const durations = fc.constantFrom(1000, 2000, 5000, 500);
const fields = fc.constantFrom('a' as const, 'b' as const);
// No mean, spread or rate of whole numbers comes so near to these that rounding decides.
const limits = fc.integer({ min: -4, max: 6 }).map(whole => whole + 0.371928);
const comparisons = fc.constantFrom('>' as const, '<' as const);

function compared(value: number, op: '>' | '<', limit: number): Truth {
  if (Number.isNaN(value)) return undefined;
  return op === '>' ? value > limit : value < limit;
}

function joined(isOr: boolean, x: Truth, y: Truth): Truth {
  if (x === isOr || y === isOr) return isOr;
  return x === undefined || y === undefined ? undefined : !isOr;
}

const onRow = fc.tuple(fields, comparisons, limits).map(
  ([field, op, limit]): Sample => ({
    text: `${field} ${op} ${limit}`,
    truth: rows => compared(rows.at(-1)![field], op, limit),
  }),
);
const onWindow = fc.tuple(fc.constantFrom(...windowFunctions), fields, durations, comparisons, limits).map(
  ([what, field, ms, op, limit]): Sample => ({
    text: `${what}(${field}, ${ms}ms) ${op} ${limit}`,
    truth: rows => {
      const values = rows.map(row => ({ timeMs: row.timeMs, value: row[field] }));
      return compared(naiveWindow(what, ms, values), op, limit);
    },
  }),
);
const { plain } = fc.letrec<{ plain: Sample }>(tie => ({
  plain: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    onRow,
    onWindow,
    tie('plain').map(({ text, truth }) => ({
      text: `not (${text})`,
      truth: (rows: readonly Row[]) => {
        const found = truth(rows);
        return found === undefined ? undefined : !found;
      },
    })),
    fc.tuple(tie('plain'), fc.constantFrom('and', 'or'), tie('plain')).map(([x, word, y]) => ({
      text: `(${x.text}) ${word} (${y.text})`,
      truth: (rows: readonly Row[]) => joined(word === 'or', x.truth(rows), y.truth(rows)),
    })),
  ),
}));

const lasting = fc.tuple(plain, durations).map(
  ([{ text, truth }, ms]): Sample => ({
    text: `(${text}) for ${ms}ms`,
    truth: rows => {
      const now = rows.at(-1)!;
      const seen = rowsInTime(
        rows.map((row, i) => ({ ...row, i })),
        ms,
      );
      if (seen.at(-1)?.i !== rows.length - 1 || truth(rows) !== true) return undefined;
      let since = now.timeMs;
      for (const { timeMs, i } of seen.reverse()) {
        const found = truth(rows.slice(0, i + 1));
        if (found === false || since - timeMs > ms) break;
        if (found === true) since = timeMs;
      }
      return now.timeMs - since >= ms;
    },
  }),
);
const sample = fc.oneof(
  plain,
  lasting,
  fc.tuple(lasting, fc.constantFrom('and', 'or'), plain).map(
    ([x, word, y]): Sample => ({
      text: `${x.text} ${word} (${y.text})`,
      truth: rows => joined(word === 'or', x.truth(rows), y.truth(rows)),
    }),
  ),
);
const usable = sample.filter(({ text }) => text.length < 900);

const cell = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: -5, max: 8 }) },
  { weight: 1, arbitrary: fc.constant(Number.NaN) },
);
const step = fc.oneof(
  { weight: 20, arbitrary: fc.integer({ min: 0, max: 700 }) },
  { weight: 2, arbitrary: fc.integer({ min: -900, max: 0 }) },
  { weight: 1, arbitrary: fc.constantFrom(3000, 6000, -20_000) },
);
const streams = fc.array(fc.tuple(fc.nat(2), step, cell, cell), { maxLength: 80 }).map(steps => {
  const clocks = [1_790_000_000_000, 1_790_000_000_500, 0];
  return steps.map(([device, by, a, b]): Row => {
    clocks[device]! += by;
    return { device, timeMs: clocks[device]!, a, b };
  });
});

function expectedOf({ truth }: Sample, rows: readonly Row[]): number[] {
  return rows.map(({ device }, i) => {
    const own = rows.slice(0, i + 1).filter(row => row.device === device);
    return truth(own) === true ? 1 : 0;
  });
}

/** In batches of these sizes, the last as long as need be. */
function inBatches(rule: CompiledRule, rows: readonly Row[], sizes: readonly number[]): number[] {
  const bound = rule.bind(schema)!;
  const found: number[] = [];
  for (const size of [...sizes, rows.length])
    found.push(...bound.evaluateBatch(batchOf(rows.slice(found.length, found.length + size))));
  return found;
}

const sizes = fc.array(fc.nat(30), { maxLength: 10 });

test('random rules over random rows of several devices, in any batches, are what they mean', () => {
  fc.assert(
    fc.property(usable, streams, sizes, (rule, rows, cuts) => {
      const found = inBatches(compileRule(rule.text), rows, cuts);
      assert.deepEqual(found, expectedOf(rule, rows), rule.text);
    }),
    { numRuns: 700 },
  );
});

test('a row is judged the same when those after it are cut off', () => {
  fc.assert(
    fc.property(usable, streams, fc.nat(80), (rule, rows, cut) => {
      const compiled = compileRule(rule.text);
      const all = inBatches(compiled, rows, []);
      assert.deepEqual(inBatches(compiled, rows.slice(0, cut), []), all.slice(0, cut), rule.text);
    }),
    { numRuns: 300 },
  );
});

test('rules that share a history, and go on from what was saved, find the same as each alone', () => {
  fc.assert(
    fc.property(usable, usable, streams, fc.nat(80), (one, other, rows, cut) => {
      const rules = [one, other, one].map(({ text }) => compileRule(text));
      const parts = rules.flatMap(({ past }) => past);
      const first = new RuleHistory(parts);
      const second = new RuleHistory(parts);
      const run = (history: RuleHistory, some: readonly Row[]) => {
        const batch = batchOf(some);
        return rules.map(rule => [...rule.bind(schema, history)!.evaluateBatch(batch)]);
      };
      const before = run(first, rows.slice(0, cut));
      second.load(JSON.parse(JSON.stringify(first.save())));
      const after = run(second, rows.slice(cut));
      rules.forEach((rule, i) => {
        assert.deepEqual([...before[i]!, ...after[i]!], inBatches(rule, rows, []), rule.text);
      });
    }),
    { numRuns: 300 },
  );
});

test('a history does not take what is none', () => {
  const { past } = compileRule('mean(a, 1s) > 2');
  for (const wrong of [null, {}, { windows: { x: { y: {} } }, lasting: {} }])
    assert.throws(() => new RuleHistory(past).load(wrong));
  new RuleHistory(past).load({ windows: {}, lasting: {} });
});

test('of more devices than are remembered, the one not met for longest begins anew', () => {
  const rule = compileRule('count(a, 1s) > 1');
  const history = new RuleHistory(rule.past);
  const evaluateAt = (device: string, timeMs: number) => {
    const batch = {
      ...batchOf([{ device: 0, timeMs, a: 1, b: 0 }]),
      schema: { ...schema, devices: [device] },
    };
    return rule.bind(batch.schema, history)!.evaluateBatch(batch)[0];
  };
  for (let i = 0; i < maxDevices; i++) evaluateAt(`pump-${i}`, 0);
  assert.equal(evaluateAt('pump-0', 1000), 1);
  evaluateAt('one-more', 0);
  assert.equal(evaluateAt('pump-2', 1000), 1);
  assert.equal(evaluateAt('pump-1', 1000), 0);
});
