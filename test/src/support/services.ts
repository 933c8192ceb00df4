/** Real servers for tests: the scripts in test/services, each in a folder and on ports of the test's own. */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { freePort } from './processes.js';
import { root } from './root.js';

/** What each script puts into its cache once it has fetched or built all it needs; see the scripts' heads. */
const caches = {
  kafka: 'kafka-jars/4.3.1',
  influxdb: 'influxdb-2.7.12',
  jaeger: 'jaeger-1.76.0',
  smollm: 'smollm-3.22.1',
} as const;

export type ServiceName = keyof typeof caches;

/**
 * For `test(name, { skip: noService('kafka') }, …)`: the reason, or false where it has been fetched. Tests never
 * fetch or build one. With EDGEWARD_NO_SKIP always false, so that its absence fails.
 */
export function noService(name: ServiceName): string | false {
  const cache = process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache');
  if (existsSync(path.join(cache, caches[name], '.complete')) || process.env.EDGEWARD_NO_SKIP) return false;
  return `SKIPPED: ${name} has not been fetched; run test/services/${name}/${name}.sh fetch`;
}

/** A server's life: started, killed and started again on the same data, gone with its data at the end. */
export class Service implements AsyncDisposable {
  readonly #name: ServiceName;
  readonly #env: NodeJS.ProcessEnv;
  readonly #folder: string;

  private constructor(name: ServiceName, env: NodeJS.ProcessEnv) {
    this.#name = name;
    this.#folder = mkdtempSync(path.join(tmpdir(), `edgeward-${name}-`));
    this.#env = { ...process.env, ...env, [`${name.toUpperCase()}_DIR`]: path.join(this.#folder, 'data') };
  }

  /** @param env  as the script's head says, for example INFLUXDB_PORT; `freePort` finds one */
  static async start(name: ServiceName, env: Readonly<Record<string, string>>): Promise<Service> {
    const service = new Service(name, env);
    await service.start();
    return service;
  }

  start(): Promise<string> {
    return this.run('start');
  }

  /** In order, as an operator would. */
  stop(): Promise<string> {
    return this.run('stop');
  }

  /** kill -9: the data stays. */
  kill(): Promise<string> {
    return this.run('kill');
  }

  /** Any of the script's commands. @returns what it printed @throws Error with what it printed if it fails */
  run(...args: readonly string[]): Promise<string> {
    const script = path.join(root, 'test', 'services', this.#name, `${this.#name}.sh`);
    return new Promise((resolve, reject) => {
      // Its output goes to files of its own: a server that held our pipe open would hold the test up.
      const child = spawn(script, args, { env: this.#env, stdio: ['ignore', 'pipe', 'pipe'] });
      let output = '';
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (data: Buffer) => {
          output += data.toString('utf8');
        });
      child.once('error', reject);
      child.once('exit', code => {
        if (code === 0) resolve(output);
        else reject(new Error(`${this.#name}.sh ${args[0]} ended with ${code}: ${output.trim()}`));
      });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.run('kill').catch(() => undefined);
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

/** A broker with one node. Kafka's controller takes the port behind the client's. */
export async function startKafka(env: Readonly<Record<string, string>> = {}) {
  const [port, controller] = [await freePort(), await freePort()];
  const ports = { KAFKA_PORT: String(port), KAFKA_CTRL_PORT: String(controller) };
  const service = await Service.start('kafka', { ...ports, ...env });
  return { service, bootstrap: `127.0.0.1:${port}`, port };
}

export const influxAccess = { org: 'dev', bucket: 'dev', token: 'dev-token' } as const;

/** Organisation, bucket and an all-access token as in `influxAccess`. */
export async function startInflux(env: Readonly<Record<string, string>> = {}) {
  const port = await freePort();
  const service = await Service.start('influxdb', { INFLUXDB_PORT: String(port), ...env });
  return { service, url: `http://127.0.0.1:${port}`, ...influxAccess };
}

export async function startJaeger() {
  const [port, http, grpc] = [await freePort(), await freePort(), await freePort()];
  const service = await Service.start('jaeger', {
    JAEGER_PORT: String(port),
    JAEGER_OTLP_HTTP_PORT: String(http),
    JAEGER_OTLP_GRPC_PORT: String(grpc),
  });
  return { service, query: `http://127.0.0.1:${port}`, otlp: `http://127.0.0.1:${http}` };
}

/** A small language model behind chat completions. */
export async function startSmollm() {
  const port = await freePort();
  const service = await Service.start('smollm', { SMOLLM_PORT: String(port) });
  return { service, url: `http://127.0.0.1:${port}/v1` };
}
