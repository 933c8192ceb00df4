/** What `edgeward audit` and `edgeward fsck` ask of the collector; see shared/src/audit/sides.ts. */
export { auditCollector } from './audit/audit-collector.js';
export { checkStores } from './audit/check-stores.js';
export { repairStores } from './audit/repair-stores.js';
