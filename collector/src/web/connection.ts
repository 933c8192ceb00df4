import type { StreamMessage } from '../views.js';

export interface ConnectionEvents {
  /** A connection was made; snapshot messages follow. */
  opened(): void;
  message(message: StreamMessage, fresh: boolean): void;
  /** The snapshot is complete. `demo`: this collector has a demo to direct. */
  ready(demo: boolean): void;
  /** Next try after `retryMs`. */
  lost(retryMs: number): void;
}

const firstRetryMs = 1000;
const lastRetryMs = 10_000;
/** The collector sends a heartbeat every 15 s. */
const silenceMs = 40_000;

/** The stream, kept open: EventSource alone gives up for good when an answer is not 200. */
export class Connection {
  #source: EventSource | undefined;
  #timer: number | undefined;
  #watchdog: number | undefined;
  #retryMs = firstRetryMs;

  constructor(private readonly events: ConnectionEvents) {
    window.addEventListener('online', () => this.retry());
    document.addEventListener('visibilitychange', () => {
      if (!document.hidden && this.#timer !== undefined) this.retry();
    });
  }

  retry(): void {
    this.#close();
    const source = new EventSource('/api/stream');
    this.#source = source;
    source.onopen = () => this.events.opened();
    source.onerror = () => this.#lost();
    source.onmessage = event => this.#message(event, true);
    source.addEventListener('snapshot', event => this.#message(event, false));
    source.addEventListener('heartbeat', () => this.#alive());
    source.addEventListener('ready', (event: MessageEvent<string>) => {
      this.#retryMs = firstRetryMs;
      this.#alive();
      const { demo }: { demo: boolean } = JSON.parse(event.data);
      this.events.ready(demo);
    });
    this.#alive();
  }

  #message(event: MessageEvent<string>, fresh: boolean): void {
    this.#alive();
    const message: StreamMessage = JSON.parse(event.data);
    this.events.message(message, fresh);
  }

  #alive(): void {
    window.clearTimeout(this.#watchdog);
    this.#watchdog = window.setTimeout(() => this.#lost(), silenceMs);
  }

  #lost(): void {
    this.#close();
    this.events.lost(this.#retryMs);
    this.#timer = window.setTimeout(() => this.retry(), this.#retryMs);
    this.#retryMs = Math.min(lastRetryMs, this.#retryMs * 2);
  }

  #close(): void {
    window.clearTimeout(this.#timer);
    window.clearTimeout(this.#watchdog);
    this.#timer = undefined;
    this.#source?.close();
    this.#source = undefined;
  }
}
