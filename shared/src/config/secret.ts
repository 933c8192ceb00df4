import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { EdgewardError, messageOf } from '../errors.js';
import { pathOption } from './paths.js';

const inFile = z.strictObject({
  file: pathOption('file').meta({
    description: 'File that holds the secret',
    examples: ['./secrets/password'],
  }),
});
const inEnvironment = z.strictObject({
  env: z
    .string()
    .min(1)
    .meta({ description: 'Environment variable that holds the secret', examples: ['EDGEWARD_PASSWORD'] }),
});

const message =
  'a secret does not stand in the configuration. Remedy: write { file: PATH } or { env: NAME } and put it there';

/** Where a secret is to be found. The secret itself never stands in a configuration, a log or a message. */
export type SecretRef = z.output<typeof inFile> | z.output<typeof inEnvironment>;

/** `{ file: PATH }` or `{ env: NAME }`. */
export function secret() {
  return z
    .union([inFile, inEnvironment], {
      error: issue => (typeof issue.input === 'object' ? undefined : message),
    })
    .meta({ secret: true, examples: [{ file: './secrets/password' }] });
}

/**
 * The secret's text, without one newline at its end.
 * @throws EW_CONFIG_FILE if the file cannot be read, the variable is not set, or nothing is in it
 */
export async function readSecret(ref: SecretRef): Promise<string> {
  const name = 'file' in ref ? `file ${ref.file}` : `environment variable ${ref.env}`;
  const text = 'file' in ref ? await readSecretFile(ref.file, name) : process.env[ref.env];
  const value = text?.replace(/\r?\n$/, '');
  if (value === undefined) throw new EdgewardError('EW_CONFIG_FILE', `The ${name} for a secret is not set.`);
  if (value === '') throw new EdgewardError('EW_CONFIG_FILE', `The ${name} for a secret is empty.`);
  return value;
}

async function readSecretFile(file: string, name: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    throw new EdgewardError('EW_CONFIG_FILE', `The ${name} for a secret: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
