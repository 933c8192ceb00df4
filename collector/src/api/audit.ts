import { z } from 'zod';
import { blockPage } from '../audit/block-list.js';
import type { CollectorViews } from '../views.js';
import { errorBody } from './errors.js';
import { auditBooks, noQuery } from './schemas.js';
import type { Api } from './zod.js';

const tags = ['operation'];
/** So that no answer takes long to find. */
const pageBlocks = 1000;

/** What `edgeward audit` asks of a running collector. */
export function audit(app: Api, views: CollectorViews): void {
  app.get(
    '/api/audit',
    {
      schema: {
        tags,
        summary: 'The books of the journal at this moment, for edgeward audit: may change with any release',
        querystring: noQuery,
        response: { 200: auditBooks, default: errorBody },
      },
    },
    async () => views.auditBooks(),
  );

  app.get(
    '/api/audit/blocks',
    {
      schema: {
        tags,
        summary: 'Blocks of the journal in order, without values, for edgeward audit',
        querystring: z.strictObject({
          after: z.coerce.number().int().min(0).default(0).meta({ description: 'Behind this position' }),
        }),
        response: { 200: blockPage, default: errorBody },
      },
    },
    async request => views.auditBlocks(request.query.after, pageBlocks),
  );
}
