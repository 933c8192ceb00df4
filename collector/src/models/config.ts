import { z } from 'zod';

/** When a candidate that runs in the shadow takes over, and when it must give way again. */
export const shadowConfig = z.strictObject({
  rows: z.int().min(1).default(50_000).meta({
    description: 'A candidate is judged after so many rows of a gateway, beside the active model',
    unit: 'rows',
  }),
  hours: z.number().min(0).max(8760).default(24).meta({
    description: 'and after so long, whichever is later',
    unit: 'h',
  }),
  maxAlarmsPerDay: z.number().min(0).default(1).meta({
    description: 'Alarms a day and device that a candidate may raise; an alarm is a run of flagged rows',
  }),
  minReproduced: z.number().min(0).max(1).default(0).meta({
    description:
      "Part of the active model's alarms that a candidate must raise too; 0: the budget alone decides",
  }),
  rollbackFactor: z.number().min(1).default(5).meta({
    description:
      'A model that took over gives way again when it raises so many times its alarms in the shadow',
  }),
  rollbackHours: z.number().min(0).max(8760).default(6).meta({
    description: 'within so long',
    unit: 'h',
  }),
});
