import { readFile } from 'node:fs/promises';
import type { ConnectionOptions } from 'node:tls';
import { readSecret } from '@edgeward/shared/config';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { logCreator, SASLOptions } from 'kafkajs';
import type { KafkaConfig } from './config.js';
import { KafkajsWire } from './kafkajs-wire.js';
import type { Wire } from './wire.js';

/** Reads certificates and password anew, so that new ones are taken up. Connects to nobody yet. */
export async function openWire(config: KafkaConfig, log: Logger): Promise<Wire> {
  return new KafkajsWire({
    clientId: config.clientId,
    ssl: await tlsOf(config.tls),
    sasl: await saslOf(config.sasl),
    connectionTimeout: config.connectTimeoutMs,
    requestTimeout: config.requestTimeoutMs,
    logLevel: 4,
    logCreator: toLogger(log),
  });
}

async function tlsOf(tls: KafkaConfig['tls']): Promise<ConnectionOptions | undefined> {
  if (!tls) return undefined;
  const [ca, cert, key] = await Promise.all([tls.ca, tls.certificate, tls.key].map(read));
  const { serverName } = tls;
  return {
    ...(ca && { ca: [ca] }),
    ...(cert && { cert }),
    ...(key && { key }),
    ...(serverName !== undefined && { servername: serverName }),
  };
}

async function read(file: string | undefined): Promise<Buffer | undefined> {
  if (file === undefined) return undefined;
  try {
    return await readFile(file);
  } catch (error) {
    throw new EdgewardError('EW_SINK_DENIED', `${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function saslOf(sasl: KafkaConfig['sasl']): Promise<SASLOptions | undefined> {
  if (!sasl) return undefined;
  const { mechanism, username } = sasl;
  try {
    return { mechanism, username, password: await readSecret(sasl.password) } as SASLOptions;
  } catch (error) {
    throw new EdgewardError('EW_SINK_DENIED', messageOf(error), { cause: error });
  }
}

/** What the library says goes to debug: what matters comes up as an error, and the runtime tells that once. */
function toLogger(log: Logger): logCreator {
  return () =>
    ({ namespace, log: { message, broker, error } }) =>
      log.debug(
        { part: namespace, broker, error: error === undefined ? undefined : messageOf(error) },
        message,
      );
}
