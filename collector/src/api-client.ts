/** Asks a running collector through its API, as its own commands do. */
import { readSecret, type SecretRef } from '@edgeward/shared/config';
import { detailOf, EdgewardError, type ErrorCode, errorTable, messageOf } from '@edgeward/shared/errors';
import { isWildcard } from '@edgeward/shared/hosts';
import { z } from 'zod';

/** Where it is: `api` of its configuration. */
export interface ApiPlace {
  readonly host: string;
  readonly port: number;
  readonly password?: SecretRef | undefined;
}

export function urlOf({ host: at, port }: ApiPlace): string {
  const host = isWildcard(at) ? '127.0.0.1' : at;
  return `http://${host.includes(':') && !host.startsWith('[') ? `[${host}]` : host}:${port}`;
}

/** @param user  for whoever reads its log; any will do */
export async function credentials({ password }: ApiPlace, user: string): Promise<Record<string, string>> {
  if (!password) return {};
  const pair = `${user}:${await readSecret(password)}`;
  return { authorization: `Basic ${Buffer.from(pair).toString('base64')}` };
}

const failure = z.object({
  error: z.object({ code: z.string(), message: z.string(), remedy: z.string().optional() }),
});

export class ApiClient {
  readonly #url: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #stop: AbortSignal;

  private constructor(url: string, headers: Readonly<Record<string, string>>, stop: AbortSignal) {
    this.#url = url;
    this.#headers = headers;
    this.#stop = stop;
  }

  /** @throws EW_CONFIG_FILE if the password cannot be read */
  static async of(place: ApiPlace, stop: AbortSignal): Promise<ApiClient> {
    if (place.port === 0)
      throw new EdgewardError(
        'EW_COLLECTOR_AWAY',
        'api.port is 0, so the collector has taken any free one: give it a fixed one to be found at.',
      );
    return new ApiClient(urlOf(place), await credentials(place, 'edgeward'), stop);
  }

  get<Schema extends z.ZodType>(what: string, schema: Schema): Promise<z.output<Schema>> {
    return this.#ask(what, schema, { headers: this.#headers });
  }

  post<Schema extends z.ZodType>(what: string, schema: Schema, body: object = {}): Promise<z.output<Schema>> {
    const headers = { ...this.#headers, 'content-type': 'application/json' };
    return this.#ask(what, schema, { method: 'POST', headers, body: JSON.stringify(body) });
  }

  /** @throws EW_COLLECTOR_AWAY, or what the collector says */
  async #ask<Schema extends z.ZodType>(
    what: string,
    schema: Schema,
    init: RequestInit,
  ): Promise<z.output<Schema>> {
    const answer = await this.#fetch(what, init);
    if (!answer.ok) throw await failureOf(answer, `${this.#url}${what}`);
    return schema.parse(await answer.json());
  }

  async #fetch(what: string, init: RequestInit): Promise<Response> {
    try {
      return await fetch(`${this.#url}${what}`, { ...init, signal: this.#stop });
    } catch (error) {
      const cause = error instanceof Error && error.cause ? messageOf(error.cause) : messageOf(error);
      throw new EdgewardError(
        'EW_COLLECTOR_AWAY',
        `${this.#url}: ${cause}. Start the collector, or check api.host and api.port.`,
        { cause: error },
      );
    }
  }
}

async function failureOf(answer: Response, url: string): Promise<EdgewardError> {
  const text = await answer.text();
  const { data } = failure.safeParse(parse(text));
  if (!data || !(data.error.code in errorTable))
    return new EdgewardError('EW_HTTP_FAILED', `${url} answered ${answer.status}: ${text.slice(0, 200)}`);
  const code = data.error.code as ErrorCode;
  const { message, remedy } = data.error;
  return new EdgewardError(code, [detailOf(code, message), remedy].filter(Boolean).join(' '));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
