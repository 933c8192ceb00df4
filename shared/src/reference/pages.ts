import type { z } from 'zod';
import type { LoadModule } from '../check-command.js';
import type { TableEntry } from '../cli/table.js';
import { configFromText, parseConfig } from '../config/load.js';
import { configModules } from '../config/modules.js';
import { type ConfigNode, configTree } from '../config/tree.js';
import { jsonSchemaPage } from './json-schema.js';
import { metricsPage } from './metrics-page.js';
import { optionsPage } from './options.js';
import type { Page } from './page.js';
import { samplePage } from './sample.js';
import { commandsPage, errorsPage } from './tables.js';

/** Everything in `deploy/reference`, and the list of metrics. */
export async function allPages(load: LoadModule, commands: readonly TableEntry[]): Promise<Page[]> {
  const pages: Page[] = [];
  for (const { name } of configModules) pages.push(...configPages(name, (await load(name)).schema));
  return [...pages, errorsPage(), await commandsPage(commands), await metricsPage()];
}

/**
 * Reference, JSON Schema and sample of one configuration file.
 * @throws TypeError if an option has no description, or lacks the example that the sample needs
 * @throws ConfigError if the sample does not pass its own schema
 */
export function configPages(name: string, schema: z.ZodType): Page[] {
  const tree = configTree(schema);
  const silent = undescribed(tree, '');
  if (silent.length > 0)
    throw new TypeError(`options of the ${name} without a description: ${silent.join(', ')}`);
  const sample = samplePage(name, tree);
  parseConfig(configFromText(sample.name, sample.text), schema);
  return [optionsPage(name, tree), jsonSchemaPage(name, schema), sample];
}

function undescribed(node: ConfigNode, path: string): string[] {
  if (node.secret) return [];
  const forms = [...(node.oneOf ?? []), ...(node.anyOf ?? []), ...(node.allOf ?? [])];
  const inner = [node.items, node.additionalProperties].filter(child => typeof child === 'object');
  const options = Object.entries(node.properties ?? {}).flatMap(([key, child]) => {
    const name = path === '' ? key : `${path}.${key}`;
    const missing = !child.description && child.const === undefined;
    return [...(missing ? [name] : []), ...undescribed(child, name)];
  });
  return [...forms, ...inner].flatMap(child => undescribed(child, path)).concat(options);
}
