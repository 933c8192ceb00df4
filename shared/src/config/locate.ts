import { type Document, isAlias, isMap, isNode, isScalar, isSeq, type Node, type YAMLMap } from 'yaml';
import type { Path } from './issue.js';

/** Offset of the key or value at the path, through aliases and merge keys; else of the nearest thing around it. */
export function offsetOf(document: Document, path: Path, what: 'key' | 'value'): number {
  let node: Node | undefined = isNode(document.contents) ? document.contents : undefined;
  let offset = node?.range?.[0] ?? 0;
  for (const [depth, step] of path.entries()) {
    const container: Node | undefined = isAlias(node) ? node.resolve(document) : node;
    const found = stepInto(document, container, step);
    if (found === undefined) return offset;
    node = found.value;
    const wantsKey = found.key !== undefined && (depth < path.length - 1 || what === 'key');
    offset = (wantsKey ? found.key : found.value?.range?.[0]) ?? found.key ?? offset;
  }
  return offset;
}

interface Found {
  readonly key?: number | undefined;
  readonly value: Node | undefined;
}

function stepInto(document: Document, container: unknown, step: string | number): Found | undefined {
  if (isSeq(container)) {
    const item = container.items[Number(step)];
    return isNode(item) ? { value: item } : undefined;
  }
  if (!isMap(container)) return undefined;
  const key = String(step);
  return ownPair(container, key) ?? mergedPair(document, container, key);
}

function ownPair(map: YAMLMap, key: string): Found | undefined {
  const pair = map.items.find(item => isScalar(item.key) && item.key.value === key);
  if (pair === undefined || !isScalar(pair.key)) return undefined;
  return { key: pair.key.range?.[0], value: isNode(pair.value) ? pair.value : undefined };
}

function mergedPair(document: Document, map: YAMLMap, key: string): Found | undefined {
  const merged = map.items.filter(item => isScalar(item.key) && item.key.value === '<<');
  for (const { value } of merged) {
    const sources = isSeq(value) ? value.items : [value];
    for (const source of sources) {
      const resolved = isAlias(source) ? source.resolve(document) : source;
      const found = isMap(resolved) ? stepInto(document, resolved, key) : undefined;
      if (found) return found;
    }
  }
  return undefined;
}
