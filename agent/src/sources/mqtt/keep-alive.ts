/** Flush pings under way at a time; a later one tells what those left out would have told. */
const mostPings = 8;
/** Keep-alive intervals that an answer to a ping may take while other packets come. */
const mostUnanswered = 4;

export interface KeepAliveOptions {
  readonly intervalMs: number;
  /** Sends a PINGREQ. */
  readonly ping: () => void;
  /** The broker has read everything that was written before the `mark` was. */
  readonly onFlushed: (mark: number) => void;
  readonly onDead: (reason: string) => void;
}

/**
 * Pings of one connection: they keep it, tell when it is dead, and, because a broker reads in order, that it has read
 * what was written before them. Silence for three quarters of an interval behind a ping is the end; with two pings
 * an interval that makes less than two intervals. Network time is real time, whatever the source's clock says.
 */
export class KeepAlive implements Disposable {
  readonly #options: KeepAliveOptions;
  readonly #timer: NodeJS.Timeout;
  /** Under way, oldest first, with the mark as it was. */
  #pings: { readonly mark: number; sentMs: number }[] = [];
  #mark = 0;
  #heardMs = performance.now();
  #pingedMs = this.#heardMs;
  /** Nothing is read at present: silence means nothing. */
  deaf = false;

  constructor(options: KeepAliveOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#tick(), options.intervalMs / 4);
  }

  heard(nowMs: number): void {
    this.#heardMs = nowMs;
  }

  /** A PINGRESP came. */
  answered(): void {
    const ping = this.#pings.shift();
    if (ping) this.#options.onFlushed(ping.mark);
  }

  /** Something was written whose arrival matters. */
  flush(mark: number): void {
    this.#mark = mark;
    if (this.#pings.length < mostPings) this.#ping(performance.now());
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #tick(): void {
    const { intervalMs, onDead } = this.#options;
    const nowMs = performance.now();
    if (this.deaf) {
      this.#heardMs = nowMs;
      for (const ping of this.#pings) ping.sentMs = nowMs;
    }
    const asked = this.#pings[0];
    const silentMs = asked ? nowMs - Math.max(asked.sentMs, this.#heardMs) : 0;
    if (silentMs >= intervalMs * 0.75) onDead(`it has been silent for ${Math.round(silentMs)} ms`);
    else if (asked && nowMs - asked.sentMs >= intervalMs * mostUnanswered)
      onDead('it sends, but does not answer pings');
    else if (nowMs - this.#pingedMs >= intervalMs / 2) this.#ping(nowMs);
  }

  #ping(nowMs: number): void {
    this.#pingedMs = nowMs;
    this.#pings.push({ mark: this.#mark, sentMs: nowMs });
    this.#options.ping();
  }
}
