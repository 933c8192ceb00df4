/** Reads the configuration again while the collector runs, and applies what can be applied without a restart. */
import { isDeepStrictEqual } from 'node:util';
import { fieldPath } from '@edgeward/shared/config';
import { EdgewardError } from '@edgeward/shared/errors';
import type { Logger } from '@edgeward/shared/log';
import type { CollectorConfig } from './config.js';
import type { SinkSet } from './sink-set.js';
import type { Topology } from './topology/topology.js';
import type { ReloadView } from './views.js';

export interface ReloadOptions {
  /** What the collector runs with. */
  readonly config: CollectorConfig;
  /** Reads and checks the file, whole. Absent: it runs without one. */
  readonly load: (() => Promise<CollectorConfig>) | undefined;
  readonly sinks: Pick<SinkSet, 'change'>;
  readonly topology: Pick<Topology, 'replace'>;
  readonly log: Logger;
}

/** @throws ConfigError, EW_CONFIG_FILE with nothing changed */
export async function reload({ config, load, sinks, topology, log }: ReloadOptions): Promise<ReloadView> {
  if (!load) throw new EdgewardError('EW_CONFIG_FILE', 'This collector runs without a file.');
  const next = await load();
  const { receipts, ...changes } = await sinks.change(next);
  const isOther = topology.replace(next.topology);
  const needsRestart = differences(config, next);
  const done = { ...changes, receiptAfter: receipts, topology: isOther, needsRestart };
  log.info(done, 'configuration read again');
  return done;
}

/** Of the options that do not change while it runs, those that differ. */
export function differences(before: CollectorConfig, after: CollectorConfig): string[] {
  return [...pathsOf(startOnly(before), startOnly(after), [])];
}

function startOnly({ sinks: _, receiptAfter: __, topology: ___, ...others }: CollectorConfig) {
  return others;
}

function* pathsOf(one: unknown, other: unknown, path: readonly string[]): Generator<string> {
  if (isDeepStrictEqual(one, other)) return;
  if (!isPlain(one) || !isPlain(other)) {
    yield fieldPath(path);
    return;
  }
  for (const key of new Set([...Object.keys(one), ...Object.keys(other)]))
    yield* pathsOf(one[key], other[key], [...path, key]);
}

function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
