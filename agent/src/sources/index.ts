import { nameOption } from '@edgeward/shared/config';
import type { Source } from '@edgeward/shared/contracts';
import { z } from 'zod';
import type { SourceContext, SourceDefinition } from './define.js';
import { http } from './http.js';
import { mqtt } from './mqtt.js';
import { replay } from './replay.js';
import { simulated } from './simulated.js';

/** All there are. A new source is a file beside this one and its name here. */
export const sources = [http, mqtt, replay, simulated] as const;

type Definition = (typeof sources)[number];

/** A source's own options, `type`, and a name that defaults to the type. */
type OptionsOf<D> =
  D extends SourceDefinition<infer Type, infer Config>
    ? Config & { readonly type: Type; readonly name: string }
    : never;

export type SourceConfig = OptionsOf<Definition>;

function schemaOf({ type, config }: Definition) {
  return z.strictObject({
    type: z.literal(type).meta({ description: 'Kind of source' }),
    name: nameOption()
      .default(type)
      .meta({ description: 'Name of this source, unique within the agent; its position is kept under it' }),
    ...config.shape,
  });
}

const [first, ...rest] = sources;

// The registry knows the options of each type; of a list built in a loop the compiler does not.
export const sourceConfig = z.discriminatedUnion('type', [
  schemaOf(first),
  ...rest.map(schemaOf),
]) as unknown as z.ZodType<SourceConfig>;

/** Does no I/O. */
export function createSource(config: SourceConfig, context: SourceContext): Source {
  const definition = sources.find(({ type }) => type === config.type);
  if (!definition) throw new TypeError(`no source of type ${config.type}`);
  const { type: _type, name: _name, ...options } = config;
  return definition.create(options as never, context);
}
