/** How the files of a bundle travel: a gateway asks for a piece of one, and gets it. One question at a time. */
import { z } from 'zod';
import { type ErrorCode, errorTable } from '../errors.js';
import { bundlePattern, modelFilePattern, modelLimits, parseJson } from './manifest.js';

const place = {
  bundle: z.string().regex(bundlePattern),
  file: z.string().regex(modelFilePattern),
  offset: z.int().min(0).max(modelLimits.maxFileBytes),
};

const askSchema = z.strictObject({ ...place, bytes: z.int().min(1).max(modelLimits.maxChunkBytes) });
/** Payload of the `fetch` topic. */
export type PartAsk = z.output<typeof askSchema>;

const headSchema = z.strictObject({
  ...place,
  /** In place of bytes: why there are none. */
  error: z
    .strictObject({
      code: z.enum(Object.keys(errorTable) as [ErrorCode, ...ErrorCode[]]),
      text: z.string().max(500),
    })
    .optional(),
});
type PartHead = z.output<typeof headSchema>;

/** Payload of the `part` topic: a line of JSON, then the bytes as they are. */
export interface ModelPart extends PartHead {
  readonly data: Uint8Array;
}

const maxHeadBytes = 2048;
const maxAskBytes = 512;
const lineFeed = 0x0a;

export function encodeAsk(ask: PartAsk): string {
  return JSON.stringify(ask);
}

/** Undefined for anything that is no such question. */
export function parseAsk(payload: Uint8Array): PartAsk | undefined {
  return payload.length > maxAskBytes ? undefined : askSchema.safeParse(parseJson(payload)).data;
}

export function encodePart({ data, ...head }: ModelPart): Uint8Array {
  return Buffer.concat([Buffer.from(`${JSON.stringify(head)}\n`), data]);
}

/** Undefined for anything that is no such piece. */
export function parsePart(payload: Uint8Array): ModelPart | undefined {
  const end = payload.subarray(0, maxHeadBytes).indexOf(lineFeed);
  if (end < 0) return undefined;
  const { data: head } = headSchema.safeParse(parseJson(payload.subarray(0, end)));
  const data = payload.subarray(end + 1);
  return head && data.length <= modelLimits.maxChunkBytes ? { ...head, data } : undefined;
}
