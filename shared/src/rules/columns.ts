import type { RecordBatch } from '../contracts.js';
import type { Arithmetic, Comparison, PlainCondition, PlainFor, Term, WindowTerm } from './expression.js';
import type { RuleHistory } from './history.js';
import { column, constant, Room, type Terms, usableColumn } from './inputs.js';

type Bits = (batch: RecordBatch, n: number) => Uint8Array;
type Loop<Out> = (a: Float64Array, b: Float64Array, out: Out, n: number) => void;

export interface Inputs {
  /** Index of a field's column within the batch. */
  readonly indexes: ReadonlyMap<string, number>;
  readonly history: RuleHistory;
}

/**
 * Evaluates a whole batch, one loop per operator. Fields without an index are missing in every row. Each part is
 * evaluated at every row, whatever the others say: so windows see all rows.
 */
export function compileColumns(
  condition: PlainCondition,
  inputs: Inputs,
): (batch: RecordBatch) => Uint8Array {
  const bits = compileCondition(condition, inputs);
  return batch => {
    const n = batch.time.length;
    return bits(batch, n).slice(0, n);
  };
}

function compileCondition(condition: PlainCondition, inputs: Inputs): Bits {
  if (condition.kind === 'for') return compileFor(condition, inputs);
  const room = new Room(n => new Uint8Array(n));
  if (condition.kind === 'compare') {
    const left = compileTerm(condition.left, inputs);
    const right = compileTerm(condition.right, inputs);
    const loop = comparisonLoops[condition.op];
    return (batch, n) => {
      const out = room.of(n);
      loop(left(batch, n), right(batch, n), out, n);
      return out;
    };
  }
  const items = condition.items.map(item => compileCondition(item, inputs));
  const loop = condition.kind === 'and' ? andLoop : orLoop;
  return (batch, n) => {
    const out = room.of(n).fill(condition.kind === 'and' ? 1 : 0, 0, n);
    for (const item of items) loop(item(batch, n), out, n);
    return out;
  };
}

function compileFor(condition: PlainFor, inputs: Inputs): Bits {
  const holds = compileCondition(condition.item, inputs);
  const breaks = compileCondition(condition.opposite, inputs);
  const lasting = inputs.history.lasting(condition);
  return batch => lasting.bits(batch, holds, breaks);
}

function compileWindow(term: WindowTerm, { indexes, history }: Inputs): Terms {
  const values = usableColumn(indexes.get(term.field));
  const window = history.window(term);
  return batch => window.column(term.what, batch, values);
}

function compileTerm(term: Term, inputs: Inputs): Terms {
  switch (term.kind) {
    case 'number':
      return constant(term.value);
    case 'field':
      return column(inputs.indexes.get(term.name));
    case 'window':
      return compileWindow(term, inputs);
    case 'minus':
      return operation(arithmeticLoops['*'], [constant(-1), compileTerm(term.term, inputs)]);
    case 'arithmetic':
      return operation(arithmeticLoops[term.op], [
        compileTerm(term.left, inputs),
        compileTerm(term.right, inputs),
      ]);
    case 'call': {
      const args = term.args.map(arg => compileTerm(arg, inputs));
      // The loop of abs looks at one side only.
      return operation(callLoops[term.name], args.length === 1 ? [...args, ...args] : args);
    }
  }
}

/** Folds any number of terms with one loop per pair. */
function operation(loop: Loop<Float64Array>, terms: readonly Terms[]): Terms {
  const [first, ...rest] = terms;
  if (first === undefined) throw new TypeError('an operation needs terms');
  const room = new Room(n => new Float64Array(n));
  return (batch, n) => {
    const out = room.of(n);
    let left = first(batch, n);
    for (const term of rest) {
      loop(left, term(batch, n), out, n);
      left = out;
    }
    return left;
  };
}

// Written out, so that each loop stays a tight one over typed arrays.
const comparisonLoops: Readonly<Record<Comparison, Loop<Uint8Array>>> = {
  '>': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! > b[i]! ? 1 : 0;
  },
  '>=': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! >= b[i]! ? 1 : 0;
  },
  '<': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! < b[i]! ? 1 : 0;
  },
  '<=': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! <= b[i]! ? 1 : 0;
  },
  '==': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i] === b[i] ? 1 : 0;
  },
  '!=': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! < b[i]! || a[i]! > b[i]! ? 1 : 0;
  },
};

const arithmeticLoops: Readonly<Record<Arithmetic, Loop<Float64Array>>> = {
  '+': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! + b[i]!;
  },
  '-': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! - b[i]!;
  },
  '*': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! * b[i]!;
  },
  '/': (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = a[i]! / b[i]!;
  },
};

const callLoops: Readonly<Record<'abs' | 'min' | 'max', Loop<Float64Array>>> = {
  abs: (a, _, out, n) => {
    for (let i = 0; i < n; i++) out[i] = Math.abs(a[i]!);
  },
  min: (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = Math.min(a[i]!, b[i]!);
  },
  max: (a, b, out, n) => {
    for (let i = 0; i < n; i++) out[i] = Math.max(a[i]!, b[i]!);
  },
};

function andLoop(item: Uint8Array, out: Uint8Array, n: number): void {
  for (let i = 0; i < n; i++) out[i]! &= item[i]!;
}

function orLoop(item: Uint8Array, out: Uint8Array, n: number): void {
  for (let i = 0; i < n; i++) out[i]! |= item[i]!;
}
