import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { tooLarge } from './limits.js';

export interface ErrorContext {
  readonly transactionalId: string;
  readonly collector: string;
}

/** Types of kafkajs and of brokers that say: not with these credentials, rights or settings. */
const credentials = new Set([
  'SASL_AUTHENTICATION_FAILED',
  'ILLEGAL_SASL_STATE',
  'UNSUPPORTED_SASL_MECHANISM',
]);
const fenced = new Set(['INVALID_PRODUCER_EPOCH', 'PRODUCER_FENCED']);
const settings = new Set([
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_PARTITIONS',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_CONFIG',
  'POLICY_VIOLATION',
  'UNSUPPORTED_COMPRESSION_TYPE',
]);
const invalid = new Set(['INVALID_TIMESTAMP', 'INVALID_RECORD']);

export const tooLargeRemedy =
  'allow DescribeConfigs on the topics, or set maxMessageBytes to the least max.message.bytes of them.';
const invalidRemedy =
  "check the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms (before Kafka 3.6 " +
  'message.timestamp.difference.max.ms), its cleanup.policy, and the clocks of broker and collector: a record bears ' +
  'the time of its row.';

interface Told {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly code?: unknown;
  readonly cause?: unknown;
  readonly errors?: unknown;
}

/** Whatever a client or broker has thrown, as an error of ours: what the runtime does next depends on its code. */
export function kafkaError(error: unknown, context: ErrorContext): EdgewardError {
  if (error instanceof EdgewardError) return error;
  const text = messageOf(error);
  const all = chainOf(error);
  const types = all.map(({ type }) => (typeof type === 'string' ? type : ''));
  const is = (set: ReadonlySet<string>) => types.some(type => set.has(type));
  const denied = (remedy: string) =>
    new EdgewardError('EW_SINK_DENIED', `${text}. Remedy: ${remedy}`, { cause: error });
  if (is(credentials) || all.some(({ name }) => name === 'KafkaJSSASLAuthenticationError'))
    return denied(
      'check sasl.mechanism, sasl.username and the password, and that the broker offers the mechanism.',
    );
  if (is(fenced)) return denied(fencedRemedy(context));
  const noRight = types.find(type => type.endsWith('_AUTHORIZATION_FAILED'));
  if (noRight) return denied(rightsRemedy(noRight, context));
  if (all.some(isCertificateProblem))
    return denied('check tls.ca, tls.serverName and the certificates of broker and client.');
  if (is(settings)) return denied('check topics, createTopics and the settings of the topic.');
  if (is(tooLarge)) return denied(tooLargeRemedy);
  if (is(invalid)) return denied(invalidRemedy);
  return new EdgewardError('EW_SINK_WRITE', text, { cause: error });
}

function fencedRemedy({ transactionalId, collector }: ErrorContext): string {
  return (
    `another producer has taken over the transactional id ${transactionalId}, or a transaction outlasted ` +
    `transactionTimeoutMs. If a second collector is named ${collector}, stop one of them or give it another name.`
  );
}

function rightsRemedy(type: string, { transactionalId }: ErrorContext): string {
  if (type.startsWith('TRANSACTIONAL_ID'))
    return `allow Write and Describe on the transactional id ${transactionalId}.`;
  if (type.startsWith('GROUP')) return 'allow Describe on the groups in lagGroups.';
  if (type.startsWith('CLUSTER'))
    return 'allow Create and IdempotentWrite on the cluster, or create the topics by hand.';
  return (
    'allow Describe and Write on its topics, Read on the cursor topic, and Create where topics are to be created; ' +
    'or create the topics by hand.'
  );
}

function isCertificateProblem({ code }: Told): boolean {
  return typeof code === 'string' && /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS|ERR_SSL|ERR_OSSL/.test(code);
}

/** The error and what it came of. */
function chainOf(error: unknown): Told[] {
  const chain: Told[] = [];
  const open: unknown[] = [error];
  while (open.length > 0 && chain.length < 20) {
    const next = open.shift();
    if (typeof next !== 'object' || next === null) continue;
    const told: Told = next;
    chain.push(told);
    open.push(told.cause, ...(Array.isArray(told.errors) ? told.errors : []));
  }
  return chain;
}
