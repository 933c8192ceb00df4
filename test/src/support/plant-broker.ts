/** A real mosquitto as the broker of a plant: it keeps its sessions over a restart, and has nothing of ours. */
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { findMosquitto } from './mosquitto.js';
import { until } from './processes.js';

export class PlantBroker implements AsyncDisposable {
  readonly #config: string;
  readonly #port: number;
  #child: ChildProcess | undefined;
  #log = '';

  /** @param folder  for its configuration and, over restarts, its sessions */
  constructor(folder: string, port: number, options: readonly string[] = []) {
    this.#port = port;
    this.#config = path.join(folder, 'mosquitto.conf');
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence true',
      `persistence_location ${folder}/`,
      'max_queued_messages 0', // all of them
      ...(process.getuid?.() === 0 ? ['user root'] : []), // or it could not write there
      ...options,
    ];
    writeFileSync(this.#config, `${lines.join('\n')}\n`);
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.#port}`;
  }

  async start(): Promise<void> {
    const binary = findMosquitto();
    if (!binary) throw new Error('no mosquitto found');
    const child = spawn(binary, ['-c', this.#config], { stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        this.#log = (this.#log + data.toString('utf8')).slice(-4000);
      });
    this.#child = child;
    await until('mosquitto listens', () => {
      if (child.exitCode !== null) throw new Error(`mosquitto ended: ${this.#log}`);
      return listens(this.#port);
    });
  }

  /** Saves its sessions first. */
  async stop(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise(resolve => child.once('exit', resolve));
    child.kill('SIGTERM');
    await ended;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#child?.kill('SIGKILL');
  }
}

function listens(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1');
    const finish = (up: boolean) => {
      socket.destroy();
      resolve(up);
    };
    socket.once('connect', () => finish(true));
    socket.once('error', () => finish(false));
  });
}
