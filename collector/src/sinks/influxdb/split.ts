/**
 * Gets every line either stored or refused by itself. What the server says of a request as a whole is not enough: at a
 * partial write it stops looking at other shards, at a line it cannot parse it stores nothing. So a line counts as
 * stored only once a request with it was answered 204, and as refused only if the server named it, refused it alone,
 * or says that it dropped as many as it was sent.
 */
import type { Rejection } from './answers.js';
import type { Points } from './points.js';
import { suspectsOf } from './suspects.js';

export interface Splitting {
  /** @returns undefined once all is stored */
  readonly send: (text: Buffer) => Promise<Rejection | undefined>;
  readonly refuse: (line: number, reason: string) => void;
}

/** Resolves once each line is stored or refused. @throws whatever `send` does, with some stored perhaps */
export async function storeLines(points: Points, { send, refuse }: Splitting): Promise<void> {
  const waiting: (readonly number[])[] = [Array.from({ length: points.size }, (_, i) => i)];
  for (let lines = waiting.pop(); lines; lines = waiting.pop()) {
    const rejection = await send(points.textOf(lines));
    if (!rejection) continue;
    const { named, parts } = verdict(points, lines, rejection);
    for (const [line, reason] of named) refuse(line, reason);
    waiting.push(...parts.filter(part => part.length > 0).reverse());
  }
}

interface Verdict {
  /** Refused, with what the server said of it. */
  readonly named: ReadonlyMap<number, string>;
  /** To be tried by themselves. */
  readonly parts: readonly (readonly number[])[];
}

function verdict(points: Points, lines: readonly number[], rejection: Rejection): Verdict {
  const { reason, tooLarge } = rejection;
  if (lines.length === 1 || (!tooLarge && droppedOf(reason) === lines.length))
    return { named: new Map(lines.map(line => [line, reason])), parts: [] };
  if (tooLarge) return { named: new Map(), parts: halves(lines) };
  const named = unparsed(points, lines, reason);
  if (named.size > 0) return { named, parts: [lines.filter(line => !named.has(line))] };
  const suspects = suspectsOf(points, lines, reason);
  if (suspects.size === 0 || suspects.size === lines.length) return { named, parts: halves(lines) };
  return { named, parts: [lines.filter(line => !suspects.has(line)), [...suspects]] };
}

function halves(lines: readonly number[]): number[][] {
  const middle = lines.length >> 1;
  return [lines.slice(0, middle), lines.slice(middle)];
}

/** How many points a partial write did not store, of the shard that it speaks of. */
function droppedOf(reason: string): number | undefined {
  const count = / dropped=(\d+)(?: for database: \S+)?(?: for retention policy: \S+)?$/.exec(reason)?.[1];
  return count === undefined ? undefined : Number(count);
}

const before = "unable to parse '";

/** Of lines that it cannot parse the server names every one, in their order, with what is wrong with it. */
function unparsed(points: Points, lines: readonly number[], reason: string): Map<number, string> {
  const named = new Map<number, string>();
  let at = 0;
  for (const line of lines) {
    if (!reason.startsWith(before, at)) break;
    const start = `${before}${points.line(line).toString('utf8')}': `;
    if (!reason.startsWith(start, at)) continue;
    const next = reason.indexOf(`\n${before}`, at + start.length);
    const end = next < 0 ? reason.length : next;
    named.set(line, `unable to parse: ${reason.slice(at + start.length, end)}`);
    at = end + 1;
  }
  return named;
}
