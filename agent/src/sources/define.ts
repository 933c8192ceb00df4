import type { BatchContext } from '@edgeward/shared/batch';
import type { Source, SourcePosition } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import type { z } from 'zod';

export interface SourceContext extends BatchContext {
  readonly log: Logger;
  /** `gateway-source`: a name for protocols in which each reader needs one of its own. */
  readonly id?: string;
  /** Where this source stood when its last durable batch was stored; undefined at the first start. */
  readonly position: SourcePosition | undefined;
  /** Counts rows that were read and cannot become rows of data: read and rejected in the ledger, with a reason. */
  reject(device: string, count: number, reason: string): void;
}

export interface SourceDefinition<Type extends string = string, Config = unknown> {
  readonly type: Type;
  /** The source's own options; `type` and `name` are added by the agent's schema. */
  readonly config: z.ZodObject;
  /** Does no I/O and throws only for configurations that the schema cannot refuse. */
  create(config: Config, context: SourceContext): Source;
}

/** Ties a source's options to what `create` receives. */
export function defineSource<const Type extends string, Schema extends z.ZodObject>(definition: {
  type: Type;
  config: Schema;
  create(config: z.output<Schema>, context: SourceContext): Source;
}): SourceDefinition<Type, z.output<Schema>> & { readonly config: Schema } {
  return definition;
}
