import { z } from 'zod';
import { EdgewardError, messageOf } from '../errors.js';
import type { ConfigIssue } from './issue.js';

export type ConfigName = 'agent' | 'collector';

/** Which module holds the schema of which file. Loaded only when asked for: neither package needs the other. */
export const configModules = [
  { name: 'agent', module: '@edgeward/agent/config', schema: 'agentConfig' },
  { name: 'collector', module: '@edgeward/collector/config', schema: 'collectorConfig' },
] as const;

export interface ConfigModule {
  readonly schema: z.ZodType;
  /** What a schema cannot see, for example rule expressions. Issues may leave line and column at 0. */
  readonly checkConfig?: (config: unknown) => Promise<readonly ConfigIssue[]>;
}

/** @throws EW_PACKAGE_MISSING */
export async function loadConfigModule(name: ConfigName): Promise<ConfigModule> {
  const entry = configModules.find(known => known.name === name) ?? configModules[0];
  const loaded = await importPackage(entry.module);
  const schema = loaded[entry.schema];
  if (!(schema instanceof z.ZodType)) throw new TypeError(`${entry.module} does not export ${entry.schema}`);
  const check = loaded.checkConfig;
  if (typeof check !== 'function') return { schema };
  return { schema, checkConfig: async config => (await check(config)) as readonly ConfigIssue[] };
}

export async function importPackage(module: string): Promise<Readonly<Record<string, unknown>>> {
  try {
    return (await import(module)) as Readonly<Record<string, unknown>>;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const missing =
      code === 'ERR_MODULE_NOT_FOUND' && /Cannot find package '([^']+)'/.exec(messageOf(error))?.[1];
    if (!missing) throw error;
    const detail = `It is needed for this file: npm install ${missing}`;
    throw new EdgewardError('EW_PACKAGE_MISSING', detail, { cause: error });
  }
}
