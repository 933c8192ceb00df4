import assert from 'node:assert/strict';
import type { Clock } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import type { FastifyInstance, LightMyRequestResponse } from 'fastify';
import { errorBody } from '../api/errors.js';
import { type ApiConfig, apiConfig, createApi } from '../api/server.js';
import type { StreamOptions } from '../api/stream.js';
import type { CollectorViews } from '../views.js';
import { FakeViews } from './fake-views.js';

export interface TestApi extends AsyncDisposable {
  readonly app: FastifyInstance;
  readonly views: FakeViews;
  get(url: string, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
  post(url: string, payload: unknown, headers?: Record<string, string>): Promise<LightMyRequestResponse>;
}

interface TestApiOptions {
  readonly views?: FakeViews;
  readonly config?: Partial<ApiConfig>;
  readonly clock?: Clock;
  readonly stream?: Partial<StreamOptions>;
}

/** The API over the stand-in, closed at the end of the test. */
export function testApi(options: TestApiOptions = {}): TestApi {
  const { views = new FakeViews({ demo: true }), config = {}, ...rest } = options;
  const known: CollectorViews = views;
  const app = createApi({
    views: known,
    config: { ...apiConfig.parse({}), ...config },
    log: silentLogger,
    ...rest,
  });
  return {
    app,
    views,
    get: (url, headers = {}) =>
      app.inject({ method: 'GET', url, headers: { host: 'localhost:8080', ...headers } }),
    post: (url, payload, headers = {}) =>
      app.inject({
        method: 'POST',
        url,
        headers: { host: 'localhost:8080', 'content-type': 'application/json', ...headers },
        payload: typeof payload === 'string' ? payload : JSON.stringify(payload),
      }),
    [Symbol.asyncDispose]: () => app.close(),
  };
}

/** The error of an answer that must be one. */
export function errorOf(response: LightMyRequestResponse, status: number) {
  assert.equal(response.statusCode, status, response.body);
  return errorBody.parse(response.json()).error;
}
