/**
 * The load of `http.ts`, as a process of its own: an `HttpLoad` as JSON. When its connections break it waits until
 * somebody listens again, and goes on with the next readings: none is ever sent twice.
 */
import { writeFileSync } from 'node:fs';
import { load, post } from '../support/http-load.js';
import type { HttpLoad, HttpLoaded } from './http-process.js';

const { port, connections, pipelined, readings, format, seconds, record } = JSON.parse(
  process.argv[2] ?? '{}',
) as HttpLoad;
const names = Array.from({ length: readings }, (_, i) => `f${i}`);
/** Every reading has its own value, so that it can be found again: hundredths of its number. */
const numberOf = (n: number, i: number) => (n * readings + i) / 100;

/** One row of so many readings; lines are one a reading, as most clients send them. */
function body(n: number): string {
  const nowUs = Math.floor((performance.timeOrigin + performance.now()) * 1000);
  if (format === 'rows') {
    const values = names.map((name, i) => `"${name}":${numberOf(n, i)}`);
    return `{"device":"bench-${n % 10}","time":${nowUs / 1000},"values":{${values.join()}}}`;
  }
  return names.map((_, i) => `bench,device=bench-${n % 10} value=${numberOf(n, i)} ${nowUs + i}`).join('\n');
}

const latencies: number[] = [];
const told: number[] = [];
let refused = 0;
let next = 0;
let upMs = 0;
const path = format === 'rows' ? '/rows' : '/write?precision=us';
const stop = AbortSignal.timeout(seconds * 1000);

while (!stop.aborted) {
  const from = next;
  const fromMs = performance.now();
  let lastMs = fromMs;
  const request = (n: number) => {
    next = Math.max(next, from + n + 1);
    return post(path, body(from + n));
  };
  const onAnswer = (n: number, status: number, latencyMs: number) => {
    lastMs = performance.now();
    latencies.push(latencyMs);
    if (status === 204) told.push(from + n);
    else refused += 1;
  };
  await load({ port, connections, pipelined, request, onAnswer }, stop);
  upMs += lastMs - fromMs;
  while (!stop.aborted && !(await listens())) await new Promise(resolve => setTimeout(resolve, 20));
}

async function listens(): Promise<boolean> {
  return (await fetch(`http://127.0.0.1:${port}/ping`).catch(() => undefined))?.ok === true;
}

function valuesOf(requests: readonly number[]): Float64Array {
  const values = new Float64Array(requests.length * readings);
  for (const [at, n] of requests.entries())
    for (let i = 0; i < readings; i++) values[at * readings + i] = numberOf(n, i);
  return values;
}

if (record !== undefined) writeFileSync(record, Buffer.from(valuesOf(told).buffer));
latencies.sort((a, b) => a - b);
const loaded: HttpLoaded = {
  stored: told.length,
  refused,
  upS: upMs / 1000,
  p50Ms: latencies[latencies.length >> 1] ?? 0,
  p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
};
process.stdout.write(JSON.stringify(loaded));
