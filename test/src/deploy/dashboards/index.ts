import { device } from './device.js';
import { incidents } from './incidents.js';
import { ledger } from './ledger.js';
import { pipeline } from './pipeline.js';
import { plant } from './plant.js';
import type { Dashboard } from './types.js';

/** File name in deploy/grafana/dashboards → dashboard. */
export const dashboards: Readonly<Record<string, Dashboard>> = { plant, device, incidents, pipeline, ledger };
