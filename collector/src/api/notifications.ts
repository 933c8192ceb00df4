import { z } from 'zod';
import type { CollectorViews } from '../views.js';
import { errorBody, notFound } from './errors.js';
import { limitQuery, noQuery, noticeView } from './schemas.js';
import type { Api } from './zod.js';

const tags = ['mails'];

export function notifications(app: Api, views: CollectorViews): void {
  app.get(
    '/api/notifications',
    {
      schema: {
        tags,
        summary: 'What Slack and webhooks are told, newest first: sent, waiting, or failed',
        querystring: limitQuery,
        response: { 200: z.array(noticeView).readonly(), default: errorBody },
      },
    },
    async request => views.notifications(request.query.limit),
  );

  app.get(
    '/api/notifications/:notifier/:id',
    {
      schema: {
        tags,
        summary: 'One of them with the JSON that is sent; secrets are *** in it',
        params: z.strictObject({ notifier: z.string().max(200), id: z.string().max(200) }),
        querystring: noQuery,
        response: { 200: noticeView.extend({ text: z.string() }), default: errorBody },
      },
    },
    async request => {
      const { notifier, id } = request.params;
      const found = await views.notification(notifier, id);
      if (!found) throw notFound('No such notification.', 'See /api/notifications for all.', 'id', id);
      return found;
    },
  );
}
