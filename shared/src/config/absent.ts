import { constants } from 'node:fs';
import { access, stat } from 'node:fs/promises';
import { messageOf } from '../errors.js';
import { type ConfigIssue, fieldPath, maskText, type Path } from './issue.js';
import { type ConfigNode, childOf, isMapping, placeAt, shapesOf } from './tree.js';
import type { YamlFile } from './yaml.js';

/**
 * What a configuration reads and this machine does not have: files and folders that must be there, and secrets.
 * @param config  as parsed, with absolute paths
 * @returns       issues without line and column
 */
export async function findAbsent(
  yaml: YamlFile,
  tree: ConfigNode,
  config: unknown,
): Promise<readonly ConfigIssue[]> {
  const found = await Promise.all(
    needsOf(tree, config, []).map(async need => [need, await lackOf(need)] as const),
  );
  return found.flatMap(([need, lack]) => (lack === undefined ? [] : [issueOf(need, lack, yaml, tree)]));
}

interface Need {
  readonly path: Path;
  readonly kind: 'file' | 'folder' | 'env';
  readonly name: string;
}

function needsOf(node: ConfigNode, value: unknown, path: Path): Need[] {
  const shapes = shapesOf(node, value);
  if (typeof value === 'string') {
    const kind = shapes.map(shape => shape.path).find(mark => typeof mark === 'string');
    return kind ? [{ path, kind, name: value }] : [];
  }
  const inside = (child: unknown, key: string | number) =>
    needsOf(shapes.map(shape => childOf(shape, key)).find(found => found) ?? {}, child, [...path, key]);
  if (Array.isArray(value)) return value.flatMap(inside);
  if (!isMapping(value)) return [];
  if (node.secret && typeof value.env === 'string')
    return [{ path: [...path, 'env'], kind: 'env', name: value.env }];
  return Object.entries(value).flatMap(([key, child]) => inside(child, key));
}

/** What is the matter, in words; undefined = nothing. Nothing is opened: a pipe would wait for its writer. */
async function lackOf({ kind, name }: Need): Promise<string | undefined> {
  if (kind === 'env') {
    const set = process.env[name];
    return set ? undefined : `this environment variable is ${set === undefined ? 'not set' : 'empty'}`;
  }
  try {
    const found = await stat(name);
    if (found.isDirectory() !== (kind === 'folder'))
      return `${name} is ${kind === 'file' ? 'a' : 'no'} folder`;
    if (found.isFile() && found.size === 0) return `${name} is empty`;
    await access(name, constants.R_OK);
    return undefined;
  } catch (error) {
    return reasonOf(name, error);
  }
}

function reasonOf(name: string, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ENOTDIR') return `${name} does not exist`;
  return code === 'EACCES' || code === 'EPERM' ? `this user may not read ${name}` : messageOf(error);
}

const remedies: Readonly<Record<Need['kind'], string>> = {
  file: 'put the file there or correct the path, which starts at the folder of this configuration',
  folder: 'put the folder there or correct the path, which starts at the folder of this configuration',
  env: 'set it for the process',
};

/** Names of variables as they are usually written; anything else might be the secret itself. */
const usualVariable = /^[A-Z_][A-Z0-9_]*$/;

function issueOf({ path, kind, name }: Need, lack: string, yaml: YamlFile, tree: ConfigNode): ConfigIssue {
  const { value } = placeAt(tree, yaml.value, path);
  const shown =
    kind === 'env' && !usualVariable.test(name) ? '(hidden)' : JSON.stringify(maskText(String(value)));
  return {
    file: '',
    line: 0,
    column: 0,
    field: fieldPath(path),
    ...(value !== undefined && { value: shown }),
    problem: `cannot be read here: ${lack}`,
    remedy: `${remedies[kind]}; for a file meant for another machine, check with --elsewhere`,
  };
}
