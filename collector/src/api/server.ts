import { systemClock } from '@edgeward/shared/clock';
import type { Clock } from '@edgeward/shared/contracts';
import type { Logger } from '@edgeward/shared/log';
import { type FastifyBaseLogger, type FastifyInstance, fastify, LogController } from 'fastify';
import type { CollectorViews } from '../views.js';
import { audit } from './audit.js';
import { type ApiConfig, checkExposure } from './config.js';
import { deadLetters } from './dead-letters.js';
import { demo } from './demo.js';
import { answerErrors } from './errors.js';
import { fleet } from './fleet.js';
import { health } from './health.js';
import { incidents } from './incidents.js';
import { mails } from './mails.js';
import { models } from './models.js';
import { notifications } from './notifications.js';
import { documentRoutes, openapi } from './openapi.js';
import { page } from './page.js';
import { requirePassword } from './password.js';
import { score } from './score.js';
import { secure } from './security.js';
import { series } from './series.js';
import { sinks } from './sinks.js';
import { type StreamOptions, stream, streamDefaults } from './stream.js';
import { type Api, useZod } from './zod.js';

export { type ApiConfig, apiConfig } from './config.js';

export interface ApiOptions {
  readonly views: CollectorViews;
  readonly config: ApiConfig;
  readonly log: Logger;
  readonly clock?: Clock;
  /** The collector's version, for the OpenAPI document. */
  readonly version?: string;
  readonly stream?: Partial<StreamOptions>;
}

/**
 * The HTTP API and the page, not yet listening: `await api.listen({ host, port })`. `close()` ends open streams.
 * @throws EW_CONFIG_INVALID if others could reach it without a password
 */
export function createApi(options: ApiOptions): FastifyInstance {
  const { config, log } = options;
  checkExposure(config);
  const app = fastify({
    loggerInstance: log as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: 1024 * 1024,
    routerOptions: { maxParamLength: 200 },
  });
  // JSON is the only body there is; a form of a foreign page cannot send it without a preflight.
  app.removeContentTypeParser('text/plain');
  useZod(app);
  answerErrors(app);
  secure(app, config);
  if (config.password) requirePassword(app, config.password, options.clock ?? systemClock);
  documentRoutes(app, options.version ?? '0.1.0');
  app.register(async instance => addRoutes(instance, options));
  return app;
}

function addRoutes(app: Api, { views, stream: limits }: ApiOptions): void {
  health(app, views);
  score(app, views);
  fleet(app, views);
  deadLetters(app, views);
  sinks(app, views);
  models(app, views);
  audit(app, views);
  series(app, views);
  incidents(app, views);
  mails(app, views);
  notifications(app, views);
  stream(app, views, { ...streamDefaults, ...limits });
  openapi(app);
  page(app);
  if (views.demo) demo(app, views.demo);
}
