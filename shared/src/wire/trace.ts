/** The context of a trace within a block's header, 192 bits: trace id, then span id, as in W3C Trace Context. */
import type { TraceContext } from '../contracts.js';
import { isSpanId, isTraceId } from '../trace/context.js';
import type { BitReader } from './bit-reader.js';
import type { BitWriter } from './bit-writer.js';
import { corrupt } from './limits.js';
import { hexOf, wordsOfHex } from './words.js';

export const traceBytes = 24;
const traceIdWords = 4;
const spanIdWords = 2;

/** @throws TypeError for what no decoder would take */
export function writeTrace(out: BitWriter, trace: TraceContext): void {
  for (const word of wordsOf(trace)) out.put(word, 32);
}

/** @throws EW_BLOCK_CORRUPT */
export function readTrace(from: BitReader): TraceContext {
  const trace = { traceId: readHex(from, traceIdWords), spanId: readHex(from, spanIdWords) };
  if (!isTraceId(trace.traceId) || !isSpanId(trace.spanId)) throw corrupt('its trace is none');
  return trace;
}

/** The same bits as whole bytes. @throws TypeError as `writeTrace` */
export function bytesOfTrace(trace: TraceContext): Buffer {
  const bytes = Buffer.allocUnsafe(traceBytes);
  for (const [w, word] of wordsOf(trace).entries()) bytes.writeUInt32LE(word, 4 * w);
  return bytes;
}

function wordsOf({ traceId, spanId }: TraceContext): number[] {
  if (!isTraceId(traceId)) throw new TypeError(`${JSON.stringify(traceId)} is no trace id`);
  if (!isSpanId(spanId)) throw new TypeError(`${JSON.stringify(spanId)} is no span id`);
  return wordsOfHex(traceId + spanId);
}

function readHex(from: BitReader, words: number): string {
  let hex = '';
  for (let w = 0; w < words; w++) hex += hexOf(from.get(32));
  return hex;
}
