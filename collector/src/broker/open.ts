import { readSecret } from '@edgeward/shared/config';
import { Broker, type BrokerOptions } from '../broker.js';
import { ExternalBroker } from '../external-broker.js';
import { Identities } from '../identity.js';
import type { Link, LinkOptions } from '../link.js';
import type { BrokerConfig } from './config.js';

type Told = Pick<BrokerOptions, 'identities' | 'onRefused' | 'onTakenOver'>;

/**
 * The broker that the configuration asks for.
 * @throws EW_LISTEN; EW_CONFIG_FILE for a secret that cannot be read
 */
export async function openLink(config: BrokerConfig, options: LinkOptions & Told): Promise<Link> {
  const { external, host, port, users, limits, takeoverAfterS } = config;
  if (external) {
    const password = external.password && (await readSecret(external.password));
    return ExternalBroker.open({ ...external, password, ...options });
  }
  const identities = options.identities ?? new Identities(takeoverAfterS * 1000);
  return Broker.open({ host, port, users: await secretsOf(users), limits, ...options, identities });
}

async function secretsOf(users: BrokerConfig['users']): Promise<ReadonlyMap<string, string> | undefined> {
  if (!users) return undefined;
  const read = Object.entries(users).map(async ([name, ref]) => [name, await readSecret(ref)] as const);
  return new Map(await Promise.all(read));
}
