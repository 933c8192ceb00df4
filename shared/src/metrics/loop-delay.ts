import { Histogram, shortBounds } from './histogram.js';

const everyMs = 100;
/** After a sleep of the whole machine. */
const mostAtOnce = 600;

/**
 * How long whatever is due has to wait for the event loop. Looked at ten times a second; of a loop that stood still,
 * the looks that it missed count, too, each with the rest of the wait, as if they had come in time.
 */
export class LoopDelay implements Disposable {
  readonly seconds = new Histogram(shortBounds);
  readonly #timer: NodeJS.Timeout;
  #lookedMs = performance.now();

  constructor() {
    this.#timer = setInterval(() => this.#look(), everyMs).unref();
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const nowMs = performance.now();
    let lateMs = Math.max(0, nowMs - this.#lookedMs - everyMs);
    this.#lookedMs = nowMs;
    this.seconds.observe(lateMs / 1000);
    for (let missed = 1; missed < mostAtOnce && lateMs > everyMs; missed++) {
      lateMs -= everyMs;
      this.seconds.observe(lateMs / 1000);
    }
  }
}
