import type { Clock, Sink } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import type { z } from 'zod';
import type { SinkAudit } from './audit.js';

export interface SinkContext {
  readonly log: Logger;
  readonly clock: Clock;
}

export interface SinkDefinition<Type extends string = string, Config = unknown> {
  readonly type: Type;
  /** The sink's own options; `type` and `name` are added by the collector's schema. */
  readonly config: z.ZodObject;
  /** Does no I/O: the sink opens in `cursor` or at its first `write`. */
  create(config: Config, context: SinkContext): Sink;
  /** Reads back what it has stored, also while it runs. Absent: an audit goes by its cursor alone. */
  audit?(config: Config, context: SinkContext): Promise<SinkAudit>;
}

export function defineSink<const Type extends string, Schema extends z.ZodObject>(definition: {
  type: Type;
  config: Schema;
  create(config: z.output<Schema>, context: SinkContext): Sink;
  audit?(config: z.output<Schema>, context: SinkContext): Promise<SinkAudit>;
}): SinkDefinition<Type, z.output<Schema>> & { readonly config: Schema } {
  return definition;
}
