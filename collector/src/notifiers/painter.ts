import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { constants, setPriority } from 'node:os';
import { fileURLToPath } from 'node:url';
import { EdgewardError } from '@edgeward/shared/errors';
import type { Painted, ToPaint } from './chart-process.js';

interface Waiting {
  readonly resolve: (png: Uint8Array) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
}

const program = fileURLToPath(new URL('./chart-process.js', import.meta.url));
const heapMegabytes = 128;
/** The process ends when nobody has asked for so long: its memory is worth more than a quicker next start. */
const idleMs = 5000;

/** SVG → PNG, in a process that starts with the first drawing and ends when idle. */
export class Painter implements AsyncDisposable {
  readonly #waiting = new Map<number, Waiting>();
  #child: ChildProcess | undefined;
  #idle: NodeJS.Timeout | undefined;
  #lastId = 0;

  /** @throws EW_NOTIFY if it cannot be drawn, or not in this time */
  paint(svg: string, withinMs: number): Promise<Uint8Array> {
    clearTimeout(this.#idle);
    const child = this.#started();
    const id = ++this.#lastId;
    return new Promise((resolve, reject) => {
      // What takes too long once may hang: the next drawing gets a fresh process.
      const timer = setTimeout(() => void this.#end(`not drawn within ${withinMs} ms`), withinMs);
      this.#waiting.set(id, { resolve, reject, timer });
      child.send({ id, svg } satisfies ToPaint, error => {
        if (error) this.#lost(child, error.message);
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('it is stopping');
  }

  #started(): ChildProcess {
    if (this.#child) return this.#child;
    const child = fork(program, {
      serialization: 'advanced',
      execArgv: [`--max-old-space-size=${heapMegabytes}`],
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    // The timer of whoever waits keeps us running, nothing else here does.
    child.unref();
    child.channel?.unref();
    giveWay(child);
    child.on('message', (painted: Painted) => this.#painted(painted));
    child.on('error', error => this.#lost(child, error.message));
    child.on('exit', () => this.#lost(child, 'its process has ended'));
    this.#child = child;
    return child;
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
    const child = this.#child;
    if (!child) return;
    this.#lost(child, reason);
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    child.ref();
    await gone;
  }

  #lost(child: ChildProcess, reason: string): void {
    if (this.#child !== child) return;
    this.#child = undefined;
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new EdgewardError('EW_NOTIFY', `chart: ${reason}`));
    }
    this.#waiting.clear();
  }
}

/** Whoever delivers goes first; where that is not allowed, it does not. */
function giveWay({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // It draws all the same.
  }
}
