import { resolve } from 'node:path';
import { z } from 'zod';
import { type ConfigNode, childOf, isMapping, shapesOf } from './tree.js';

/**
 * A file or folder; a relative one is relative to the configuration file's folder.
 * @param reads  what must be there, because it is only read; `edgeward check` looks
 */
export function pathOption(reads?: 'file' | 'folder') {
  return z
    .string()
    .min(1)
    .meta({ path: reads ?? true });
}

/** A copy with every path absolute. Values that a schema turned into something else are left alone. */
export function resolvePaths(node: ConfigNode, value: unknown, folder: string): unknown {
  const shapes = shapesOf(node, value);
  if (typeof value === 'string') return shapes.some(shape => shape.path) ? resolve(folder, value) : value;
  const shapeOf = (key: string | number) => shapes.map(shape => childOf(shape, key)).find(child => child);
  const walk = (child: unknown, key: string | number) => resolvePaths(shapeOf(key) ?? {}, child, folder);
  if (Array.isArray(value)) return value.map(walk);
  if (!isMapping(value) || Object.getPrototypeOf(value) !== Object.prototype) return value;
  return Object.fromEntries(Object.entries(value).map(([key, child]) => [key, walk(child, key)]));
}
