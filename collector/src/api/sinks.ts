import { z } from 'zod';
import type { CollectorViews } from '../views.js';
import { errorBody, notFound } from './errors.js';
import {
  id,
  limitQuery,
  name,
  noQuery,
  reloadView,
  sinkLettersView,
  sinkPauseView,
  sinkReplayView,
  sinkView,
} from './schemas.js';
import type { Api } from './zod.js';

const tags = ['sinks'];
const params = z.strictObject({ name });
const noBody = z.strictObject({}).nullish();

/** Where the journal is copied to, and how people act on it. */
export function sinks(app: Api, { sinks }: CollectorViews): void {
  const orMissing = <Found>(found: Found | undefined, asked: string): Found => {
    if (found !== undefined) return found;
    const names = sinks.list().map(one => one.name);
    const remedy =
      names.length > 0 ? `There are: ${names.join(', ')}.` : 'The configuration of this collector has none.';
    throw notFound(`There is no sink named ${asked}.`, remedy, 'name', asked);
  };

  app.get(
    '/api/sinks',
    {
      schema: {
        tags,
        summary: 'All configured sinks: state, lag, what failed, dead letters',
        querystring: noQuery,
        response: { 200: z.array(sinkView).readonly(), default: errorBody },
      },
    },
    async () => sinks.list(),
  );

  app.get(
    '/api/sinks/:name/dead-letters',
    {
      schema: {
        tags,
        summary: 'What the server behind a sink will never take, kept whole with what it said',
        params,
        querystring: limitQuery,
        response: { 200: sinkLettersView, default: errorBody },
      },
    },
    async ({ params, query }) => orMissing(sinks.letters(params.name, query.limit), params.name),
  );

  app.post(
    '/api/sinks/:name/dead-letters/replay',
    {
      schema: {
        tags,
        summary: 'Try dead letters of a sink again, as after a change at its server; without ids all',
        params,
        querystring: noQuery,
        body: z.strictObject({ ids: z.array(id).min(1).max(10_000).optional() }).nullish(),
        response: { 200: sinkReplayView, default: errorBody },
      },
    },
    async ({ params, body }) => orMissing(await sinks.replay(params.name, body?.ids), params.name),
  );

  for (const act of ['pause', 'resume'] as const)
    app.post(
      `/api/sinks/:name/${act}`,
      {
        schema: {
          tags,
          summary:
            act === 'pause'
              ? 'Write nothing more to a sink, also after a restart, until it is resumed'
              : 'Write to a paused sink again, from where it stands',
          params,
          querystring: noQuery,
          body: noBody,
          response: { 200: sinkPauseView, default: errorBody },
        },
      },
      async ({ params }) => orMissing(await sinks[act](params.name), params.name),
    );

  app.post(
    '/api/sinks/reload',
    {
      schema: {
        tags,
        summary:
          'Read the configuration file again, and apply what changed in sinks, receiptAfter and topology',
        querystring: noQuery,
        body: noBody,
        response: { 200: reloadView, default: errorBody },
      },
    },
    () => sinks.reload(),
  );
}
