import { z } from 'zod';

const count = z.number().min(0);
const counts = z.object({ rows: count, flagged: count, alarms: count, deviceMs: count, devices: count });

/** What a trial has counted, of the order it belongs to. */
export const trialSchema = z.object({
  order: z.string(),
  shadow: z.object({ candidate: counts, active: counts, agreed: count, reproduced: count }).exactOptional(),
  watch: z
    .object({ limits: z.object({ alarms: count, deviceMs: count }), counts, maxGapMs: count })
    .exactOptional(),
});
export type SavedTrial = z.output<typeof trialSchema>;
