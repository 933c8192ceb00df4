import { nameOption, pathOption } from '@edgeward/shared/config';
import type { Field } from '@edgeward/shared/contracts';
import { z } from 'zod';
import { blockOptions } from './block-options.js';

const name = nameOption();

const column = z
  .strictObject({
    field: name.meta({ description: 'Name of the field the column becomes', examples: ['temperature'] }),
    kind: z
      .enum(['float', 'int', 'bool', 'string'])
      .default('float')
      .meta({ description: 'What the column holds' }),
    unit: z
      .string()
      .optional()
      .meta({ description: 'Unit of the field', examples: ['Cel', 'bar'] }),
    min: z.number().optional().meta({ description: 'Physically possible lower bound' }),
    max: z.number().optional().meta({ description: 'Physically possible upper bound' }),
    maxRate: z
      .number()
      .positive()
      .optional()
      .meta({ description: 'Largest plausible change', unit: 'units per second' }),
    stuckAfter: z
      .int()
      .min(2)
      .optional()
      .meta({ description: 'So many equal values in a row mean that the channel is stuck' }),
    scale: z.number().default(1).meta({ description: 'Factor from column to field; only for kind float' }),
    offset: z.number().default(0).meta({ description: 'Added after scaling; only for kind float' }),
  })
  .refine(({ min, max }) => min === undefined || max === undefined || min < max, {
    path: ['min'],
    message: 'must be less than max. Remedy: give a min below the max, or leave one of them out',
  })
  .refine(({ kind, scale, offset }) => kind === 'float' || (scale === 1 && offset === 0), {
    path: ['scale'],
    message: 'scale and offset need kind float. Remedy: remove them, or set kind to float',
  });

export type ColumnConfig = z.output<typeof column>;

const columns = z
  .record(z.string(), z.union([name, column]))
  .refine(mapping => Object.keys(mapping).length > 0, {
    message:
      'names no column. Remedy: name at least one, for example value: temperature, or leave columns out',
  })
  .superRefine((mapping, context) => {
    const first = new Map<string, string>();
    for (const [key, value] of Object.entries(mapping)) {
      const field = fieldName(value);
      const earlier = first.get(field);
      if (earlier === undefined) first.set(field, key);
      else
        context.addIssue({
          code: 'custom',
          path: typeof value === 'string' ? [key] : [key, 'field'],
          message: 'another column becomes this field already. Remedy: choose another field name',
        });
    }
  });

export const replayConfig = z.strictObject({
  path: pathOption('file').meta({
    description: 'CSV file with a header line, UTF-8; may be gzipped',
    examples: ['recording.csv'],
  }),
  device: name.meta({ description: 'Device the rows belong to', examples: ['machine-1'] }),
  deviceType: name.meta({
    description: 'Type of the device, as rules and models know it',
    examples: ['machine'],
  }),
  deviceColumn: z
    .string()
    .optional()
    .meta({ description: 'Column with the device name, for files with several devices' }),
  timeColumn: z.string().default('timestamp').meta({ description: 'Column with the time of the row' }),
  timeFormat: z
    .enum(['auto', 'iso', 'epochMs', 'epochS'])
    .default('auto')
    .meta({ description: 'How times are written; ISO times without a zone are UTC' }),
  delimiter: z
    .string()
    .regex(
      /^[^"\r\n\u0080-\uffff]$/,
      'must be one ASCII character other than a quote. Remedy: give one such as ",", ";" or "\\t", in quotes',
    )
    .default(',')
    .meta({ description: 'Between the cells of a line' }),
  columns: columns.optional().meta({
    description: 'Column → field name or field options; without it, every numeric column as it is',
  }),
  speed: z
    .union([z.number().positive().max(1e6), z.literal('max')])
    .default(1)
    .meta({ description: '1 = as recorded, 10 = ten times as fast, max = as fast as rows are stored' }),
  time: z
    .enum(['recorded', 'now'])
    .default('recorded')
    .meta({ description: 'Keep the recorded times, or stamp rows as if they were read live' }),
  loop: z
    .boolean()
    .default(false)
    .meta({ description: 'Start again at the end; recorded times then go on where they ended' }),
  ...blockOptions,
});

export type ReplayConfig = z.output<typeof replayConfig>;

function fieldName(value: string | ColumnConfig): string {
  return typeof value === 'string' ? value : value.field;
}

/** A mapped column with its defaults. */
export function columnOptions(value: string | ColumnConfig): ColumnConfig {
  return typeof value === 'string' ? column.parse({ field: value }) : value;
}

export function fieldOf(options: ColumnConfig): Field {
  const { field, kind, scale: _scale, offset: _offset, ...bounds } = options;
  const known = Object.fromEntries(Object.entries(bounds).filter(([, value]) => value !== undefined));
  return { name: field, kind, ...known };
}
