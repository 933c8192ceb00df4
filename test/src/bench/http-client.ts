/** The load of `http.ts`, as a process of its own: `PORT CONNECTIONS PIPELINED READINGS FORMAT SECONDS`. */
import { load, post } from '../support/http-load.js';

const [port = 0, connections = 64, pipelined = 1, readings = 1, , seconds = 5] = process.argv
  .slice(2)
  .map(Number);
const format = process.argv[6] ?? 'lines';
const names = Array.from({ length: readings }, (_, i) => `f${i}`);
const startMs = Date.now();

/** One row of so many readings; lines are one a reading, as most clients send them. */
function body(n: number): string {
  if (format === 'rows') {
    const values = names.map((name, i) => `"${name}":${20 + ((n + i) % 1000) / 100}`);
    return `{"device":"bench-${n % 10}","time":${startMs + n},"values":{${values.join()}}}`;
  }
  return names
    .map(
      (_, i) =>
        `bench,device=bench-${n % 10} value=${20 + ((n + i) % 1000) / 100} ${startMs + n * readings + i}`,
    )
    .join('\n');
}

const latencies: number[] = [];
const statuses = new Map<number, number>();
const path = format === 'rows' ? '/rows' : '/write?precision=ms';
const started = performance.now();
await load(
  {
    port,
    connections,
    pipelined,
    request: n => post(path, body(n)),
    onAnswer: (_, status, latencyMs) => {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      latencies.push(latencyMs);
    },
  },
  AbortSignal.timeout(seconds * 1000),
);
const tookS = (performance.now() - started) / 1000;
latencies.sort((a, b) => a - b);
process.stdout.write(
  JSON.stringify({
    stored: statuses.get(204) ?? 0,
    refused: latencies.length - (statuses.get(204) ?? 0),
    tookS,
    p50Ms: latencies[latencies.length >> 1] ?? 0,
    p99Ms: latencies[Math.floor(latencies.length * 0.99)] ?? 0,
  }),
);
