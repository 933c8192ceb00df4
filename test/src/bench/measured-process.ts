import { type ChildProcess, spawn } from 'node:child_process';
import { cli } from '../support/root.js';
import { type Usage, usageOf } from './process-usage.js';

export interface StartOptions {
  /** Arguments behind `edgeward`. */
  readonly args: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** One `edgeward` process under measurement; disposing of it kills it. */
export class MeasuredProcess implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #exited: Promise<number | null>;
  #log = '';

  constructor({ args, nodeFlags = [], env = {} }: StartOptions) {
    this.#child = spawn(process.execPath, [...nodeFlags, cli, ...args], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.#log = (this.#log + data.toString('utf8')).slice(-4000);
    });
    this.#exited = new Promise(resolve => this.#child.once('close', code => resolve(code)));
  }

  get usage(): Usage | undefined {
    this.check();
    return usageOf(this.#child.pid ?? 0);
  }

  /** @throws Error with the end of its log if it is not running any more */
  check(): void {
    if (this.#child.exitCode === null && this.#child.signalCode === null) return;
    throw new Error(`a process under measurement ended: ${this.#log}`);
  }

  /** Asks it to stop. @throws Error unless it ends with 0 */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM');
    const code = await this.#exited;
    if (code !== 0) throw new Error(`ended with ${code}: ${this.#log}`);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
