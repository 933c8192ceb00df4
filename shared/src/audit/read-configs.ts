import { guessKind } from '../config/guess-kind.js';
import { openConfig, parseConfig } from '../config/load.js';
import type { ConfigName, loadConfigModule } from '../config/modules.js';

export interface ReadConfig {
  readonly file: string;
  readonly kind: ConfigName;
  readonly config: unknown;
}

/** @throws EW_CONFIG_FILE, ConfigError */
export async function readConfigs(
  files: readonly string[],
  load: typeof loadConfigModule,
): Promise<ReadConfig[]> {
  const configs: ReadConfig[] = [];
  for (const file of files) {
    const yaml = await openConfig(file);
    const kind = guessKind(yaml.value);
    const { schema } = await load(kind);
    configs.push({ file, kind, config: parseConfig(yaml, schema) });
  }
  return configs;
}
