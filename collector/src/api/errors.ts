import { EdgewardError, type ErrorCode, errorTable } from '@edgeward/shared/errors';
import type { FastifyError, FastifyInstance } from 'fastify';
import { z } from 'zod';

/** Every error has this body; stack traces never leave the process. */
export const errorBody = z.strictObject({
  error: z.strictObject({
    code: z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]),
    message: z.string(),
    field: z
      .string()
      .optional()
      .meta({ description: 'Where in the request, for example [3].values.pressure' }),
    value: z.unknown().optional().meta({ description: 'What stood there' }),
    remedy: z.string().optional().meta({ description: 'What to do about it' }),
  }),
});

export type ErrorBody = z.output<typeof errorBody>;

const statusOf: Partial<Record<ErrorCode, number>> = {
  EW_HTTP_REQUEST: 400,
  EW_CONFIG_FILE: 422,
  EW_CONFIG_INVALID: 422,
  EW_MODEL_BUNDLE: 422,
  EW_MODEL_GOLDEN: 422,
  EW_TRAIN_INPUT: 422,
  EW_HTTP_PASSWORD: 401,
  EW_HTTP_REFUSED: 403,
  EW_HTTP_NOT_FOUND: 404,
  EW_HTTP_BUSY: 503,
};

export interface Details {
  readonly status?: number;
  readonly field?: string;
  readonly value?: unknown;
  readonly remedy?: string;
  readonly cause?: unknown;
}

/** An answer other than 2xx; `status` follows from the code unless given. */
export class HttpError extends EdgewardError {
  readonly status: number;

  constructor(
    code: ErrorCode,
    readonly text: string,
    readonly details: Details = {},
  ) {
    super(code, text, { cause: details.cause });
    this.status = details.status ?? statusOf[code] ?? 500;
  }
}

export function notFound(what: string, remedy: string, field?: string, value?: string): HttpError {
  return new HttpError('EW_HTTP_NOT_FOUND', what, {
    remedy,
    ...(field !== undefined && { field }),
    ...(value !== undefined && { value }),
  });
}

/** Answers every failure, of ours or Fastify's, in the one shape. */
export function answerErrors(app: FastifyInstance): void {
  app.setErrorHandler((thrown: FastifyError | Error, request, reply) => {
    const error = withForms(asHttpError(thrown), request.routeOptions.url);
    if (error.status >= 500) request.log.error({ err: thrown, url: request.url }, 'request failed');
    // A body may carry anything, HTML included: it must never be shown as such.
    return reply
      .code(error.status)
      .type('application/json')
      .send(JSON.stringify(bodyOf(error)));
  });
  app.setNotFoundHandler(request => {
    throw notFound(
      `${request.method} ${request.url.slice(0, 200)} is not a route of this API.`,
      'See /api/openapi.json for all routes.',
    );
  });
}

export function bodyOf(error: HttpError): ErrorBody {
  const { field, value, remedy } = error.details;
  return {
    error: {
      code: error.code,
      message: error.text,
      ...(field !== undefined && { field }),
      ...(value !== undefined && { value: shorten(value) }),
      ...(remedy !== undefined && { remedy }),
    },
  };
}

function asHttpError(error: FastifyError | Error): HttpError {
  if (error instanceof HttpError) return error;
  // Views may refuse a request in their own words.
  if (error instanceof EdgewardError && statusOf[error.code]) return new HttpError(error.code, error.message);
  const status = 'statusCode' in error ? (error.statusCode ?? 500) : 500;
  if (status >= 500) {
    return new HttpError('EW_HTTP_FAILED', errorTable.EW_HTTP_FAILED.text, {
      remedy: "Try again; the collector's log has the cause.",
    });
  }
  return new HttpError('EW_HTTP_REQUEST', error.message, { status, remedy: remedies[status] ?? generic });
}

/** What a route takes that has more than one form: of a near miss, one cannot know which was meant. */
const forms: Readonly<Record<string, string>> = {
  '/score':
    'An event is {"sensorId": "sensor-1", "timestamp": 1690000000000, "value": 50} or ' +
    '{"device": "pump-1", "timestamp": 1690000000000, "values": {"temperature": 41}}.',
};

function withForms(error: HttpError, route: string | undefined): HttpError {
  const known = route === undefined ? undefined : forms[route];
  if (known === undefined || error.status !== 400) return error;
  const remedy = `${error.details.remedy ?? generic} ${known}`;
  return new HttpError(error.code, error.text, { ...error.details, status: error.status, remedy });
}

const generic = 'See /api/openapi.json for what this route takes.';
const remedies: Partial<Record<number, string>> = {
  400: 'Send valid JSON.',
  413: 'Send at most 1 MiB at once.',
  415: 'Send JSON with Content-Type: application/json.',
};

/** Echoed values stay small. */
function shorten(value: unknown): unknown {
  const text = JSON.stringify(value);
  return text === undefined || text.length <= 200 ? value : `${text.slice(0, 200)}…`;
}
