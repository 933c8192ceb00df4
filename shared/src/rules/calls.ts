import { didYouMean } from '../nearest.js';
import { type WindowFunction, windowFunctions } from '../windows/time-window.js';
import type { Compare, FunctionName, Term } from './expression.js';
import type { Token } from './tokenize.js';

/** A value, or how far back to look. */
export type Argument =
  | { readonly kind: 'term'; readonly term: Term; readonly at: number }
  | { readonly kind: 'duration'; readonly ms: number; readonly at: number };

/** Ends the parsing; by default at the function's name. */
type Fail = (problem: string, where?: { readonly at: number }) => never;

const ofValues: Readonly<Record<FunctionName, { readonly least: number; readonly most: number }>> = {
  abs: { least: 1, most: 1 },
  min: { least: 2, most: Number.POSITIVE_INFINITY },
  max: { least: 2, most: Number.POSITIVE_INFINITY },
};
const names: readonly string[] = [...new Set([...Object.keys(ofValues), ...windowFunctions, 'missing'])];

export function checkFunction(name: string, fail: Fail): void {
  if (names.includes(name)) return;
  fail(`No such function.${didYouMean(name, names)} There are ${names.join(', ')}.`);
}

/** What a call of a known function stands for. `min(a, b)` is of values, `min(a, 10m)` of a field's past. */
export function callOf({ text: name }: Token, args: readonly Argument[], fail: Fail): Term | Compare {
  if (args.some(({ kind }) => kind === 'duration')) return ofPast(name, args, fail);
  if (!isOfValues(name)) fail(`${name} needs to know how far back: write for example ${name}(x, 10m).`);
  const terms = args.flatMap(arg => (arg.kind === 'term' ? [arg.term] : []));
  const { least, most } = ofValues[name];
  if (terms.length < least)
    fail(`${name} needs at least ${least} values, or a field and a duration: ${name}(x, 10m).`);
  if (terms.length > most) fail(`${name} takes ${most} value.`);
  return { kind: 'call', name, args: terms };
}

function ofPast(name: string, args: readonly Argument[], fail: Fail): Term | Compare {
  if (name === 'abs') fail('abs takes a value and no duration: write for example abs(change(x, 30s)).');
  const [first, second, third] = args;
  const form = `${name}(x, 10m)`;
  if (first?.kind !== 'term') fail(`The field comes before the duration: write ${form}.`, first);
  if (first.term.kind !== 'field')
    fail(`Only of a field is the past known: write for example ${form}.`, first);
  if (second?.kind !== 'duration' || third)
    fail(`A window is one field and one duration: write ${form}.`, third ?? second);
  const window = { kind: 'window', field: first.term.name, lengthMs: second.ms } as const;
  if (name !== 'missing') return { ...window, what: name as WindowFunction };
  return {
    kind: 'compare',
    op: '==',
    left: { ...window, what: 'count' },
    right: { kind: 'number', value: 0 },
  };
}

function isOfValues(name: string): name is FunctionName {
  return Object.hasOwn(ofValues, name);
}
