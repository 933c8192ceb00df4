import { hasBit } from '../batch.js';
import type { RecordBatch } from '../contracts.js';
import type { Arithmetic, Comparison, PlainCondition, Term } from './expression.js';

/** One pass over n rows; the result is valid until the next call, and may be longer than n. */
type Terms = (batch: RecordBatch, n: number) => Float64Array;
type Bits = (batch: RecordBatch, n: number) => Uint8Array;
type Loop<Out> = (a: Float64Array, b: Float64Array, out: Out, n: number) => void;

/** Index of a field's column within the batch. */
type Indexes = ReadonlyMap<string, number>;

/** Evaluates a whole batch, one loop per operator. Fields without an index are missing in every row. */
export function compileColumns(
  condition: PlainCondition,
  indexes: Indexes,
): (batch: RecordBatch) => Uint8Array {
  const bits = compileCondition(condition, indexes);
  return batch => {
    const n = batch.time.length;
    return bits(batch, n).slice(0, n);
  };
}

function compileCondition(condition: PlainCondition, indexes: Indexes): Bits {
  const room = new Room(n => new Uint8Array(n));
  if (condition.kind === 'compare') {
    const left = compileTerm(condition.left, indexes);
    const right = compileTerm(condition.right, indexes);
    const loop = comparisonLoops[condition.op];
    return (batch, n) => {
      const out = room.of(n);
      loop(left(batch, n), right(batch, n), out, n);
      return out;
    };
  }
  const items = condition.items.map(item => compileCondition(item, indexes));
  const loop = condition.kind === 'and' ? andLoop : orLoop;
  return (batch, n) => {
    const out = room.of(n).fill(condition.kind === 'and' ? 1 : 0, 0, n);
    for (const item of items) loop(item(batch, n), out, n);
    return out;
  };
}

function compileTerm(term: Term, indexes: Indexes): Terms {
  switch (term.kind) {
    case 'number':
      return constant(term.value);
    case 'field':
      return column(indexes.get(term.name));
    case 'minus':
      return operation(arithmeticLoops['*'], [constant(-1), compileTerm(term.term, indexes)]);
    case 'arithmetic':
      return operation(arithmeticLoops[term.op], [
        compileTerm(term.left, indexes),
        compileTerm(term.right, indexes),
      ]);
    case 'call': {
      const args = term.args.map(arg => compileTerm(arg, indexes));
      // The loop of abs looks at one side only.
      return operation(callLoops[term.name], args.length === 1 ? [...args, ...args] : args);
    }
  }
}

function constant(value: number): Terms {
  const room = new Room(n => new Float64Array(n).fill(value));
  return (_, n) => room.of(n);
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

/** Numbers without holes are used where they lie; everything else is copied as numbers, NaN where missing. */
function column(index: number | undefined): Terms {
  if (index === undefined) return constant(Number.NaN);
  const room = new Room(n => new Float64Array(n));
  return (batch, n) => {
    const values = batch.values[index];
    const missing = batch.missing?.[index];
    if (values instanceof Float64Array && !missing) return values;
    const out = room.of(n);
    if (values instanceof Float64Array) out.set(values);
    else if (values instanceof BigInt64Array || values instanceof Uint8Array) {
      for (let i = 0; i < n; i++) out[i] = Number(values[i]);
    }
    if (missing) for (let i = 0; i < n; i++) if (hasBit(missing, i)) out[i] = Number.NaN;
    return out;
  };
}

/** Memory that grows to the largest batch and is used again. */
class Room<T extends Float64Array | Uint8Array> {
  #held: T;
  constructor(private readonly make: (n: number) => T) {
    this.#held = make(0);
  }

  of(n: number): T {
    if (this.#held.length < n) this.#held = this.make(n);
    return this.#held;
  }
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
