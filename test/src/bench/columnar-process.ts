import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Workbench } from '../support/processes.js';
import type { ColumnarRun, Mark, Marks } from './columnar-agent.js';
import { type Usage, usageOf } from './process-usage.js';

const script = fileURLToPath(new URL('./columnar-agent.js', import.meta.url));

/** A `columnar-agent.ts`; disposing of it kills it. */
export class ColumnarProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  #log = '';
  #last: Marks | undefined;

  /** @param nodeFlags  for profiles */
  constructor(config: string, run: ColumnarRun, nodeFlags: readonly string[] = []) {
    this.#child = fork(script, [config, JSON.stringify(run)], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [...nodeFlags],
    });
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#log = (this.#log + data.toString('utf8')).slice(-4000);
    });
    this.#child.on('message', marks => {
      this.#last = marks as Marks;
    });
    this.#exited = new Promise(resolve => this.#child.once('close', resolve));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get usage(): Usage | undefined {
    return usageOf(this.pid);
  }

  /** @throws Error with the end of its log if it is not running any more */
  async marks(message: 'marks' | 'save' = 'marks'): Promise<Marks> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) throw this.#ended();
    const [marks] = (await Promise.race([
      ask(this.#child, message),
      this.#exited.then(() => {
        throw this.#ended();
      }),
    ])) as [Marks];
    return marks;
  }

  /** @param enough  told at every look, about ten a second */
  async until(enough: (marks: Marks) => boolean, withinMs = 300_000): Promise<Marks> {
    const deadline = performance.now() + withinMs;
    for (;;) {
      const marks = await this.marks();
      if (enough(marks)) return marks;
      if (performance.now() > deadline)
        throw new Error(`stuck at ${marks.now.readings} readings: ${this.#log}`);
      await new Promise(resolve => setTimeout(resolve, 100));
    }
  }

  /** Asks it to stop. @returns what it said last, once its stores were closed. @throws Error unless it ends well */
  async stop(): Promise<Marks> {
    this.#child.kill('SIGTERM');
    await this.#exited;
    if (this.#child.exitCode !== 0 || !this.#last?.ended) throw this.#ended();
    return this.#last;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }

  #ended(): Error {
    return new Error(
      `a process under measurement ended with ${this.#child.exitCode ?? this.#child.signalCode}: ${this.#log}`,
    );
  }
}

function ask(child: ChildProcess, message: string): Promise<unknown[]> {
  const answer = once(child, 'message');
  child.send(message);
  return answer;
}

/** An agent that keeps all to itself unless it is told a broker's port. */
export function columnarConfig(bench: Workbench, name: string, more: object, broker = 1): string {
  return bench.config(name, {
    gateway: name,
    dataDir: `./data-${name}`,
    uplink: { url: `mqtt://127.0.0.1:${broker}` },
    log: { level: 'error' },
    sources: [{ type: 'simulated', devices: [{ name: 'unused', type: 'pump' }] }],
    ...more,
  });
}

/** Between two marks. */
export function between(from: Mark | undefined, to: Mark) {
  if (!from) throw new Error('the warm-up was longer than the run');
  const readings = to.readings - from.readings;
  return {
    readings,
    cpuUsPerReading: (to.cpuUs - from.cpuUs) / readings,
    readingsPerS: (readings / (to.atMs - from.atMs)) * 1000,
  };
}
