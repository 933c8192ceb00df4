import type { Command } from '../command.js';
import { EdgewardError, messageOf } from '../errors.js';
import type { TableEntry } from './table.js';

/** @throws EW_PACKAGE_MISSING if the package, or one that it needs, is not installed */
export async function loadCommand(entry: TableEntry): Promise<Command> {
  const loaded = await importModule(entry);
  const command =
    typeof loaded === 'object' && loaded !== null && 'command' in loaded ? loaded.command : undefined;
  if (!isCommand(command)) throw new TypeError(`${entry.module} does not export a command`);
  return command;
}

async function importModule(entry: TableEntry): Promise<unknown> {
  try {
    return await import(entry.module);
  } catch (error) {
    const missing = missingPackage(error, entry);
    if (missing === undefined) throw error;
    const detail = `"edgeward ${entry.word}" needs it: npm install ${missing}`;
    throw new EdgewardError('EW_PACKAGE_MISSING', detail, { cause: error });
  }
}

function missingPackage(error: unknown, { module }: TableEntry): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  const own = module.split('/').slice(0, 2).join('/');
  // An installed package that is too old for this command has no such module.
  if (code === 'ERR_PACKAGE_PATH_NOT_EXPORTED') return `${own}@latest`;
  if (code !== 'ERR_MODULE_NOT_FOUND') return undefined;
  const named = /Cannot find package '([^']+)'/.exec(messageOf(error))?.[1];
  if (named !== undefined) return named;
  return isOwnFile(error, module) ? `${own}@latest` : undefined;
}

/** The file that is not there is the command's own, and not one that it imports. */
function isOwnFile(error: unknown, module: string): boolean {
  const file = /Cannot find module '([^']+)'/.exec(messageOf(error))?.[1]?.replaceAll('\\', '/');
  const path = module.split('/').slice(2).join('/');
  return file?.endsWith(`/dist/${path}.js`) ?? false;
}

function isCommand(value: unknown): value is Command {
  return (
    typeof value === 'object' && value !== null && 'run' in value && 'options' in value && 'examples' in value
  );
}
