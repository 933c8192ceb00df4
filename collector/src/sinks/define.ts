import type { Clock, Sink } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import type { z } from 'zod';

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
}

export function defineSink<const Type extends string, Schema extends z.ZodObject>(definition: {
  type: Type;
  config: Schema;
  create(config: z.output<Schema>, context: SinkContext): Sink;
}): SinkDefinition<Type, z.output<Schema>> & { readonly config: Schema } {
  return definition;
}
