/** A real agent in this process, whose only source is a made-up machine that yields rows until it is stopped. */
import { agentConfig } from '@edgeward/agent/config';
import { runAgent } from '@edgeward/agent/main';
import { sliceBatch } from '@edgeward/models/slice-batch';
import { machineBatch } from '@edgeward/models/testing/machine';
import { systemClock } from '@edgeward/shared/clock';
import type { RecordBatch, Source } from '@edgeward/shared/contracts';
import { type Logger, silentLogger } from '@edgeward/shared/log';

export interface MachineAgentOptions {
  readonly port: number;
  readonly dataDir: string;
  /** Folders of bundles. */
  readonly models?: readonly string[];
  readonly log?: Logger;
  /** Name of the environment variable that it is in. */
  readonly passwordEnv?: string;
  readonly engine?: 'auto' | 'typescript';
  readonly everyMs?: number;
  readonly reportMs?: number;
  /** What it reads, over and over; must be of type machine. */
  readonly rows?: RecordBatch;
  readonly rowsABatch?: number;
}

export class MachineAgent implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;

  constructor({
    port,
    dataDir,
    models = [],
    log = silentLogger,
    reportMs = 200,
    passwordEnv,
    engine = 'typescript',
    ...feed
  }: MachineAgentOptions) {
    const config = agentConfig.parse({
      gateway: 'gw-1',
      dataDir,
      models,
      engine,
      reportMs,
      uplink: {
        url: `mqtt://127.0.0.1:${port}`,
        ...(passwordEnv !== undefined && { password: { env: passwordEnv } }),
      },
      // In place of it comes the machine.
      sources: [{ type: 'simulated', name: 'machine', devices: [{ name: 'pump-1', type: 'pump' }] }],
    });
    const options = { config, log, createSource: () => machineSource(feed) };
    this.#running = runAgent(options, this.#stop.signal, AbortSignal.any([this.#stop.signal]));
    this.#running.catch(() => undefined);
  }

  /** What is not received stays in its outbox. */
  async end(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.end();
  }
}

type Feed = Pick<MachineAgentOptions, 'everyMs' | 'rows' | 'rowsABatch'>;

function machineSource({ everyMs = 20, rows, rowsABatch = 20 }: Feed): Source {
  const all = rows ?? machineBatch({ rows: 20_000, seed: 77 });
  return {
    acknowledges: false,
    async *read(stop) {
      for (let from = 0; from < all.time.length && !stop.aborted; from += rowsABatch) {
        yield sliceBatch(all, from, Math.min(from + rowsABatch, all.time.length));
        await systemClock.sleep(everyMs, stop);
      }
    },
  };
}
