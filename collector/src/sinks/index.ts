import { nameOption } from '@edgeward/shared/config';
import type { Sink } from '@edgeward/shared/contracts';
import { z } from 'zod';
import type { SinkAudit } from './audit.js';
import type { AuditContext, SinkContext, SinkDefinition } from './define.js';
import { file } from './file.js';
import { influxdb } from './influxdb.js';
import { kafka } from './kafka.js';

/** All there are. A new sink is a file beside this one and its name here. */
export const sinks = [file, influxdb, kafka] as const;

type Definition = (typeof sinks)[number];

const writeTimeoutMs = z.int().min(1000).default(60_000).meta({
  description: 'What a write may take: after that it is called off, counts as failed, and is tried again',
  unit: 'ms',
});

/** What every sink has beside its own options. */
export interface SinkPlace {
  readonly name: string;
  /** `beginning`, `now`, or an ISO time. */
  readonly startAt: string;
  readonly writeTimeoutMs: number;
}

type OptionsOf<D> =
  D extends SinkDefinition<infer Type, infer Config> ? Config & SinkPlace & { readonly type: Type } : never;

export type SinkConfig = OptionsOf<Definition>;

const startOption = z
  .union([z.enum(['beginning', 'now']), z.iso.datetime({ offset: true })])
  .default('beginning')
  .meta({
    description:
      'Where a sink begins that this collector has not had before: with the oldest block that the journal still has, with what comes from now on, or with the first block that came at a time or later. Kept once it has begun; beginning, because then no reading is left out',
    examples: ['beginning', 'now', '2026-11-22T06:00:00Z'],
  });

function schemaOf({ type, config, check }: SinkDefinition<string, never>) {
  const options = z.strictObject({
    type: z.literal(type).meta({ description: 'Kind of sink' }),
    name: nameOption().default(type).meta({ description: 'Name of this sink, unique within the collector' }),
    startAt: startOption,
    writeTimeoutMs,
    ...config.shape,
  });
  return check ? options.superRefine((config, context) => check(config as never, context)) : options;
}

const [first, ...rest] = sinks;

// The registry knows the options of each type; of a list built in a loop the compiler does not.
export const sinkConfig = z.discriminatedUnion('type', [
  schemaOf(first),
  ...rest.map(schemaOf),
]) as unknown as z.ZodType<SinkConfig>;

/** Does no I/O. */
export function createSink(config: SinkConfig, context: SinkContext): Sink {
  const { definition, options } = definitionOf(config);
  return definition.create(options as never, context);
}

/** What a sink's own store has; undefined for kinds that cannot be read back. */
export async function auditSink(config: SinkConfig, context: AuditContext): Promise<SinkAudit | undefined> {
  const { definition, options } = definitionOf(config);
  return definition.audit?.(options as never, context);
}

function definitionOf(config: SinkConfig): { definition: SinkDefinition<string, never>; options: unknown } {
  const definition = sinks.find(({ type }) => type === config.type);
  if (!definition) throw new TypeError(`no sink of type ${config.type}`);
  const { type: _type, name: _name, startAt: _startAt, writeTimeoutMs: _ms, ...options } = config;
  return { definition, options };
}
