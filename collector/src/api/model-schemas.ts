import { z } from 'zod';
import { runSchema } from '../training/runs.js';

const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();
const ms = (description: string) =>
  z.number().meta({ description: `${description}, ms since Unix epoch, UTC` });
const revision = z.string().nullable();

export const bundleView = z.strictObject({
  id: z.string().meta({ description: 'Hash of its files' }),
  type: z.string().meta({ description: 'Device type' }),
  revision: z.string(),
  name: z.string(),
  addedMs: ms('When it was added'),
  bytes: z.number(),
  files: list(z.string()),
  signed: z.boolean().meta({ description: 'It carries a signature, which is not checked yet' }),
});

export const assignedView = z.strictObject({
  type: z.string(),
  gateway: z.string().nullable().meta({ description: 'null = all that have no assignment of their own' }),
  order: z.string(),
  atMs: ms('When it was assigned'),
  by: z.enum(['at once', 'after a shadow run']),
  revision: revision.meta({ description: "null = what a gateway's own configuration names" }),
  former: revision.meta({ description: 'Where a rollback leads' }),
});

export const trainingView = runSchema.extend({
  type: z.string().meta({ description: 'Device type' }),
  by: runSchema.shape.by.meta({ description: 'schedule: by itself; demand: somebody asked' }),
  state: z.enum(['waiting', ...runSchema.shape.state.options]).meta({
    description:
      'unchanged: it came to a model that is there already; refused: text says why; interrupted: the collector ended',
  }),
  startedMs: ms('When it began').nullable(),
  endedMs: ms('When it ended').nullable(),
  rows: z.number().nullable().meta({ description: 'Rows it learned from' }),
  fieldsLeftOut: runSchema.shape.fieldsLeftOut.meta({ description: 'Fields that most of the rows lack' }),
  revision: revision.meta({ description: 'Of the model that came of it' }),
  assigned: z.boolean().meta({ description: 'Gateways were told to try it in the shadow' }),
  nextMs: ms('When the schedule trains it next').nullable(),
});

const number = z.number();
const shadow = z
  .strictObject({
    rows: number,
    deviceHours: number.meta({ description: 'Time of the rows, summed over devices' }),
    devices: number,
    alarms: z.strictObject({ candidate: number, active: number, reproduced: number }).meta({
      description: "reproduced: of the active model's, those in which the candidate flagged a row too",
    }),
    flagged: z.strictObject({ candidate: number, active: number }),
    agreed: number.meta({ description: 'Rows that both judged alike' }),
    differences: list(
      z.strictObject({
        device: z.string(),
        by: z
          .enum(['active', 'candidate'])
          .meta({ description: 'Who flagged these rows; the other did not' }),
        fromMs: ms('First row'),
        toMs: ms('Last row'),
        rows: number,
        channels: list(z.string()),
      }),
    ).meta({ description: 'The newest' }),
  })
  .meta({ description: 'A candidate beside the active model' });

export const modelsView = z.strictObject({
  bundles: list(bundleView),
  assignments: list(assignedView),
  gateways: list(
    z.strictObject({
      gateway: z.string(),
      type: z.string(),
      inUse: revision.meta({ description: 'null = its devices of this type are not scored' }),
      wanted: revision,
      state: z.enum([
        'as configured',
        'waiting',
        'fetching',
        'checking',
        'shadow',
        'active',
        'refused',
        'rolled-back',
      ]),
      doneBytes: z.number().nullable(),
      bytes: z.number().nullable(),
      code: z.string().nullable(),
      text: z.string().nullable().meta({ description: 'Why' }),
      shadow: shadow.nullable(),
      reportedMs: ms('When it said so'),
    }),
  ),
  trainings: list(trainingView).meta({ description: 'From the journal: the last of each device type' }),
});
