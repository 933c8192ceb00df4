import { z } from 'zod';
import type { CollectorViews } from '../views.js';
import { errorBody, notFound } from './errors.js';
import { idParams, incident, limitQuery, noQuery } from './schemas.js';
import type { Api } from './zod.js';

const tags = ['incidents'];

export function incidents(app: Api, views: CollectorViews): void {
  app.get(
    '/api/incidents',
    {
      schema: {
        tags,
        summary: 'Incidents, newest first',
        querystring: limitQuery,
        response: { 200: z.array(incident).readonly(), default: errorBody },
      },
    },
    async request => views.incidents(request.query.limit),
  );

  app.get(
    '/api/incidents/:id',
    {
      schema: {
        tags,
        summary: 'One incident with its channels, timeline and recommendations',
        params: idParams,
        querystring: noQuery,
        response: { 200: incident, default: errorBody },
      },
    },
    async request => {
      const found = views.incident(request.params.id);
      if (!found) {
        throw notFound('No such incident.', 'See /api/incidents for all.', 'id', request.params.id);
      }
      return found;
    },
  );
}
