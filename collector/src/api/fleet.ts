import { z } from 'zod';
import type { CollectorViews } from '../views.js';
import { errorBody } from './errors.js';
import { anyName, deviceView, eventView, gatewayView, ledgerView, limitQuery, noQuery } from './schemas.js';
import type { Api } from './zod.js';

const tags = ['fleet'];

export function fleet(app: Api, views: CollectorViews): void {
  app.get(
    '/api/gateways',
    {
      schema: {
        tags,
        summary: 'All gateways the collector has seen',
        querystring: noQuery,
        response: { 200: z.array(gatewayView).readonly(), default: errorBody },
      },
    },
    async () => views.gateways(),
  );

  app.get(
    '/api/devices',
    {
      schema: {
        tags,
        summary: 'Devices with their fields and newest values',
        querystring: z.strictObject({
          gateway: anyName.optional().meta({
            description:
              'Only of this gateway; `_pipeline`: the collector, its sinks and the gateways themselves, which are not among all',
          }),
          device: anyName.optional().meta({ description: 'Only this device' }),
        }),
        response: { 200: z.array(deviceView).readonly(), default: errorBody },
      },
    },
    async request => views.devices(request.query.gateway, request.query.device),
  );

  app.get(
    '/api/ledger',
    {
      schema: {
        tags,
        summary:
          'read = stored + inFlight + rejected + thinned + dropped + damaged + earlier, per gateway and device',
        querystring: noQuery,
        response: { 200: ledgerView, default: errorBody },
      },
    },
    async () => views.ledger(),
  );

  app.get(
    '/api/events',
    {
      schema: {
        tags,
        summary:
          'What gateways and the collector itself reported beside data: gaps, damage, dropped rows, refused copies',
        querystring: limitQuery,
        response: { 200: z.array(eventView).readonly(), default: errorBody },
      },
    },
    async request => views.events(request.query.limit),
  );
}
