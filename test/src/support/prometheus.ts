/** A real Prometheus on a free port of loopback, with its data in a folder of its own. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, until } from './processes.js';

/** For `test(name, { skip: noPrometheus('promtool') }, …)`; with EDGEWARD_NO_SKIP never. */
export function noPrometheus(tool: 'prometheus' | 'promtool'): string | false {
  if (process.env.EDGEWARD_NO_SKIP || spawnSync(tool, ['--version']).status === 0) return false;
  return `SKIPPED: ${tool} is not installed (Debian: prometheus)`;
}

/** As it answers: a value is [seconds, text]. */
export interface Series {
  readonly metric: Readonly<Record<string, string>>;
  readonly value?: readonly [number, string];
  readonly values?: readonly (readonly [number, string])[];
}

export class Prometheus implements AsyncDisposable {
  readonly url: string;
  readonly #folder: string;
  readonly #child: ChildProcess;

  private constructor(url: string, folder: string, child: ChildProcess) {
    this.url = url;
    this.#folder = folder;
    this.#child = child;
  }

  /** @param config  prometheus.yml; JSON is YAML */
  static async start(config: object): Promise<Prometheus> {
    const folder = mkdtempSync(path.join(tmpdir(), 'edgeward-prometheus-'));
    const file = path.join(folder, 'prometheus.yml');
    writeFileSync(file, JSON.stringify(config));
    const address = `127.0.0.1:${await freePort()}`;
    const options = { 'config.file': file, 'storage.tsdb.path': folder, 'web.listen-address': address };
    const words = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
    const child = spawn('prometheus', [...words, '--log.level=error'], { stdio: 'ignore' });
    const prometheus = new Prometheus(`http://${address}`, folder, child);
    await until('Prometheus is ready', async () => (await fetch(`${prometheus.url}/-/ready`)).ok);
    return prometheus;
  }

  /** @param path  `query` or `query_range` */
  async query(
    path: 'query' | 'query_range',
    parameters: Readonly<Record<string, string>>,
  ): Promise<Series[]> {
    const response = await fetch(`${this.url}/api/v1/${path}`, {
      method: 'POST',
      body: new URLSearchParams(parameters),
    });
    const answer = (await response.json()) as { error?: string; data?: { result: Series[] } };
    if (!answer.data) throw new Error(`${parameters.query}: ${answer.error}`);
    return answer.data.result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#child.exitCode === null) {
      this.#child.kill('SIGKILL');
      await once(this.#child, 'close');
    }
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
