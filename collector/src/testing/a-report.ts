import type { GatewayReport } from '../report.js';

/** A gateway that has nothing to tell. */
export function aReport(changes: Partial<GatewayReport> = {}): GatewayReport {
  return {
    gateway: 'gw-1',
    epoch: '000000001-00000000000000aa',
    atMs: Date.UTC(2026, 0, 1),
    version: '1.2.3',
    devices: [],
    condensedThrough: 0,
    outbox: { id: 'outbox-1', blocks: 0, bytes: 0, maxBytes: 1000, oldestMs: null, durability: 'deferred' },
    process: { pid: 1, rssBytes: 1, cpuSeconds: 1 },
    models: {},
    ...changes,
  };
}
