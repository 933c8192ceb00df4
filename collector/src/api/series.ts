import { z } from 'zod';
import type { CollectorViews, DeviceView } from '../views.js';
import { errorBody, HttpError, notFound } from './errors.js';
import { anyName, seriesView } from './schemas.js';
import type { Api } from './zod.js';

const timeMs = z.coerce.number().min(1).max(8.64e15);

const query = z.strictObject({
  gateway: anyName,
  device: anyName,
  fields: z
    .string()
    .min(1)
    .max(4000)
    .optional()
    .meta({ description: 'Field names, separated by commas; absent = all numeric and boolean fields' }),
  from: timeMs.meta({ description: 'First time wanted, ms since Unix epoch, UTC' }),
  to: timeMs.meta({ description: 'Last time wanted, ms since Unix epoch, UTC' }),
  points: z.coerce.number().int().min(2).max(10_000).default(1000).meta({
    description: 'At most about this many; above it each span keeps its lowest and highest value',
  }),
});

export function series(app: Api, views: CollectorViews): void {
  app.get(
    '/api/series',
    {
      schema: {
        tags: ['fleet'],
        summary: "One device's values, scores and anomalies over time",
        querystring: query,
        response: { 200: seriesView, default: errorBody },
      },
    },
    async request => {
      const { gateway, device, fields, from, to, points } = request.query;
      if (from > to) throw reversed(from);
      const known = views.devices(gateway, device)[0];
      if (!known) throw noDevice(device);
      const found = views.series({
        gateway,
        device,
        fields: chosen(known, fields),
        fromMs: from,
        toMs: to,
        maxPoints: points,
      });
      if (!found) throw noDevice(device);
      return found;
    },
  );
}

/** @throws 400 for fields that the device does not have or that cannot be plotted */
function chosen(device: DeviceView, wanted: string | undefined): string[] {
  const plottable = device.fields.filter(field => field.kind !== 'string').map(field => field.name);
  if (wanted === undefined) return plottable;
  const names = [...new Set(wanted.split(','))];
  const unknown = names.find(one => !plottable.includes(one));
  if (unknown === undefined) return names;
  throw new HttpError('EW_HTTP_REQUEST', `fields: ${device.device} has no such field to plot.`, {
    field: 'fields',
    value: unknown,
    remedy: `Give one or more of ${plottable.join(', ')}.`,
  });
}

function reversed(from: number): HttpError {
  return new HttpError('EW_HTTP_REQUEST', 'from: lies after to.', {
    field: 'from',
    value: from,
    remedy: 'Give a time before to.',
  });
}

function noDevice(device: string): HttpError {
  return notFound('No such device.', 'See /api/devices for all devices.', 'device', device);
}
