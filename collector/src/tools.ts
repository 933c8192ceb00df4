/** What `edgeward audit` and `edgeward fsck` ask of the collector; see shared/src/audit/sides.ts. */
import { repairStores as repair } from './audit/repair-stores.js';
import { Journal } from './journal/journal.js';

export { auditCollector } from './audit/audit-collector.js';
export { checkStores } from './audit/check-stores.js';

export function repairStores(config: unknown) {
  return repair(config, Journal.open);
}
