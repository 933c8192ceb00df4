import swagger from '@fastify/swagger';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { errorBody } from './errors.js';
import { noQuery } from './schemas.js';
import { type Api, describe } from './zod.js';

/** Must be called before the routes are added: it listens to their registration. */
export function documentRoutes(app: FastifyInstance, version: string): void {
  app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Edgeward collector',
        version,
        description: 'Fleet, series, incidents, mails and the delivery ledger of one collector.',
      },
      tags: [
        { name: 'fleet', description: 'Gateways, devices, their data and its accounting' },
        { name: 'incidents', description: 'Stretches of trouble on a device' },
        { name: 'mails', description: 'What people and machines were told of them' },
        { name: 'score', description: 'Scoring without keeping' },
        { name: 'sinks', description: 'Where the journal is copied to' },
        { name: 'operation', description: 'For probes and monitoring' },
        { name: 'page', description: 'The live page' },
        { name: 'demo', description: 'Only in the demo' },
      ],
    },
    convertConstToEnum: false,
    transform: ({ schema, url }) => ({ schema: schema === undefined ? {} : describe(schema), url }),
  });
}

export function openapi(app: Api): void {
  app.get(
    '/api/openapi.json',
    {
      schema: {
        tags: ['operation'],
        summary: 'This document',
        querystring: noQuery,
        response: { 200: z.looseObject({}), default: errorBody },
      },
    },
    async () => ({ ...app.swagger() }),
  );
}
