import { metricsContentType } from '@edgeward/shared/metrics/metrics';
import { z } from 'zod';
import type { CollectorViews } from '../views.js';
import { errorBody } from './errors.js';
import { healthView, noQuery, plainText } from './schemas.js';
import type { Api } from './zod.js';

const tags = ['operation'];

export function health(app: Api, views: CollectorViews): void {
  app.get(
    '/healthz',
    {
      schema: {
        tags,
        summary: 'Does the process live?',
        querystring: noQuery,
        response: { 200: z.strictObject({ live: z.literal(true) }), default: errorBody },
      },
    },
    async () => ({ live: true as const }),
  );

  app.get(
    '/readyz',
    {
      schema: {
        tags,
        summary: 'Can it take and store data? If not: the failing checks',
        querystring: noQuery,
        response: { 200: healthView, 503: healthView, default: errorBody },
      },
    },
    async (_request, reply) => {
      const state = views.health();
      return reply.code(state.ready ? 200 : 503).send(state);
    },
  );

  app.get(
    '/metrics',
    {
      schema: {
        tags,
        summary: 'Metrics in the Prometheus text format',
        produces: ['text/plain'],
        querystring: noQuery,
        response: { 200: plainText, default: errorBody },
      },
    },
    async (_request, reply) => {
      return reply.type(metricsContentType).send(await views.metrics());
    },
  );
}
