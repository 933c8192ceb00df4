import { hostname } from 'node:os';
import { readSecret, type SecretRef } from '../config/secret.js';
import type { Clock } from '../contracts.js';
import type { Logger } from '../log.js';
import { version } from '../version.js';
import { OtlpTracer } from './otlp-tracer.js';

export interface TraceConfig {
  readonly endpoint: string;
  readonly headers: Readonly<Record<string, SecretRef>>;
}

const tracesPath = '/v1/traces';

/** As OTEL_EXPORTER_OTLP_ENDPOINT is taken; an address that has the path already is meant as it stands. */
export function tracesUrl(endpoint: string): URL {
  const url = new URL(endpoint);
  const path = url.pathname.replace(/\/+$/, '');
  url.pathname = path.endsWith(tracesPath) ? path : path + tracesPath;
  return url;
}

/**
 * @param who  `service.name` and `service.instance.id` of its spans
 * @throws EW_CONFIG_FILE if a header's value cannot be read
 */
export async function openTracer(
  { endpoint, headers }: TraceConfig,
  who: { readonly service: string; readonly instance: string },
  clock: Clock,
  log: Logger,
): Promise<OtlpTracer> {
  const values: Record<string, string> = {};
  for (const [name, ref] of Object.entries(headers)) values[name] = await readSecret(ref);
  return new OtlpTracer({
    url: tracesUrl(endpoint),
    headers: values,
    resource: {
      'service.name': who.service,
      'service.instance.id': who.instance,
      'service.version': version,
      'host.name': hostname(),
      'process.pid': process.pid,
    },
    clock,
    log,
  });
}
