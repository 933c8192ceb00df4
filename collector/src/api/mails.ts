import { z } from 'zod';
import type { CollectorViews, MailBody } from '../views.js';
import { errorBody, notFound } from './errors.js';
import { idParams, limitQuery, mailView, noQuery, plainText } from './schemas.js';
import type { Api } from './zod.js';

const tags = ['mails'];

/** A mail may hold whatever a template or a device name put there: no script, no link out, no foreign image. */
const mailPolicy =
  "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'";

export function mails(app: Api, views: CollectorViews): void {
  app.get(
    '/api/mails',
    {
      schema: {
        tags,
        summary: 'Mails, newest first: sent, waiting, or kept because no SMTP server is configured',
        querystring: limitQuery,
        response: { 200: z.array(mailView).readonly(), default: errorBody },
      },
    },
    async request => views.mails(request.query.limit),
  );

  app.get(
    '/api/mails/:id',
    {
      schema: {
        tags,
        summary: 'One mail with its plain text',
        params: idParams,
        querystring: noQuery,
        response: { 200: mailView.extend({ text: z.string() }), default: errorBody },
      },
    },
    async request => {
      const { html: _, ...mail } = await find(views, request.params.id);
      return mail;
    },
  );

  app.get(
    '/api/mails/:id/html',
    {
      schema: {
        tags,
        summary: 'The HTML part as sent, to be shown in a sandboxed frame',
        params: idParams,
        querystring: noQuery,
        produces: ['text/html'],
        response: { 200: plainText, default: errorBody },
      },
    },
    async (request, reply) => {
      const { html } = await find(views, request.params.id);
      reply.header('content-security-policy', mailPolicy);
      return reply.type('text/html; charset=utf-8').send(html);
    },
  );
}

async function find(views: CollectorViews, id: string): Promise<MailBody> {
  const mail = await views.mail(id);
  if (!mail) throw notFound('No such mail.', 'See /api/mails for all.', 'id', id);
  return mail;
}
