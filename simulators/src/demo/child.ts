import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';

export interface ChildOptions {
  /** Arguments behind `edgeward`. */
  readonly args: readonly string[];
  readonly nodeFlags?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly logFile: string;
  readonly onMessage?: (message: unknown) => void;
}

/** One `edgeward` process, started again at will. Its log goes to a file. */
export class Child {
  readonly #options: ChildOptions;
  #process: ChildProcess | undefined;
  #exited: Promise<number | null> = Promise.resolve(null);
  #asked: NodeJS.Signals | undefined;

  constructor(options: ChildOptions) {
    this.#options = options;
  }

  get running(): boolean {
    return this.#process !== undefined;
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  /** Resolves with the exit code: 0 after a signal that was asked for, null after any other. */
  get exited(): Promise<number | null> {
    return this.#exited;
  }

  start(): void {
    const { args, nodeFlags = [], env, logFile, onMessage } = this.#options;
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [...nodeFlags, edgewardCli(), ...args], {
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, ...env },
      // Its own group: Ctrl-C in the terminal is ours to pass on, in the right order.
      detached: process.platform !== 'win32',
    });
    closeSync(log);
    this.#process = child;
    if (onMessage) child.on('message', onMessage);
    this.#exited = new Promise(resolve => {
      child.once('exit', (code, signal) => {
        if (this.#process === child) this.#process = undefined;
        // As it was asked to: by a kill -9 of the play, or by SIGTERM before Node could listen to it.
        resolve(signal !== null && signal === this.#asked ? 0 : code);
      });
      child.once('error', () => {
        if (this.#process === child) this.#process = undefined;
        resolve(1);
      });
    });
  }

  send(message: object): void {
    if (this.#process?.connected) this.#process.send(message);
  }

  /** `SIGKILL` is kill -9: no handler runs, nothing is flushed. @returns its exit code; 0 if the signal ended it */
  kill(signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
    this.#asked = signal;
    this.#process?.kill(signal);
    return this.#exited;
  }
}

/** The executable this process itself was started with. */
function edgewardCli(): string {
  const cli = process.argv[1];
  if (cli === undefined) throw new TypeError('the demo must be started through the edgeward command');
  return cli;
}
