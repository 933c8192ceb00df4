import { methods } from '@edgeward/models/train-table';
import { modelLimits } from '@edgeward/shared/models/manifest';
import { z } from 'zod';
import type { CollectorViews } from '../views.js';
import { errorBody, notFound } from './errors.js';
import { assignedView, bundleView, modelsView, trainingView } from './model-schemas.js';
import { name, noQuery } from './schemas.js';
import type { Api } from './zod.js';

const tags = ['models'];
/** Base64 is a third longer; names and quotes come on top. */
const maxBodyBytes = Math.ceil((modelLimits.maxBundleBytes * 4) / 3) + 64 * 1024;

const target = {
  type: name.meta({ description: 'Device type' }),
  gateway: name
    .nullish()
    .meta({ description: 'Only this one; absent: all that have no assignment of their own' }),
};
const revision = z.string().min(1).max(128);

/** Which models there are, who should run which, and what came of it. */
export function models(app: Api, { models }: CollectorViews): void {
  app.get(
    '/api/models',
    {
      schema: {
        tags,
        summary: 'Model bundles, which gateways should run which, and what each runs',
        querystring: noQuery,
        response: { 200: modelsView, default: errorBody },
      },
    },
    async () => models.view(),
  );

  app.post(
    '/api/models/bundles',
    {
      bodyLimit: maxBodyBytes,
      schema: {
        tags,
        summary: 'Add a model bundle; it is checked as a gateway checks it, and nobody runs it yet',
        querystring: noQuery,
        body: z.strictObject({
          files: z
            .array(z.strictObject({ name: z.string().max(64), base64: z.base64() }))
            .min(1)
            .max(modelLimits.maxFiles),
        }),
        response: { 200: bundleView, default: errorBody },
      },
    },
    async ({ body }) =>
      models.add(Object.fromEntries(body.files.map(file => [file.name, Buffer.from(file.base64, 'base64')]))),
  );

  app.post(
    '/api/models/train',
    {
      schema: {
        tags,
        summary: 'Begin to train a model from what the journal has; GET /api/models tells what becomes of it',
        querystring: noQuery,
        body: z.strictObject({
          type: target.type,
          hours: z.number().gt(0).max(87_600).optional().meta({
            description: 'Only rows of the last so many hours; absent: all that the journal has',
          }),
          method: z.enum(methods).optional(),
          acceptChange: z.boolean().default(false).meta({
            description: 'Learn even if the last fifth of the rows is unlike the rest',
          }),
          assign: z.boolean().default(false).meta({
            description: 'Have all gateways try it beside the active model, by the rules of shadow',
          }),
        }),
        response: { 200: trainingView, default: errorBody },
      },
    },
    async ({ body }) => models.train(body),
  );

  app.post(
    '/api/models/assign',
    {
      schema: {
        tags,
        summary: 'Have gateways run a model for a device type',
        querystring: noQuery,
        body: z.strictObject({
          ...target,
          revision,
          shadow: z.boolean().default(false).meta({
            description: 'First beside the active model, by the rules of shadow in the configuration',
          }),
        }),
        response: { 200: assignedView, default: errorBody },
      },
    },
    async ({ body: { type, gateway, revision, shadow } }) => {
      const done = await models.assign({ type, gateway: gateway ?? null }, revision, shadow);
      if (done) return done;
      const known = models.view().bundles.filter(one => one.type === type);
      const remedy = known.length > 0 ? `There are: ${known.map(one => one.revision).join(', ')}.` : addFirst;
      throw notFound(`There is no model ${revision} for ${type}.`, remedy, 'revision', revision);
    },
  );

  app.post(
    '/api/models/rollback',
    {
      schema: {
        tags,
        summary:
          'Have gateways run what was assigned before for a device type, or else what they have configured',
        querystring: noQuery,
        body: z.strictObject(target),
        response: { 200: assignedView, default: errorBody },
      },
    },
    async ({ body: { type, gateway } }) => {
      const done = await models.rollBack({ type, gateway: gateway ?? null });
      if (done) return done;
      throw notFound(`Nothing is assigned for ${type}.`, 'GET /api/models tells what is.', 'type', type);
    },
  );
}

const addFirst = 'Add one first: edgeward models --add DIR.';
