import { importPackage } from '../config/modules.js';
import type { MetricDescription } from '../metrics/metrics.js';
import { code, notice, type Page, table } from './page.js';

const processes = [
  {
    title: 'Collector',
    module: '@edgeward/collector/metrics',
    about:
      'On `/metrics` of its API, with `api.password` if there is one. `gateway_…` is what the collector knows of a gateway; the agent tells the same, and more, under `agent_…` where it is scraped itself, so that a sum over either counts nothing twice.',
  },
  {
    title: 'Agent',
    module: '@edgeward/agent/metrics/agent-metrics',
    about:
      'On `/metrics` of `metrics.port`, off without one; with `metrics.token` as a bearer token if there is one.',
  },
] as const;

/** What Prometheus is told, by name: written from the code, so that no dashboard asks for what there is not. */
export async function metricsPage(): Promise<Page> {
  const sections: string[] = [];
  for (const { title, module, about } of processes) {
    const { describeMetrics } = await importPackage(module);
    if (typeof describeMetrics !== 'function')
      throw new TypeError(`${module} does not export describeMetrics`);
    const rows = (describeMetrics() as readonly MetricDescription[]).map(({ name, kind, labels, help }) => [
      code(name),
      kind,
      labels.map(code).join(', '),
      help,
    ]);
    sections.push(`## ${title}`, about, table(['Name', 'Kind', 'Labels', 'Meaning'], rows));
  }
  // Beside what scrapes it, not among the options.
  return { name: '../prometheus/metrics.md', text: `${['# Metrics', notice, ...sections].join('\n\n')}\n` };
}
