import type { CollectorViews } from '../views.js';
import { errorBody } from './errors.js';
import { deadLettersView, idParams, limitQuery, noQuery, replayed } from './schemas.js';
import type { Api } from './zod.js';

const tags = ['operation'];

export function deadLetters(app: Api, views: CollectorViews): void {
  app.get(
    '/api/dead-letters',
    {
      schema: {
        tags,
        summary: 'Blocks that were not understood, kept whole with the reason',
        querystring: limitQuery,
        response: { 200: deadLettersView, default: errorBody },
      },
    },
    async request => views.deadLetters(request.query.limit),
  );

  app.post(
    '/api/dead-letters/:id/replay',
    {
      schema: {
        tags,
        summary: 'Try a dead letter again, as after an update that understands it',
        params: idParams,
        querystring: noQuery,
        response: { 200: replayed, default: errorBody },
      },
    },
    async request => {
      const reason = await views.replayDeadLetter(request.params.id);
      return { stored: reason === null, reason };
    },
  );
}
