import { z } from 'zod';

/** The agent's `clock` section. */
export const clockConfig = z
  .strictObject({
    trust: z.enum(['auto', 'always']).default('auto').meta({
      description:
        'auto holds back what was read while the clock was not known to be right, and corrects it before it is sent; always takes the clock as it is',
    }),
    waitMs: z
      .int()
      .min(0)
      .max(24 * 3_600_000)
      .default(600_000)
      .meta({
        description: 'How long rows wait for the right time; then they go as they are, marked timeUnsure',
        unit: 'ms',
      }),
  })
  .prefault({})
  .meta({ description: "The gateway's clock" });

export type ClockConfig = z.output<typeof clockConfig>;
