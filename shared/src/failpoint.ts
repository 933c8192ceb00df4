/**
 * Named places at which a fault test may end this process as kill -9 does: `EDGEWARD_FAILPOINT=name@n` ends it when
 * the place is passed for the n-th time. Without that variable they do nothing.
 */
const [wanted, nth] = (process.env.EDGEWARD_FAILPOINT ?? '').split('@');
let left = Number(nth ?? 1);

export type Failpoint =
  | 'outbox.before-commit'
  | 'outbox.after-commit'
  | 'outbox.before-release'
  | 'outbox.before-spill'
  | 'outbox.after-offer'
  | 'journal.before-commit'
  | 'journal.after-commit'
  | 'sink.after-write'
  | 'sink.after-replay'
  | 'models.after-part'
  | 'models.before-version'
  | 'models.after-version'
  | 'models.before-switch'
  | 'models.after-switch';

export function failpoint(name: Failpoint): void {
  if (name !== wanted) return;
  left -= 1;
  if (left === 0) process.kill(process.pid, 'SIGKILL');
}
