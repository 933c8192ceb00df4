import { Worker } from 'node:worker_threads';
import { EdgewardError } from '@edgeward/shared/errors';
import type { Painted } from './chart-worker.js';

interface Waiting {
  readonly resolve: (png: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

/** The thread ends when nobody has asked for so long: its memory is worth more than a quicker next start. */
const idleMs = 5000;

/** SVG → PNG, off the event loop. The thread starts with the first drawing and ends when idle. */
export class Painter implements AsyncDisposable {
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;

  /** @throws EW_NOTIFY if it cannot be drawn, or not in this time */
  paint(svg: string, withinMs: number): Promise<Uint8Array> {
    clearTimeout(this.#idle);
    const worker = this.#started();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      // What takes too long once may hang: the next drawing gets a fresh thread.
      const timer = setTimeout(() => this.#end(`not drawn within ${withinMs} ms`), withinMs);
      this.#waiting.set(id, { resolve, reject, timer });
      worker.postMessage({ id, svg });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('it is stopping');
  }

  #started(): Worker {
    if (this.#worker) return this.#worker;
    const worker = new Worker(new URL('./chart-worker.js', import.meta.url), {
      resourceLimits: { maxOldGenerationSizeMb: 128 },
    });
    worker.unref();
    worker.on('message', (painted: Painted) => this.#painted(painted));
    worker.on('error', error => this.#lost(worker, error.message));
    worker.on('exit', () => this.#lost(worker, 'its thread has ended'));
    this.#worker = worker;
    return worker;
  }

  #painted({ id, png, error }: Painted): void {
    const waiting = this.#waiting.get(id);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    this.#waiting.delete(id);
    if (png) waiting.resolve(png);
    else waiting.reject(new EdgewardError('EW_NOTIFY', `chart: ${error}`));
    if (this.#waiting.size > 0) return;
    this.#idle = setTimeout(() => void this.#end('idle'), idleMs);
    this.#idle.unref();
  }

  async #end(reason: string): Promise<void> {
    clearTimeout(this.#idle);
    const worker = this.#worker;
    if (!worker) return;
    this.#lost(worker, reason);
    await worker.terminate();
  }

  #lost(worker: Worker, reason: string): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new EdgewardError('EW_NOTIFY', `chart: ${reason}`));
    }
    this.#waiting.clear();
  }
}
