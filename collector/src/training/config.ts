import { methods } from '@edgeward/models/train-table';
import { distinct, nameOption } from '@edgeward/shared/config';
import { z } from 'zod';
import { maxTypes } from './runs.js';

const scheduled = z.strictObject({
  deviceType: nameOption().meta({ description: 'Device type to train a model for', examples: ['pump'] }),
  everyHours: z
    .number()
    .min(0.1)
    .max(8760)
    .meta({
      description:
        'So often; after a refusal or a failure sooner, after an eighth of it but at least an hour; after an interruption soon',
      unit: 'h',
      examples: [168],
    }),
  hours: z
    .number()
    .gt(0)
    .max(87_600)
    .optional()
    .meta({
      description: 'Only rows of the last so many hours; absent: all that the journal still has',
      unit: 'h',
      examples: [720],
    }),
  assign: z.boolean().default(false).meta({
    description:
      'Have all gateways try what was trained beside their active model, by the rules of shadow; false: it waits for edgeward models --assign',
  }),
  method: z.enum(methods).optional().meta({
    description:
      'channels: views of several channels and a forest; forest: a forest over features of each; absent: channels where there are several',
  }),
});
export type ScheduledTraining = z.output<typeof scheduled>;

/** Models from the journal: by themselves, or when `edgeward models --train` asks. */
export const trainingConfig = z.strictObject({
  schedule: z
    .array(scheduled)
    .max(maxTypes)
    .default([])
    .superRefine(
      distinct<ScheduledTraining>({
        keyOf: one => one.deviceType,
        field: 'deviceType',
        problem: (first, type) => `schedule[${first}] trains ${type} already`,
        remedy: 'keep one of them',
      }),
    )
    .meta({ description: 'What is trained by itself; one after the other' }),
  minRows: z.int().min(200).default(2000).meta({
    description: 'A training by itself is refused with fewer usable rows; one that somebody asks for is not',
    unit: 'rows',
  }),
  minHours: z.number().min(0).default(1).meta({
    description: 'or over a shorter span',
    unit: 'h',
  }),
  maxLeftOut: z.number().gt(0).max(1).default(0.2).meta({
    description:
      'Share of the rows that may have to be left out, for alarms, incidents, bad quality or wrong times; more is refused',
  }),
  maxRows: z.int().min(2000).max(10_000_000).default(200_000).meta({
    description:
      'Rows of one training, in stretches from all of the span; it needs some 1,200 bytes of memory a row at 8 fields, in a process of its own',
    unit: 'rows',
  }),
  maxMinutes: z.number().gt(0).max(1440).default(15).meta({
    description: 'A training that takes longer is ended',
    unit: 'min',
  }),
});
export type TrainingConfig = z.output<typeof trainingConfig>;
