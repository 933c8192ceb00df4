import { dirname, resolve } from 'node:path';
import type { z } from 'zod';
import { explainAll, ownWords } from './explain.js';
import { ConfigError, type ConfigIssue, inFileOrder, parseFieldPath } from './issue.js';
import { resolvePaths } from './paths.js';
import { readConfigText } from './read-file.js';
import { configTree } from './tree.js';
import { parseYaml, type YamlFile } from './yaml.js';

/**
 * Reads a YAML file, checks it, and makes its paths absolute.
 * @throws EW_CONFIG_FILE if there is nothing to read; ConfigError with every issue of the file
 */
export async function loadConfig<S extends z.ZodType>(file: string, schema: S): Promise<z.output<S>> {
  return parseConfig(await openConfig(file), schema);
}

/** @throws EW_CONFIG_FILE; ConfigError if the file is not UTF-8 or not YAML */
export async function openConfig(file: string): Promise<YamlFile> {
  return configFromText(file, await readConfigText(file));
}

/** @throws ConfigError if the text is not YAML */
export function configFromText(file: string, text: string): YamlFile {
  const yaml = parseYaml(file, text);
  if (yaml.issues.length > 0) throw new ConfigError(inFileOrder(yaml.issues));
  return yaml;
}

/** @throws ConfigError with every issue, in file order */
export function parseConfig<S extends z.ZodType>(yaml: YamlFile, schema: S): z.output<S> {
  const tree = configTree(schema);
  const parsed = schema.safeParse(yaml.value, { error: () => ownWords });
  if (!parsed.success) throw new ConfigError(inFileOrder(explainAll(parsed.error.issues, tree, yaml)));
  return resolvePaths(tree, parsed.data, resolve(dirname(yaml.file))) as z.output<S>;
}

/** Gives issues found after parsing the line and column of their field. */
export function placeIssues(yaml: YamlFile, issues: readonly ConfigIssue[]): ConfigIssue[] {
  const placed = issues.map(issue => ({
    ...issue,
    ...(issue.line === 0 && yaml.locate(parseFieldPath(issue.field) ?? [], 'value')),
    file: yaml.file,
  }));
  return inFileOrder(placed);
}
