import type { Clock, Refusal, Sink } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import type { z } from 'zod';
import type { SinkAudit } from './audit.js';

export interface AuditContext {
  /** The sink's, unique within the collector. */
  readonly name: string;
  /** The collector's, unique among those that share a server. */
  readonly collector: string;
  readonly log: Logger;
  readonly clock: Clock;
}

export interface SinkContext extends AuditContext {
  /**
   * Keeps what the server will never take, whole, in the collector's dead letters. Durable once it resolves: call it
   * before the cursor moves. The same again changes nothing.
   */
  readonly refuse: (refusals: readonly Refusal[]) => Promise<void>;
}

export interface SinkDefinition<Type extends string = string, Config = unknown> {
  readonly type: Type;
  /** The sink's own options; `type` and `name` are added by the collector's schema. */
  readonly config: z.ZodObject;
  /** What no option can tell by itself: adds an issue, with a remedy, where options do not go together. */
  check?(config: Config, context: z.RefinementCtx): void;
  /** Does no I/O: the sink opens in `cursor` or at its first `write`. */
  create(config: Config, context: SinkContext): Sink;
  /** Reads back what it has stored, also while it runs. Absent or undefined: an audit goes by its cursor alone. */
  audit?(config: Config, context: AuditContext): Promise<SinkAudit | undefined>;
}

export function defineSink<const Type extends string, Schema extends z.ZodObject>(definition: {
  type: Type;
  config: Schema;
  check?(config: z.output<Schema>, context: z.RefinementCtx): void;
  create(config: z.output<Schema>, context: SinkContext): Sink;
  audit?(config: z.output<Schema>, context: AuditContext): Promise<SinkAudit | undefined>;
}): SinkDefinition<Type, z.output<Schema>> & { readonly config: Schema } {
  return definition;
}
