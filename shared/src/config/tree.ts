import { z } from 'zod';
import { isSecretName, type Path } from './issue.js';

/**
 * A configuration schema as a tree of plain nodes: JSON Schema of the input, with our own marks beside it.
 * Everything that must know the options without parsing (remedies, secrets, paths, reference) walks this tree.
 */
export interface ConfigNode {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly default?: unknown;
  readonly examples?: readonly unknown[];
  readonly description?: string;
  readonly properties?: Readonly<Record<string, ConfigNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: ConfigNode | boolean;
  readonly propertyNames?: ConfigNode;
  readonly items?: ConfigNode | boolean;
  readonly anyOf?: readonly ConfigNode[];
  readonly oneOf?: readonly ConfigNode[];
  readonly allOf?: readonly ConfigNode[];
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly multipleOf?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly minItems?: number;
  readonly maxItems?: number;
  readonly pattern?: string;
  readonly format?: string;
  /** Of numbers, for the reference: `ms`, `B`. */
  readonly unit?: string;
  /** Never shown. */
  readonly secret?: boolean;
  /** Relative to the configuration file's folder; of what must be there: its kind. */
  readonly path?: boolean | 'file' | 'folder';
}

const trees = new WeakMap<z.ZodType, ConfigNode>();

export function configTree(schema: z.ZodType): ConfigNode {
  const known = trees.get(schema);
  if (known) return known;
  const tree = jsonSchemaOf(schema) as ConfigNode;
  trees.set(schema, tree);
  return tree;
}

/** JSON Schema 2020-12 of what may stand in the file. */
export function jsonSchemaOf(schema: z.ZodType): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline', cycles: 'throw' });
}

/** The shapes a value may take here: the node itself, or the alternatives that do not contradict the value. */
export function shapesOf(node: ConfigNode, value: unknown): readonly ConfigNode[] {
  const alternatives = node.oneOf ?? node.anyOf;
  if (alternatives) {
    const shapes = alternatives.flatMap(alternative => shapesOf(alternative, value));
    const fitting = shapes.filter(shape => fits(shape, value));
    return fitting.length > 0 ? fitting : shapes;
  }
  return node.allOf ? node.allOf.flatMap(part => shapesOf(part, value)) : [node];
}

/** Only the outline is compared: kind of value, fixed keys such as `type`, and required keys. */
function fits(shape: ConfigNode, value: unknown): boolean {
  if (!isMapping(value)) return !shape.properties && !(shape.items && !Array.isArray(value));
  if (shape.type !== undefined && shape.type !== 'object') return false;
  const fixed = Object.entries(shape.properties ?? {}).filter(([, child]) => child.const !== undefined);
  if (fixed.some(([key, child]) => value[key] !== child.const)) return false;
  return fixed.length > 0 || (shape.required ?? []).every(key => Object.hasOwn(value, key));
}

export function isMapping(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function childOf(shape: ConfigNode, key: string | number): ConfigNode | undefined {
  const child =
    typeof key === 'number'
      ? shape.items
      : shape.properties && Object.hasOwn(shape.properties, key)
        ? shape.properties[key]
        : shape.additionalProperties;
  if (typeof child !== 'object') return undefined;
  const given = typeof key === 'number' ? shape.examples?.[0] : undefined;
  // The example of a list is one for its entries.
  return Array.isArray(given) && !child.examples ? { ...child, examples: given as unknown[] } : child;
}

export interface Place {
  /** What the schema has at the path: one node, or one per alternative that is still possible. */
  readonly nodes: readonly ConfigNode[];
  /** What the file has there; undefined = nothing. */
  readonly value: unknown;
  /** The path leads through something secret. */
  readonly secret: boolean;
}

/** Follows a path through schema and file together. */
export function placeAt(tree: ConfigNode, root: unknown, path: Path): Place {
  let nodes: readonly ConfigNode[] = [tree];
  let value = root;
  let secret = false;
  for (const key of path) {
    nodes = nodes.flatMap(node => shapesOf(node, value)).flatMap(shape => childOf(shape, key) ?? []);
    value = valueAt(value, key);
    secret ||= isSecretName(key) || nodes.some(node => node.secret);
  }
  return { nodes, value, secret };
}

function valueAt(value: unknown, key: string | number): unknown {
  if (Array.isArray(value)) return (value as readonly unknown[])[Number(key)];
  return isMapping(value) && Object.hasOwn(value, key) ? value[key] : undefined;
}
