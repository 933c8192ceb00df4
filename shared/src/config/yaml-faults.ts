import {
  type Document,
  isAlias,
  isMap,
  isPair,
  isScalar,
  isSeq,
  type LineCounter,
  type Node,
  type Pair,
  visit,
  type YAMLError,
} from 'yaml';
import { fieldPath, type Path } from './issue.js';

/** Something wrong at an offset of the text. */
export interface Fault {
  readonly offset: number;
  readonly field: string;
  readonly problem: string;
  readonly remedy: string;
}

type Ancestors = readonly (Document | Node | Pair)[];

export function duplicateKeys(document: Document, lines: LineCounter): Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Map: (_, map, ancestors) => {
      const first = new Map<unknown, number>();
      for (const { key } of map.items) {
        if (!isScalar(key) || key.value === '<<') continue;
        const offset = key.range?.[0] ?? 0;
        const earlier = first.get(key.value);
        if (earlier === undefined) {
          first.set(key.value, offset);
          continue;
        }
        const field = fieldPath([...pathTo([...ancestors, map]), String(key.value)]);
        const problem = `given twice, first in line ${lines.linePos(earlier).line}`;
        faults.push({ offset, field, problem, remedy: 'keep one of the two' });
      }
    },
  });
  return faults;
}

const maxAliases = 1000;

/** Aliases of nothing, and aliases inside what they stand for. */
export function badAliases(document: Document): Fault[] {
  const faults: Fault[] = [];
  let count = 0;
  visit(document, {
    Alias: (_, alias, ancestors) => {
      // To resolve one walks the whole document.
      if (++count > maxAliases) return visit.BREAK;
      const target = alias.resolve(document);
      if (target !== undefined && !ancestors.includes(target)) return undefined;
      faults.push({
        offset: alias.range?.[0] ?? 0,
        field: fieldPath(pathTo([...ancestors, alias])),
        problem:
          target === undefined ? 'an alias without an anchor before it' : 'an alias of what it stands in',
        remedy: 'write &name before the value that *name repeats, or put text that starts with * in quotes',
      });
      return undefined;
    },
  });
  if (count <= maxAliases) return faults;
  return [
    { offset: 0, field: '', problem: `more than ${maxAliases} aliases`, remedy: 'write the values out' },
  ];
}

/** `<<` with anything but mappings. */
export function mergeFaults(document: Document): Fault[] {
  const faults: Fault[] = [];
  visit(document, {
    Pair: (_, pair, ancestors) => {
      if (!isScalar(pair.key) || pair.key.value !== '<<') return;
      const sources = isSeq(pair.value) ? pair.value.items : [pair.value];
      if (sources.every(source => isMap(isAlias(source) ? source.resolve(document) : source))) return;
      faults.push({
        offset: pair.key.range?.[0] ?? 0,
        field: fieldPath(pathTo([...ancestors, pair])),
        problem: '<< can only take mappings',
        remedy: 'write <<: *name, where &name marks a mapping',
      });
    },
  });
  return faults;
}

/** A `[` or `{` without its end, where it opens: the parser only notices in a later line, as wrong indentation. */
export function unclosed(document: Document, error: YAMLError): Fault | undefined {
  if (!/^Flow .* end with a/.test(error.message)) return undefined;
  const at = error.pos[0];
  let fault: Fault | undefined;
  visit(document, {
    Collection: (_, node, ancestors) => {
      const [start, , end] = node.range ?? [at, at, at];
      if (!node.flow || start >= at || end < at) return;
      const [opening, closing] = isSeq(node) ? ['[', ']'] : ['{', '}'];
      // The innermost one is visited last.
      fault = {
        offset: start,
        field: fieldPath(pathTo([...ancestors, node]).slice(0, isSeq(node) ? -1 : undefined)),
        problem: `this ${opening} is not closed`,
        remedy: `add the missing ${closing}; the lines up to it are indented deeper than their key`,
      };
    },
  });
  return fault;
}

function pathTo(nodes: Ancestors): Path {
  const path: (string | number)[] = [];
  nodes.forEach((node, i) => {
    if (isPair(node) && isScalar(node.key)) path.push(String(node.key.value));
    else if (isSeq(node)) path.push(node.items.indexOf(nodes[i + 1]));
  });
  return path;
}
