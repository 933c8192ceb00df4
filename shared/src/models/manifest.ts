/**
 * What a model bundle consists of and who should run it, as the collector tells its gateways. Everything here comes
 * over the network: sizes are bounded before anything is made room for.
 */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { namePattern } from '../topics.js';

const mebibyte = 1024 * 1024;

export const modelLimits = {
  maxFiles: 16,
  /** To open a model.onnx of more keeps an agent from its readings for too long. */
  maxModelBytes: mebibyte,
  /** As much as an agent reads of card and golden rows. */
  maxFileBytes: 4 * mebibyte,
  maxBundleBytes: 9 * mebibyte,
  maxAnnouncementBytes: 256 * 1024,
  maxAssignments: 64,
  maxChunkBytes: 64 * 1024,
} as const;

/** Lower case only, so that no two of them are one file anywhere. */
export const modelFilePattern = /^[a-z0-9][a-z0-9_.-]{0,62}$/;
/** Of a model: what travels with every score. */
export const revisionPattern = /^[0-9a-f]{12}$/;
/** Of a bundle: hash of its manifest. */
export const bundlePattern = /^[0-9a-f]{64}$/;
const orderPattern = /^[0-9a-f]{16}$/;
const sha256 = z.string().regex(/^[0-9a-f]{64}$/, 'is not 64 hex digits');
/** What the store itself puts beside the files of a bundle. */
const reserved = /\.part$|^manifest\.json$/;

const fileSchema = z
  .strictObject({
    name: z
      .string()
      .regex(
        modelFilePattern,
        'is not a file name: up to 63 lower-case letters, digits, dots, dashes and underscores',
      )
      .refine(name => !reserved.test(name), 'is a name that is kept for the store'),
    bytes: z.int().min(1).max(modelLimits.maxFileBytes),
    sha256,
  })
  .refine(({ name, bytes }) => name !== 'model.onnx' || bytes <= modelLimits.maxModelBytes, {
    path: ['bytes'],
    error: ({ input }) =>
      `model.onnx has ${(input as { bytes: number }).bytes} bytes, more than ${modelLimits.maxModelBytes}, and gateways refuse it: train on fewer channels, or with fewer trees or samples`,
  });
export type ModelFile = z.output<typeof fileSchema>;

export const manifestSchema = z
  .strictObject({
    format: z.literal(1),
    /** Device type it is for. */
    type: z.string().regex(namePattern, 'is not a name'),
    revision: z.string().regex(revisionPattern, 'is not a revision: 12 hex digits'),
    files: z.array(fileSchema).min(1).max(modelLimits.maxFiles),
    /** The place for one: it is carried along and not checked yet. It signs the bundle's id. */
    signature: z
      .strictObject({
        algorithm: z.string().max(32),
        keyId: z.string().max(128),
        value: z.string().max(2048),
      })
      .optional(),
  })
  .superRefine(({ files }, context) => {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    if (bytes > modelLimits.maxBundleBytes) {
      const message = `its files have ${bytes} bytes, more than ${modelLimits.maxBundleBytes}`;
      context.addIssue({ code: 'custom', path: ['files'], message });
    }
    if (new Set(files.map(({ name }) => name)).size < files.length)
      context.addIssue({ code: 'custom', path: ['files'], message: 'two files have one name' });
  });
export type ModelManifest = z.output<typeof manifestSchema>;

/** Equal content has equal ids; the signature is not part of what it signs. */
export function bundleIdOf({ format, type, revision, files }: ModelManifest): string {
  const sorted = files
    .map(({ name, bytes, sha256 }) => [name, bytes, sha256] as const)
    .sort(([one], [other]) => (one < other ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([format, type, revision, sorted]))
    .digest('hex');
}

export function bytesOf({ files }: ModelManifest): number {
  return files.reduce((sum, { bytes }) => sum + bytes, 0);
}

/** When a candidate takes over, and when it must give way again. */
export const shadowPolicySchema = z.strictObject({
  /** Scored beside the active model at least so many rows and for so long. */
  rows: z.int().min(1),
  hours: z
    .number()
    .min(0)
    .max(24 * 365),
  /** Alarms a day and device that a candidate may raise. */
  maxAlarmsPerDay: z.number().min(0),
  /** Of the active model's alarms, the part that it must raise too. */
  minReproduced: z.number().min(0).max(1),
  /** Once active, so many times its alarms in the shadow are too many … */
  rollbackFactor: z.number().min(1),
  /** … within its first hours. */
  rollbackHours: z
    .number()
    .min(0)
    .max(24 * 365),
});
export type ShadowPolicy = z.output<typeof shadowPolicySchema>;

const assignmentHead = z.object({
  /** New with every word of the operator: an order is carried out once, whatever came of it. */
  order: z.string().regex(orderPattern),
  type: z.string().regex(namePattern),
});

const assignmentSchema = assignmentHead.extend({
  /** Null = what the gateway's own configuration names. */
  manifest: manifestSchema.nullable(),
  /** Absent = it takes over at once. */
  shadow: shadowPolicySchema.optional(),
});
export type Assignment = z.output<typeof assignmentSchema>;

/** What the collector wants of a gateway for one device type; `problem` if that cannot be done. */
export type Wanted = Assignment | { readonly order: string; readonly type: string; readonly problem: string };

const announcementSchema = z.object({ assignments: z.array(z.unknown()).max(modelLimits.maxAssignments) });

export function encodeAnnouncement(assignments: readonly Assignment[]): string {
  return JSON.stringify({ assignments });
}

/** Undefined for anything that is no announcement; what is wrong with a single assignment is told in it. */
export function parseAnnouncement(payload: Uint8Array): Wanted[] | undefined {
  if (payload.length > modelLimits.maxAnnouncementBytes) return undefined;
  const { data } = announcementSchema.safeParse(parseJson(payload));
  return data && oneOfEach(data.assignments.flatMap(json => wantedOf(json) ?? []));
}

/** Nobody can run two models for one device type. */
function oneOfEach(wanted: readonly Wanted[]): Wanted[] {
  const types = new Map<string, Wanted>();
  for (const one of wanted) {
    const { order, type } = types.get(one.type) ?? one;
    const problem = `two assignments of one announcement are for devices of type ${type}`;
    types.set(type, types.has(type) ? { order, type, problem } : one);
  }
  return [...types.values()];
}

function wantedOf(json: unknown): Wanted | undefined {
  const head = assignmentHead.safeParse(json);
  if (!head.success) return undefined;
  const { order, type } = head.data;
  const whole = assignmentSchema.safeParse(json);
  if (!whole.success) return { order, type, problem: oneLine(z.prettifyError(whole.error)) };
  const { manifest } = whole.data;
  if (manifest && manifest.type !== type)
    return { order, type, problem: `the bundle is for devices of type ${manifest.type}` };
  return whole.data;
}

function oneLine(text: string): string {
  return text.replace(/\s*\n\s*/g, ' ').slice(0, 400);
}

export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('utf8'));
  } catch {
    return undefined;
  }
}

/** Of files that are at hand. */
export function manifestOf(
  { type, revision }: Pick<ModelManifest, 'type' | 'revision'>,
  files: Readonly<Record<string, Uint8Array>>,
): ModelManifest {
  const entries = Object.entries(files).map(([name, data]) => ({
    name,
    bytes: data.length,
    sha256: createHash('sha256').update(data).digest('hex'),
  }));
  return { format: 1, type, revision, files: entries };
}
