import { nearest } from '../nearest.js';
import type { ConfigName } from './modules.js';
import { isMapping } from './tree.js';

/** Top-level keys that only one of the two files has. */
const ownKeys: Readonly<Record<ConfigName, readonly string[]>> = {
  agent: [
    'gateway',
    'site',
    'uplink',
    'outbox',
    'models',
    'engine',
    'surprises',
    'rules',
    'clock',
    'reportMs',
    'sources',
  ],
  collector: [
    'broker',
    'api',
    'ingest',
    'journal',
    'sinks',
    'alerts',
    'mail',
    'notify',
    'score',
    'receiptAfter',
    'shadow',
  ],
};

const kinds = new Map<string, ConfigName | undefined>([
  ['dataDir', undefined],
  ['log', undefined],
  ['metrics', undefined],
  ['trace', undefined],
  ...ownKeys.agent.map(key => [key, 'agent'] as const),
  ...ownKeys.collector.map(key => [key, 'collector'] as const),
]);

/**
 * Which of the two a file was meant to be: the kind that most of its keys belong to, where a misspelt key counts
 * half. With as many of both, or with a `gateway`, an agent; with none of either, a collector.
 */
export function guessKind(value: unknown): ConfigName {
  const keys = isMapping(value) ? Object.keys(value) : [];
  const agent = votesFor('agent', keys);
  const meant = keys.includes('gateway') || (agent > 0 && agent >= votesFor('collector', keys));
  return meant ? 'agent' : 'collector';
}

function votesFor(kind: ConfigName, keys: readonly string[]): number {
  return keys.reduce((sum, key) => sum + (voteOf(key) === kind ? (kinds.has(key) ? 1 : 0.5) : 0), 0);
}

function voteOf(key: string): ConfigName | undefined {
  return kinds.get(kinds.has(key) ? key : (nearest(key, kinds.keys()) ?? ''));
}
