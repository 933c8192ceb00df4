import { z } from 'zod';
import type { HandlingAction } from '../alerts/handling.js';
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
        querystring: limitQuery.extend({ under }),
        response: { 200: z.array(incident).readonly(), default: errorBody },
      },
    },
    async request => views.incidents(request.query.limit, request.query.under),
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
      if (!found) throw unknown(request.params.id);
      return found;
    },
  );

  const handled = { tags, params: idParams, querystring: noQuery };
  const response = { 200: incident, default: errorBody };

  app.post(
    '/api/incidents/:id/acknowledge',
    {
      schema: {
        ...handled,
        summary: 'Somebody looks after it',
        body: z.strictObject({ by }),
        response,
      },
    },
    async ({ params, body }) => handle(views, params.id, { kind: 'acknowledge' }, body.by),
  );

  app.post(
    '/api/incidents/:id/mute',
    {
      schema: {
        ...handled,
        summary: 'No mails about it for some time',
        body: z.strictObject({
          by,
          minutes: z.int().min(0).max(10_080).meta({ description: 'For so long; 0 ends it' }),
        }),
        response,
      },
    },
    async ({ params, body }) => handle(views, params.id, { kind: 'mute', minutes: body.minutes }, body.by),
  );

  app.post(
    '/api/incidents/:id/feedback',
    {
      schema: {
        ...handled,
        summary:
          'Whether it was a real one; after a false alarm, readings of the device must be more unusual than it was',
        body: z.strictObject({ by, verdict: z.enum(['real', 'false-alarm']) }),
        response,
      },
    },
    async ({ params, body }) =>
      handle(views, params.id, { kind: 'feedback', verdict: body.verdict }, body.by),
  );
}

const under = z
  .string()
  .min(1)
  .max(600)
  .optional()
  .meta({
    description: 'Only of this site, line or machine and what lies in it',
    examples: ['north/line-2'],
  });

const by = z.string().max(60).optional().meta({ description: 'Who says so, for the timeline' });

async function handle(views: CollectorViews, id: string, action: HandlingAction, who: string | undefined) {
  if (!views.incident(id)) throw unknown(id);
  return views.handle(id, action, who);
}

function unknown(id: string) {
  return notFound('No such incident.', 'See /api/incidents for all.', 'id', id);
}
