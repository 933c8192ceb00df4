/** What every Node process can tell of itself, under the names that Prometheus' own client libraries use. */
import { readdirSync, readFileSync } from 'node:fs';
import type { LoopDelay } from './loop-delay.js';
import type { Metrics } from './metrics.js';

const startedS = Math.round(performance.timeOrigin) / 1000;

export function addProcessMetrics(metrics: Metrics, loop: () => LoopDelay): void {
  let usage = process.cpuUsage();
  let memory = process.memoryUsage();
  metrics.prepare(() => {
    usage = process.cpuUsage();
    memory = process.memoryUsage();
  });
  metrics.counter('process_cpu_user_seconds_total', 'CPU time in user mode', () => usage.user / 1e6);
  metrics.counter('process_cpu_system_seconds_total', 'CPU time in the kernel', () => usage.system / 1e6);
  metrics.counter('process_cpu_seconds_total', 'CPU time', () => (usage.user + usage.system) / 1e6);
  metrics.gauge('process_start_time_seconds', 'Start of the process, Unix time', () => startedS);
  metrics.gauge('process_resident_memory_bytes', 'Resident memory', () => memory.rss);
  metrics.gauge('process_open_fds', 'Open file descriptors (Linux)', openFiles);
  metrics.gauge('process_max_fds', 'Most file descriptors that it may open (Linux)', mostFiles);
  metrics.gauge('nodejs_heap_size_total_bytes', 'Heap that V8 has taken', () => memory.heapTotal);
  metrics.gauge('nodejs_heap_size_used_bytes', 'Heap in use', () => memory.heapUsed);
  metrics.gauge(
    'nodejs_external_memory_bytes',
    'Memory outside of the heap that it keeps',
    () => memory.external,
  );
  metrics.gauges('nodejs_version_info', 'Always 1', ['version'], () => [[process.version, 1]]);
  metrics.histogram(
    'nodejs_eventloop_delay_seconds',
    'How long what was due had to wait for the event loop, looked at every 0.1 s',
    () => loop().seconds,
  );
}

function openFiles(): number | undefined {
  try {
    return readdirSync('/proc/self/fd').length - 1; // one is the folder itself
  } catch {
    return undefined;
  }
}

function mostFiles(): number | undefined {
  try {
    const limit = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'));
    return limit ? Number(limit[1]) : undefined;
  } catch {
    return undefined;
  }
}
