import type { ErrorCode } from '@edgeward/shared/errors';

/** Why a point cannot become a row: as it stands in the ledger. */
export type ProblemKind =
  | 'syntax'
  | 'time'
  | 'kind'
  | 'noValue'
  | 'field'
  | 'fieldName'
  | 'deviceName'
  | 'deviceType'
  | 'tooManyDevices'
  | 'tooManyFields';

export interface Problem {
  readonly kind: ProblemKind;
  /** For people: what is wrong and the way out. */
  readonly reason: string;
  readonly device?: string;
  readonly field?: string;
  readonly value?: string;
}

export function isProblem<T extends object>(found: T | Problem): found is Problem {
  return 'reason' in found;
}

/** A request that is refused as a whole. */
export class HttpRefusal extends Error {
  readonly status: number;
  readonly code: ErrorCode;
  readonly retryAfterS: number | undefined;

  constructor(status: number, code: ErrorCode, message: string, retryAfterS?: number) {
    super(message);
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}
