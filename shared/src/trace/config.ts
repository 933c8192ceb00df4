/** Where spans go; of agent and collector alike. */
import { z } from 'zod';
import { secret } from '../config/secret.js';
import { isLoopback } from '../hosts.js';

const tokenPattern = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;

const options = {
  endpoint: z
    .string()
    .max(2000)
    .regex(
      /^https?:\/\/[^@\s?#]+$/,
      'must be http://host:port or https://host:port, without user, password or query. ' +
        'Remedy: write it like http://127.0.0.1:4318; credentials go into trace.headers',
    )
    .refine(text => URL.canParse(text), 'is no address. Remedy: write it like http://127.0.0.1:4318')
    .meta({
      description:
        'An OpenTelemetry collector, Jaeger, or whatever takes OTLP over HTTP; /v1/traces is added',
      examples: ['http://127.0.0.1:4318'],
    }),
  headers: z
    .record(z.string().regex(tokenPattern, 'is no name of a header'), secret())
    .default({})
    .meta({
      description:
        'Headers of every request, for example of an API key; where each value is kept: { file } or { env }',
      examples: [{ 'x-api-key': { env: 'TRACE_API_KEY' } }],
    }),
};

interface Where {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, unknown>>;
}

/** Whoever listens on the way would have them. */
function checkSecrets({ endpoint, headers }: Where, context: z.RefinementCtx): void {
  if (Object.keys(headers).length === 0 || !URL.canParse(endpoint)) return;
  const { protocol, hostname } = new URL(endpoint);
  if (protocol === 'https:' || isLoopback(hostname)) return;
  context.addIssue({
    code: 'custom',
    path: ['endpoint'],
    message: 'would send secret headers in the clear. Remedy: use https://, or leave trace.headers out',
  });
}

/** Off unless it is there. @param more  options that only one of the two has */
export function traceOption<Shape extends z.ZodRawShape>(more: Shape) {
  return z
    .strictObject({ ...options, ...more })
    .superRefine((config, context) => checkSecrets(config as unknown as Where, context))
    .optional();
}
