/** Real processes for end-to-end tests: an agent or a collector as a user would start it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { cli } from './root.js';

export class Workbench implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'edgeward-e2e-'));
  readonly #children = new Set<EdgewardProcess>();

  config(name: string, content: object): string {
    const file = path.join(this.folder, `${name}.yaml`);
    writeFileSync(file, JSON.stringify(content));
    return file;
  }

  /** @param wrap  put before the command line, for example `ip netns exec x` */
  start(
    args: readonly string[],
    env: Readonly<Record<string, string>> = {},
    wrap: readonly string[] = [],
  ): EdgewardProcess {
    const child = new EdgewardProcess(args, env, wrap);
    this.#children.add(child);
    return child;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#children].map(child => child.end('SIGKILL')));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export class EdgewardProcess {
  readonly exited: Promise<number | null>;
  stdout = '';
  stderr = '';
  readonly #child: ChildProcess;

  constructor(args: readonly string[], env: Readonly<Record<string, string>>, wrap: readonly string[] = []) {
    const [command, ...rest] = [...wrap, process.execPath, cli, ...args];
    this.#child = spawn(command!, rest, {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, ...env },
    });
    this.#child.stdout?.on('data', (data: Buffer) => {
      this.stdout += data.toString('utf8');
    });
    this.#child.stderr?.on('data', (data: Buffer) => {
      this.stderr += data.toString('utf8');
    });
    this.exited = new Promise(resolve => this.#child.once('close', code => resolve(code)));
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Stands still, as under a debugger or a stopped virtual machine, until `resume`. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  resume(): void {
    this.#child.kill('SIGCONT');
  }

  /** SIGTERM asks, SIGKILL is kill -9. @returns the exit code, null after a signal */
  end(signal: 'SIGTERM' | 'SIGINT' | 'SIGKILL'): Promise<number | null> {
    if (this.running) this.#child.kill(signal);
    return this.exited;
  }
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

/** Waits for a condition, not for a time; gives up with the last thing seen. */
export async function until<T>(
  what: string,
  look: () => Promise<T | undefined | false>,
  withinMs = 30_000,
): Promise<T> {
  const deadline = performance.now() + withinMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const found = await look();
      if (found !== undefined && found !== false) return found;
    } catch (error) {
      last = error;
    }
    await new Promise(resolve => setTimeout(resolve, 50));
  }
  throw new Error(`not within ${withinMs} ms: ${what}`, { cause: last });
}

export async function getJson<T>(url: string): Promise<T> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) });
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}
