/** A CSV of rows through a real agent, MQTT and the collector's journal, and by `edgeward score`: the same rows twice. */
import { execFile } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { type EdgewardProcess, freePort, getJson, until, type Workbench } from './processes.js';
import { cli } from './root.js';

export interface LiveRow {
  readonly device: string;
  readonly epoch: string;
  readonly row: number;
  readonly time: number;
  readonly quality: readonly string[];
  /** Null where no model judged it. */
  readonly score: number | null;
  readonly anomaly: boolean;
  readonly model: string | null;
}

export interface OfflineRow extends Pick<LiveRow, 'device' | 'time' | 'score' | 'anomaly'> {
  readonly warmUp: boolean;
}

export async function edgeward(...args: string[]): Promise<string> {
  return (await promisify(execFile)(process.execPath, [cli, ...args])).stdout;
}

/** By the command; neither path may hold a comma. */
export async function scoreOffline(model: string, csv: string, out: string): Promise<OfflineRow[]> {
  await edgeward('score', '--model', model, '--input', csv, '--out', out);
  const [, ...lines] = readFileSync(out, 'utf8').trimEnd().split('\n');
  return lines.map(line => {
    const [, , time, device, score, anomaly, warmUp] = line.split(',');
    return {
      device: device!,
      time: Date.parse(time!),
      score: score === '' ? null : Number(score),
      anomaly: anomaly === '1',
      warmUp: warmUp === '1',
    };
  });
}

export interface LiveOptions {
  readonly csv: string;
  readonly type: string;
  /** Folder of the bundle. */
  readonly model: string;
  readonly speed: number | 'max';
}

/** Both processes; ended with the bench. */
export class LiveRig {
  private constructor(
    private readonly bench: Workbench,
    private readonly url: string,
    private readonly agentConfig: string,
  ) {}

  static async start(bench: Workbench, { csv, type, model, speed }: LiveOptions): Promise<LiveRig> {
    const [api, broker] = [await freePort(), await freePort()];
    const collector = bench.config('collector', {
      dataDir: './collector',
      broker: { port: broker },
      api: { port: api },
      sinks: [{ type: 'file', directory: './readings' }],
    });
    const replay = { type: 'replay', path: csv, device: 'machine', deviceType: type, deviceColumn: 'device' };
    const agent = bench.config('agent', {
      gateway: 'gw-1',
      dataDir: './agent',
      models: [model],
      uplink: { url: `mqtt://127.0.0.1:${broker}` },
      reportMs: 200,
      sources: [{ ...replay, speed, batchRows: 40, lingerMs: 50 }],
    });
    bench.start(['collector', '-c', collector]);
    return new LiveRig(bench, `http://127.0.0.1:${api}`, agent);
  }

  startAgent(): EdgewardProcess {
    return this.bench.start(['agent', '-c', this.agentConfig]);
  }

  /** Until the file sink has so many rows. */
  async untilWritten(rows: number): Promise<void> {
    await until(`${rows} rows are in the file sink`, async () => {
      await getJson(`${this.url}/readyz`);
      return this.rows().length >= rows;
    });
  }

  /** What followed the journal, in order. */
  rows(): LiveRow[] {
    const folder = path.join(this.bench.folder, 'readings');
    const names = readdirSync(folder).filter(name => name.endsWith('.ndjson'));
    const lines = names.sort().flatMap(name => readFileSync(path.join(folder, name), 'utf8').split('\n'));
    // The last line may still be on its way.
    return lines.filter(line => line.endsWith('}')).map(line => JSON.parse(line) as LiveRow);
  }
}
