import { nameOption } from '@edgeward/shared/config';
import type { Field } from '@edgeward/shared/contracts';
import { z } from 'zod';

/** A field that a configuration declares, for sources whose input names its fields. */
export const fieldOption = z
  .strictObject({
    name: nameOption().meta({ description: 'Name of the field', examples: ['temperature'] }),
    kind: z
      .enum(['float', 'int', 'bool', 'string'])
      .default('float')
      .meta({ description: 'What the field holds' }),
    unit: z
      .string()
      .max(32)
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
  })
  .refine(({ min, max }) => min === undefined || max === undefined || min < max, {
    path: ['min'],
    message: 'must be less than max. Remedy: give a min below the max, or leave one of them out',
  });

/** Without the options that were not given. */
export function declaredField(option: z.output<typeof fieldOption>): Field {
  return Object.fromEntries(
    Object.entries(option).filter(([, value]) => value !== undefined),
  ) as unknown as Field;
}
