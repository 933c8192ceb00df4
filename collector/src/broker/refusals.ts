import type { Logger } from '@edgeward/shared/log';

export type RefusalReason =
  | 'connections'
  | 'connections-per-address'
  | 'connect-timeout'
  | 'protocol-level'
  | 'frame-malformed'
  | 'frame-too-long'
  | 'client-id'
  | 'password'
  | 'will'
  | 'identity'
  | 'topic'
  | 'retain'
  | 'subscription'
  | 'rate'
  | 'idle'
  | 'slow-consumer';

/** The same is told again after this long at the earliest; it is counted always. */
const quietMs = 60_000;
const maxRemembered = 1000;

/** Counts what the broker refuses, and tells it without letting a client that does not stop fill the log. */
export class Refusals {
  readonly counts = new Map<RefusalReason, number>();
  readonly #log: Logger;
  readonly #told = new Map<string, number>();

  constructor(log: Logger) {
    this.#log = log;
  }

  /** @returns false if the same was told of the same gateway within the last minute */
  note(reason: RefusalReason, gateway: string | undefined, detail: string): boolean {
    const count = (this.counts.get(reason) ?? 0) + 1;
    this.counts.set(reason, count);
    const [key, nowMs] = [`${reason} ${gateway ?? ''}`, performance.now()];
    const toldMs = this.#told.get(key);
    if (toldMs !== undefined && nowMs - toldMs < quietMs) return false;
    if (this.#told.size >= maxRemembered) this.#told.clear();
    this.#told.set(key, nowMs);
    this.#log.warn(
      { ...(gateway !== undefined && { gateway }), reason, count, detail },
      'a client was refused',
    );
    return true;
  }
}
