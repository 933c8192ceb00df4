/** Why rows were flagged, as JSON: few rows are, and no two alike. */
import { z } from 'zod';
import type { Evidence, RecordBatch } from '../contracts.js';
import { getOrMake } from '../maps.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { corrupt, wireLimits } from './limits.js';

const channelSchema = z.strictObject({
  field: z.string().max(128),
  value: z.number().nullable(),
  expected: z.tuple([z.number(), z.number()]).optional(),
  of: z.string().max(128).optional(),
  limit: z.number().optional(),
  direction: z.enum(['high', 'low', 'unusual']),
  weight: z.number(),
});
const evidenceSchema = z
  .array(
    z.strictObject({
      at: z.int().min(0),
      detector: z.enum(['forest', 'rule', 'quality']),
      source: z.string().max(128),
      score: z.number(),
      threshold: z.number(),
      channels: z.array(channelSchema).max(256),
    }),
  )
  .max(wireLimits.maxRows);

/**
 * A surprise goes as the word of a rule whose name no rule can have: decoders that do not know surprises refuse the whole
 * block of what else they do not know, and a block may wait on a disk for whoever will read it.
 */
const surpriseMark = 'surprise: ';

function toWire(evidence: Evidence): Evidence {
  if (evidence.detector !== 'surprise') return evidence;
  return { ...evidence, detector: 'rule', source: surpriseMark + evidence.source };
}

function fromWire(evidence: Evidence): Evidence {
  const { detector, source } = evidence;
  if (detector !== 'rule' || !source.startsWith(surpriseMark)) return evidence;
  return { ...evidence, detector: 'surprise', source: source.slice(surpriseMark.length) };
}

/** @throws TypeError for what no decoder would take */
export function writeEvidence(out: BitWriter, batch: RecordBatch): void {
  const evidence = fittingEvidence(batch, (batch.evidence ?? []).map(toWire));
  const { error } = evidenceSchema.safeParse(evidence);
  if (error) throw new TypeError(`evidence that makes no block: ${error.message.slice(0, 300)}`);
  if (evidence.some(({ at }) => at >= batch.time.length))
    throw new TypeError('evidence of a row that is not');
  const json = Buffer.from(JSON.stringify(evidence), 'utf8');
  out.count(json.length);
  out.bytes(json);
}

/** An alarm all over a site explains itself for each device of it, and not at the price of the rows. */
function fittingEvidence(batch: RecordBatch, all: readonly Evidence[]): readonly Evidence[] {
  // Brackets and commas count, too.
  const bytes = all.map(evidence => Buffer.byteLength(JSON.stringify(evidence)) + 1);
  let room = wireLimits.maxEvidenceBytes - 2;
  if (bytes.reduce((sum, one) => sum + one, 0) <= room) return all;
  const firstOf = new Map<number | undefined, number>();
  for (const [i, { at }] of all.entries()) getOrMake(firstOf, batch.device[at], () => i);
  const kept = new Set<number>();
  for (const i of new Set([...firstOf.values(), ...all.keys()])) {
    if (bytes[i]! > room) break;
    room -= bytes[i]!;
    kept.add(i);
  }
  return all.filter((_, i) => kept.has(i));
}

/** @throws EW_BLOCK_CORRUPT */
export function readEvidence(from: BitReader, rows: number): readonly Evidence[] {
  const bytes = from.bytes(from.countUpTo(wireLimits.maxEvidenceBytes, 'bytes of evidence'));
  const { data } = evidenceSchema.safeParse(JSON.parse(bytes.toString('utf8')));
  if (!data || data.some(({ at }) => at >= rows)) throw corrupt('its evidence is not understood');
  return (data as readonly Evidence[]).map(fromWire);
}
