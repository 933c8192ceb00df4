/**
 * Line and machine by what plants call their devices: `line2-press4-hydraulics`, `L2.P4.pump`,
 * `north.line-2.press-4.pump`. Cautious: a name that does not clearly say it gives nothing, since a wrong guess would
 * put strangers together, and none only keeps them apart.
 */
import { namePattern } from '@edgeward/shared/topics';

/** Labels from the outside in. */
export interface InferredPlace {
  /** What encloses the line or machine (`hall-3`), then both, as far as the name tells them. At least one. */
  readonly labels: readonly string[];
  /** How many of the labels lead to the line; 0 = it is not told. */
  readonly line: number;
  /** The last label is a machine. */
  readonly machine: boolean;
}

/** `a1b2`: a serial number rather than a name. */
const serial = /\p{N}\p{L}/u;
const lineWords: ReadonlySet<string> = new Set(['line', 'linie', 'ln']);
/** Numbered, and no machines: places, and parts of the measuring equipment. */
const noMachines: ReadonlySet<string> = new Set(
  (
    'site plant hall building bldg floor level room zone area section cell cabinet panel rack row bay station shift ' +
    'gateway gw plc rtu node box edge device dev sensor channel ch unit group bus port slot module input output ' +
    'tag point id db ai ao di do test sim demo probe meter phase l'
  ).split(' '),
);

/** A run of words with the number that ends it; without one where the name ends in words. */
interface Part {
  readonly words: readonly string[];
  readonly number: string | undefined;
}

/** The same name gives the same place. Undefined: the name does not tell. Takes time in proportion to its length. */
export function inferPlace(device: string, site: string | null): InferredPlace | undefined {
  if (!namePattern.test(device) || serial.test(device)) return undefined;
  const levels = device.split('.');
  return levels.length > 1 ? fromLevels(levels, site) : fromParts(partsOf(device));
}

/** `north`, `hall-3`, `line-2`, `press-4`, `pump`: each segment is one thing, and the last one is the device. */
function fromLevels(segments: readonly string[], site: string | null): InferredPlace | undefined {
  const parts = segments.map(partsOf);
  const above = parts.slice(0, -1);
  if (parts.some(list => list.length === 0)) return undefined;
  const from = site !== null && labelOf(partsOf(site)) === labelOf(above[0]!) ? 1 : 0;
  const lineAt = above.findIndex((list, i) => i >= from && isLine(list, parts[i + 1]));
  if (lineAt < 0) {
    const last = above.at(-1)!;
    if (above.length === from || !isMachine(last)) return undefined;
    return { labels: above.slice(from).map(labelOf), line: 0, machine: true };
  }
  const line = above.slice(from, lineAt + 1).map(lineLabel);
  const next = above[lineAt + 1];
  const machine = next && !isNoMachine(next) ? [labelOf(next)] : [];
  return { labels: [...line, ...machine], line: line.length, machine: machine.length > 0 };
}

/** `line2-press4-hydraulics`, `press-4-hydraulics`: what stands behind a machine's number is a part of it. */
function fromParts(parts: readonly Part[]): InferredPlace | undefined {
  const [first, second] = parts;
  if (!first) return undefined;
  if (isLine([first], second && [second])) {
    const machine = second && isMachine([second]) ? [labelOf([second])] : [];
    return { labels: [lineLabel([first]), ...machine], line: 1, machine: machine.length > 0 };
  }
  const hasPart = second !== undefined && second.words.length > 0;
  return isMachine([first]) && hasPart ? { labels: [labelOf([first])], line: 0, machine: true } : undefined;
}

/** `L1` alone is a phase of the supply; a line where a numbered machine follows. */
function isLine(parts: readonly Part[], next: readonly Part[] | undefined): boolean {
  const [only, ...more] = parts;
  if (!only || more.length > 0 || only.words.length !== 1 || only.number === undefined) return false;
  return lineWords.has(only.words[0]!) || (only.words[0] === 'l' && next !== undefined && isMachine(next));
}

function isMachine(parts: readonly Part[]): boolean {
  const [only, ...more] = parts;
  return only?.number !== undefined && only.words.length > 0 && more.length === 0 && !isNoMachine(parts);
}

function isNoMachine(parts: readonly Part[]): boolean {
  const word = parts[0]?.words.at(-1);
  return word === undefined || noMachines.has(word) || lineWords.has(word);
}

/** `Press_04`, `press4` and `PRESS-4` are one label. */
function labelOf(parts: readonly Part[]): string {
  return parts
    .flatMap(({ words, number }) => [...words, ...(number === undefined ? [] : [number])])
    .join('-');
}

function lineLabel(parts: readonly Part[]): string {
  const [only] = parts;
  return only?.words[0] === 'l' && only.words.length === 1 ? `line-${only.number}` : labelOf(parts);
}

function partsOf(text: string): Part[] {
  const parts: Part[] = [];
  let words: string[] = [];
  for (const [token] of text.toLowerCase().matchAll(/\p{L}+|\p{N}+/gu)) {
    if (!/^\p{N}/u.test(token)) words.push(token);
    else {
      parts.push({ words, number: token.replace(/^0+(?=.)/, '') });
      words = [];
    }
  }
  if (words.length > 0) parts.push({ words, number: undefined });
  return parts;
}
