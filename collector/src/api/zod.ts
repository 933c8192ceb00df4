/**
 * One way of checking: zod schemas in Fastify's `schema`, for params, query and body. The same schemas become
 * the OpenAPI document. Responses have schemas too: TypeScript checks the handlers against them, tests check the
 * bytes, and production does not spend time on it.
 */
import type {
  FastifyBaseLogger,
  FastifyInstance,
  FastifySchema,
  FastifyTypeProvider,
  RawReplyDefaultExpression,
  RawRequestDefaultExpression,
  RawServerDefault,
} from 'fastify';
import { z } from 'zod';
import { explain } from './explain.js';

export interface ZodTypeProvider extends FastifyTypeProvider {
  readonly validator: this['schema'] extends z.ZodType ? z.output<this['schema']> : unknown;
  readonly serializer: this['schema'] extends z.ZodType ? z.input<this['schema']> : unknown;
}

export type Api = FastifyInstance<
  RawServerDefault,
  RawRequestDefaultExpression,
  RawReplyDefaultExpression,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export function useZod(app: FastifyInstance): void {
  app.setValidatorCompiler<z.ZodType>(({ schema }) => input => {
    const result = schema.safeParse(input);
    return result.success ? { value: result.data } : { error: explain(result.error, input) };
  });
  app.setSerializerCompiler(() => body => JSON.stringify(body));
}

/** A route's zod schemas as JSON Schema, for @fastify/swagger. */
export function describe(schema: FastifySchema): FastifySchema {
  const { params, querystring, body, response, ...rest } = schema;
  return {
    ...rest,
    ...(params !== undefined && { params: jsonSchema(params, 'input') }),
    ...(querystring !== undefined && { querystring: jsonSchema(querystring, 'input') }),
    ...(body !== undefined && { body: jsonSchema(body, 'input') }),
    ...(response !== undefined && { response: responses(response) }),
  };
}

function responses(response: unknown): Record<string, object> {
  const byStatus = response as Record<string, z.ZodType>;
  return Object.fromEntries(
    Object.entries(byStatus).map(([status, schema]) => [
      status,
      { description: schema.meta()?.description ?? 'As asked', ...jsonSchema(schema, 'output') },
    ]),
  );
}

function jsonSchema(schema: unknown, io: 'input' | 'output'): object {
  if (!(schema instanceof z.ZodType)) throw new TypeError('Route schemas are zod schemas.');
  const { $schema: _, ...json } = z.toJSONSchema(schema, { io });
  return json;
}
