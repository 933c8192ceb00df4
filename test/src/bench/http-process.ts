import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** What `http-client.ts` is told. */
export interface HttpLoad {
  readonly port: number;
  readonly connections: number;
  /** Requests under way on each of them. */
  readonly pipelined: number;
  /** Readings a request. */
  readonly readings: number;
  readonly format: 'lines' | 'rows';
  readonly seconds: number;
  /** Where the values of all readings that were told yes go, as float64; without it, nowhere. */
  readonly record?: string;
}

/** What it answers. */
export interface HttpLoaded {
  /** Requests that were told yes. */
  readonly stored: number;
  readonly refused: number;
  /** So long somebody listened, s. */
  readonly upS: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
}

const script = fileURLToPath(new URL('./http-client.js', import.meta.url));

/** A process of its own, for as long as the load says. */
export async function pushOverHttp(load: HttpLoad): Promise<HttpLoaded> {
  const { stdout } = await promisify(execFile)(process.execPath, [script, JSON.stringify(load)]);
  return JSON.parse(stdout) as HttpLoaded;
}
