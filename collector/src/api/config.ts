import { secret } from '@edgeward/shared/config';
import { EdgewardError } from '@edgeward/shared/errors';
import { isLoopback } from '@edgeward/shared/hosts';
import { z } from 'zod';

/** Options of the HTTP API and the page. */
export const apiConfig = z.strictObject({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .meta({
      description: 'Address to listen on; any other than loopback needs a password',
      examples: ['0.0.0.0'],
    }),
  port: z.int().min(0).max(65_535).default(8080).meta({ description: 'Port to listen on; 0 = any free one' }),
  password: secret()
    .optional()
    .meta({
      description: 'Password for everything but /healthz (HTTP Basic, any user name)',
      examples: [{ env: 'EDGEWARD_PASSWORD' }],
    }),
  allowedOrigins: z
    .array(z.url({ protocol: /^https?$/ }))
    .optional()
    .meta({
      description: 'Further origins under which browsers may reach the page, for example behind a proxy',
      examples: [['https://plant.example']],
    }),
});

export type ApiConfig = z.output<typeof apiConfig>;

/** @throws EW_CONFIG_INVALID for a host that others can reach while no password is set */
export function checkExposure(config: ApiConfig): void {
  if (isLoopback(config.host) || config.password) return;
  throw new EdgewardError(
    'EW_CONFIG_INVALID',
    `api.host is ${JSON.stringify(config.host)}, which other machines can reach, but api.password is not set. ` +
      'Set api.password to {file: PATH} or {env: NAME}, or set api.host to 127.0.0.1.',
  );
}
