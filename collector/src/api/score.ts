import { z } from 'zod';
import type { CollectorViews, ScoreRequestRow, ScoreResultRow } from '../views.js';
import { errorBody } from './errors.js';
import { channelEvidence, name, noQuery } from './schemas.js';
import type { Api } from './zod.js';

const maxRows = 1000;

const timestamp = z
  .number()
  .min(0)
  .max(8.64e15)
  .meta({ description: 'ms since Unix epoch, UTC', examples: [1_690_000_000_000] });

const oneValue = z
  .strictObject({ sensorId: name, timestamp, value: z.number() })
  .meta({ description: 'One reading; its channel is called value' });

const manyValues = z
  .strictObject({
    device: name,
    timestamp,
    values: z.record(name, z.number()).refine(values => Object.keys(values).length > 0, {
      error: 'has no channel',
      params: { remedy: 'Give at least one channel, for example {"temperature": 41}.' },
    }),
    type: name.optional().meta({ description: 'Device type whose rules and model to use' }),
  })
  .meta({ description: 'One row of several channels' });

const event = z.union([oneValue, manyValues]);
const body = z.union([oneValue, manyValues, z.array(event).min(1).max(maxRows)]);

const answerPart = z.strictObject({
  timestamp: z.number(),
  anomaly: z.boolean(),
  score: z.number().meta({ description: '0 to 1; towards 1 = more anomalous' }),
  model: z.string().nullable(),
  reasons: z.array(z.string()).readonly(),
  channels: z.array(channelEvidence).readonly(),
});
const answer = z.union([
  answerPart.extend({ sensorId: z.string() }),
  answerPart.extend({ device: z.string() }),
]);

type Event = z.output<typeof event>;
type Answer = z.output<typeof answer>;

/** Stateless: nothing sent here is kept. */
export function score(app: Api, views: CollectorViews): void {
  app.post(
    '/score',
    {
      schema: {
        tags: ['score'],
        summary: `Score one event, or a list of up to ${maxRows}, by rules and model`,
        description:
          'Each row is judged by itself, also within a list: nothing is kept of the rows before. Rules that look back (windows, "for") are for agents.',
        querystring: noQuery,
        body,
        response: { 200: z.union([answer, z.array(answer)]), default: errorBody },
      },
    },
    async request => {
      const events = Array.isArray(request.body) ? request.body : [request.body];
      const results = await views.score(events.map(toRow));
      const answers = events.map((sent, i) => toAnswer(sent, results[i]));
      return Array.isArray(request.body) ? answers : answers[0]!;
    },
  );
}

function toRow(sent: Event): ScoreRequestRow {
  if ('sensorId' in sent) {
    return { device: sent.sensorId, timeMs: sent.timestamp, values: { value: sent.value } };
  }
  const { device, timestamp: timeMs, values, type } = sent;
  return { device, timeMs, values, ...(type !== undefined && { type }) };
}

function toAnswer(sent: Event, result: ScoreResultRow | undefined): Answer {
  if (!result) throw new TypeError('score() must answer every row.');
  const { anomaly, score: value, model, reasons, channels } = result;
  const rest = { timestamp: sent.timestamp, anomaly, score: value, model, reasons, channels };
  return 'sensorId' in sent ? { sensorId: sent.sensorId, ...rest } : { device: sent.device, ...rest };
}
