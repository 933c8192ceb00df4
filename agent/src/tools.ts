/** What `edgeward audit` and `edgeward fsck` ask of the agent; see shared/src/audit/sides.ts. */
export { checkStores } from './audit/check-outbox.js';
export { auditOutbox } from './audit/outbox-side.js';
export { repairStores } from './audit/repair-outbox.js';
