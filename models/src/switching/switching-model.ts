import { z } from 'zod';

const perField = z.array(z.number()).max(256);

/** One channel in one state, against what the others' means in that state let expect. */
const judgedSchema = z.strictObject({
  /** Index into `fields`. */
  channel: z.int().min(0),
  /** Of the other channels' means, standardised; its own weighs 0. */
  weights: perField,
  /** What its mean less what is expected may be, standardised. */
  low: z.number(),
  high: z.number(),
});

const stateSchema = z.strictObject({
  /** Rows so soon after switching show the way from one state to the other. */
  settleMs: z.number().min(0),
  /** Time constant of the means; nothing is said before so much of the state has been seen. */
  meanMs: z.number().positive(),
  /** Per field, in this state. */
  center: perField,
  scale: z.array(z.number().positive()).max(256),
  /** What its mean usually is, standardised: as a witness for others it never leaves this range. */
  usual: z.array(z.tuple([z.number(), z.number()])).max(256),
  judged: z.array(judgedSchema).max(256),
});

/** What a machine that is switched on and off by turns is like in either state: kept in the card. */
export const switchingSchema = z
  .strictObject({
    fields: z.array(z.string().min(1).max(64)).min(2).max(256),
    /** The channel that tells the state: below `off` it is off, above `on` it is on, between them as before. */
    by: z.strictObject({ field: z.string(), off: z.number(), on: z.number() }),
    /** Off, on. */
    states: z.tuple([stateSchema, stateSchema]),
    /** A device silent for longer starts anew. */
    maxGapMs: z.number().positive(),
  })
  .refine(({ fields, by }) => fields.includes(by.field), { error: 'the switch is none of the fields' })
  .refine(({ by }) => by.off <= by.on, { error: 'off lies above on' })
  .refine(({ fields, states }) => states.every(state => fitsFields(state, fields.length)), {
    error: 'a state has numbers for more fields than there are, or for fewer',
  });

export type Switching = z.output<typeof switchingSchema>;
export type SwitchState = Switching['states'][number];

function fitsFields({ center, scale, usual, judged }: z.output<typeof stateSchema>, fields: number): boolean {
  return (
    [center, scale, usual].every(({ length }) => length === fields) &&
    judged.every(
      ({ channel, weights, low, high }) => channel < fields && weights.length === fields && low < high,
    )
  );
}
