/**
 * Sends spans to an OpenTelemetry collector, or what speaks as one, by OTLP over HTTP. Spans wait in memory, a bounded
 * number of them, and leave in batches; whatever becomes of them, nobody waits and no data is touched.
 */
import { Backoff } from '../clock.js';
import type { Clock, Rng } from '../contracts.js';
import { messageOf } from '../errors.js';
import { Gate } from '../gate.js';
import type { Logger } from '../log.js';
import { version } from '../version.js';
import { newSpanId, newTraceId } from './context.js';
import { encodeSpans } from './otlp.js';
import { type Answer, Poster } from './post.js';
import type { Attributes, Span, Tracer } from './span.js';

export interface OtlpTracerOptions {
  /** All of it: the path, too. */
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  /** Whose spans these are. */
  readonly resource: Attributes;
  readonly clock: Clock;
  readonly log: Logger;
  readonly rng?: Rng;
  /** Spans that may wait; 4096 unless told. */
  readonly maxQueue?: number;
}

const defaultMaxQueue = 4096;
const maxBatch = 512;
/** What comes within this time leaves together. */
const lingerMs = 1000;
const postTimeoutMs = 10_000;
/** What is left at the end may take so long. */
const lastMs = 2000;
const logEveryMs = 60_000;
/** As OTLP/HTTP names them; after any other the same again would come to the same. */
const retryable = new Set([429, 502, 503, 504]);

export class OtlpTracer implements Tracer, AsyncDisposable {
  readonly #options: OtlpTracerOptions;
  readonly #rng: Rng;
  readonly #poster: Poster;
  readonly #changed = new Gate();
  readonly #end = new AbortController();
  readonly #backoff = new Backoff(1000, 30_000);
  #queue: Span[] = [];
  #dropped = 0;
  #untold = 0;
  #why = '';
  #toldAtMs = Number.NEGATIVE_INFINITY;
  #sending: Promise<void> | undefined;
  /** Breaks off the request that is under way. */
  #cut = new AbortController();
  #lastAtMs = Number.POSITIVE_INFINITY;

  constructor(options: OtlpTracerOptions) {
    this.#options = options;
    this.#rng = options.rng ?? Math.random;
    this.#poster = new Poster(options.url, options.headers);
  }

  /** Spans that were not delivered. */
  get dropped(): number {
    return this.#dropped;
  }

  record(span: Span): void {
    const { maxQueue = defaultMaxQueue } = this.#options;
    if (this.#end.signal.aborted) this.#drop(1, 'they came after the end');
    else if (this.#queue.length < maxQueue) this.#take(span);
    else this.#drop(1, this.#why || `more than ${maxQueue} came at once`);
  }

  #take(span: Span): void {
    this.#queue.push(span);
    if (this.#queue.length === maxBatch) this.#changed.open();
    this.#sending ??= this.#sendAll().finally(() => {
      this.#sending = undefined;
    });
  }

  newSpanId(): string {
    return newSpanId(this.#rng);
  }

  newTraceId(): string {
    return newTraceId(this.#rng);
  }

  /** What waits goes out, if it can in a moment. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#lastAtMs = Math.min(this.#lastAtMs, this.#options.clock.monotonic() + lastMs);
    this.#end.abort();
    const late = setTimeout(() => this.#cut.abort(), lastMs);
    await this.#sending;
    clearTimeout(late);
    this.#poster.close();
    this.#tell(Number.NEGATIVE_INFINITY);
  }

  /** Until nothing waits: an idle tracer has no timer and no loop. */
  async #sendAll(): Promise<void> {
    const end = this.#end.signal;
    while (this.#queue.length > 0) {
      if (this.#queue.length < maxBatch) await this.#changed.wait(end, lingerMs);
      const batch = this.#queue.slice(0, maxBatch);
      const waitMs = await this.#send(batch);
      if (waitMs === undefined) this.#queue = this.#queue.slice(batch.length);
      else if (end.aborted) return this.#giveUp();
      else await this.#options.clock.sleep(waitMs, end);
    }
  }

  /** @returns undefined if they are gone, one way or the other; else how long to wait before they are sent again, ms */
  async #send(batch: readonly Span[]): Promise<number | undefined> {
    try {
      const { resource } = this.#options;
      const answer = await this.#post(encodeSpans(batch, resource, version));
      if (retryable.has(answer.status)) return this.#later(`${answer.status}`, answer.retryAfterMs);
      this.#backoff.reset();
      this.#why = '';
      const refused = refusedOf(answer, batch.length);
      if (refused.spans > 0) this.#drop(refused.spans, refused.why);
      return undefined;
    } catch (error) {
      return this.#later(messageOf(error), undefined);
    }
  }

  async #post(json: string): Promise<Answer> {
    this.#cut = new AbortController();
    const leftMs = this.#lastAtMs - this.#options.clock.monotonic();
    const late = setTimeout(() => this.#cut.abort(), Math.max(0, Math.min(postTimeoutMs, leftMs)));
    try {
      return await this.#poster.post(json, this.#cut.signal);
    } finally {
      clearTimeout(late);
    }
  }

  #later(why: string, retryAfterMs: number | undefined): number {
    this.#why = `${this.#options.url.host} does not take them (${why})`;
    return Math.min(60_000, retryAfterMs ?? this.#backoff.next());
  }

  #giveUp(): void {
    this.#drop(this.#queue.length, this.#why);
    this.#queue = [];
  }

  #drop(spans: number, why: string): void {
    this.#dropped += spans;
    this.#untold += spans;
    this.#why = why;
    this.#tell(logEveryMs);
  }

  #tell(everyMs: number): void {
    const nowMs = this.#options.clock.monotonic();
    if (this.#untold === 0 || nowMs - this.#toldAtMs < everyMs) return;
    this.#options.log.warn(
      { spans: this.#untold, reason: this.#why },
      'spans were dropped; no data is affected',
    );
    this.#toldAtMs = nowMs;
    this.#untold = 0;
  }
}

/** All of them, or those that a partial success leaves out. */
function refusedOf({ status, text }: Answer, spans: number): { spans: number; why: string } {
  if (status < 200 || status > 299) return { spans, why: `refused with ${status}: ${text.slice(0, 200)}` };
  try {
    const { partialSuccess } = JSON.parse(text) as {
      partialSuccess?: { rejectedSpans?: string | number; errorMessage?: string };
    };
    const rejected = Number(partialSuccess?.rejectedSpans ?? 0);
    return {
      spans: rejected > 0 ? rejected : 0,
      why: `refused: ${String(partialSuccess?.errorMessage).slice(0, 200)}`,
    };
  } catch {
    return { spans: 0, why: '' }; // an empty answer is a good one
  }
}
