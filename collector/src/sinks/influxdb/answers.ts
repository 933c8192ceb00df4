/** What the server's answers mean. */

import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { HttpError } from '@influxdata/influxdb-client';

/** The server understood the request and will not take all of it. */
export interface Rejection {
  /** Too large: the same in parts may pass. */
  readonly tooLarge: boolean;
  /** In the server's words. */
  readonly reason: string;
}

/** The codes under which the server itself, and no proxy before it, speaks of the points it was sent. */
const codesOfPoints = ['invalid', 'unprocessable entity'];
/**
 * What it says of them. Anything else under those codes is about the request, and no row is to go to the dead letters
 * for it: a bucket that cannot be named, a body that did not arrive as it was sent.
 */
const wordsOfPoints = /\bparse\b|\bparsing\b|partial write|writing points|line protocol|retention policy/i;
const garbled = /^unable to read data/;

/** Undefined: it is not about the points. */
export function rejectionOf(error: unknown): Rejection | undefined {
  if (!(error instanceof HttpError)) return undefined;
  const { statusCode } = error;
  if (statusCode === 413) return { tooLarge: true, reason: `${statusCode}: ${error.message}` };
  if (statusCode !== 400 && statusCode !== 422) return undefined;
  const ofPoints =
    codesOfPoints.includes(error.code ?? '') &&
    wordsOfPoints.test(error.message) &&
    !garbled.test(error.message);
  return ofPoints ? { tooLarge: false, reason: error.message } : undefined;
}

export function isMissingBucket(error: unknown): boolean {
  return error instanceof HttpError && error.statusCode === 404 && /\bbucket\b/.test(error.message);
}

export interface Told {
  readonly org: string;
  readonly bucket: string;
  /** ms since Unix epoch. */
  readonly nowMs: number;
}

/** @returns EW_SINK_BUSY, EW_SINK_DENIED or EW_SINK_WRITE */
export function failureOf(error: unknown, told: Told): EdgewardError {
  if (error instanceof EdgewardError) return error;
  if (!(error instanceof HttpError))
    return new EdgewardError('EW_SINK_WRITE', messageOf(error), { cause: error });
  const { statusCode } = error;
  const said = `InfluxDB answered ${statusCode}: ${shortened(error.message)}`;
  if (statusCode === 429 || statusCode === 503) {
    const retryAfterMs = retryAfterOf(error.headers?.['retry-after'], told.nowMs);
    return new EdgewardError('EW_SINK_BUSY', said, {
      cause: error,
      ...(retryAfterMs !== undefined && { retryAfterMs }),
    });
  }
  if (statusCode === 408 || statusCode >= 500 || garbled.test(error.message))
    return new EdgewardError('EW_SINK_WRITE', said, { cause: error });
  return new EdgewardError('EW_SINK_DENIED', `${said}. Remedy: ${remedyOf(error, told)}`, {
    cause: error,
  });
}

/** A yes, but not the one that says that points are stored. */
export function notFromInflux(status: number): EdgewardError {
  return new EdgewardError('EW_SINK_DENIED', `A write was answered ${status}. Remedy: ${lookBetween}`);
}

const lookBetween =
  'check url and what stands between here and the server: InfluxDB itself does not answer so.';

function remedyOf({ statusCode, message }: HttpError, { org, bucket }: Told): string {
  if (statusCode === 401) return 'give a token that the server knows.';
  if (statusCode === 403) return `give the token the right to write bucket ${bucket}.`;
  if (statusCode === 404 || /organization name .* not found/.test(message))
    return `check url, org ${org} and bucket ${bucket}; create the bucket, or set createBucket.allowed.`;
  return lookBetween;
}

/** @param header  seconds or a date @returns ms; undefined if it says nothing */
export function retryAfterOf(
  header: string | readonly string[] | undefined,
  nowMs: number,
): number | undefined {
  if (typeof header !== 'string') return undefined;
  const text = header.trim();
  const ms = /^\d+$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(ms) ? Math.max(0, ms) : undefined;
}

const maxShown = 400;

/** What a server says may quote all it was sent. */
export function shortened(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length <= maxShown ? line : `${line.slice(0, maxShown)}…`;
}
