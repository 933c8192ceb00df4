/**
 * The one table of errors. Codes are a promise, texts are not: callers branch on `code` and `retryable`.
 * Programming mistakes stay plain TypeErrors.
 */
export const errorTable = {
  EW_CONFIG_FILE: { retryable: false, text: 'The configuration file cannot be read.' },
  EW_CONFIG_INVALID: {
    retryable: false,
    text: 'The configuration has an unknown, wrong or impossible value.',
  },
  EW_USAGE: { retryable: false, text: 'The command line is not understood.' },
  EW_PACKAGE_MISSING: { retryable: false, text: 'The command needs a package that is not installed.' },
  EW_RULE_SYNTAX: { retryable: false, text: 'A rule expression cannot be parsed.' },
  EW_RULE_FIELD: { retryable: false, text: 'A rule names a field that the device type does not have.' },
  EW_SOURCE_INPUT: { retryable: false, text: 'A source cannot make sense of its input.' },
  EW_SOURCE_UNAVAILABLE: { retryable: true, text: 'A source cannot be reached now.' },
  EW_MODEL_BUNDLE: { retryable: false, text: 'A model bundle is incomplete, altered or of another version.' },
  EW_MODEL_GOLDEN: { retryable: false, text: 'A model does not reproduce its golden scores.' },
  EW_MODEL_SHAPE: { retryable: false, text: 'The feature matrix does not fit the model.' },
  EW_MODEL_FIELDS: { retryable: false, text: 'A model needs fields that the devices do not have.' },
  EW_MODEL_ALARMS: { retryable: false, text: 'A model does not raise the alarms that it should.' },
  EW_MODEL_TRANSFER: { retryable: true, text: 'A model bundle cannot be fetched now.' },
  EW_TRAIN_INPUT: { retryable: false, text: 'The training data cannot be used.' },
  EW_TRAIN_FAILED: { retryable: true, text: 'A training came to no end.' },
  EW_EVALUATE_INPUT: { retryable: false, text: 'The data to evaluate on cannot be used.' },
  EW_STORE_VERSION: {
    retryable: false,
    text: 'The store was written by a newer release; it was left untouched.',
  },
  EW_STORE_LOCKED: { retryable: false, text: 'Another process has the store open.' },
  EW_STORE_DAMAGED: { retryable: false, text: 'The store is damaged.' },
  EW_STORE_WRITE: { retryable: true, text: 'The store cannot be written now.' },
  EW_BLOCK_CORRUPT: { retryable: false, text: 'A block fails its checksum or is cut short.' },
  EW_BLOCK_VERSION: { retryable: false, text: 'A block has an unknown wire version.' },
  EW_SCHEMA_UNKNOWN: { retryable: true, text: 'The schema of a block is not known yet.' },
  EW_LINK_LOST: { retryable: true, text: 'The connection to the broker broke.' },
  EW_RECEIPT_LATE: { retryable: true, text: 'The collector did not send a receipt in time.' },
  EW_SINK_WRITE: { retryable: true, text: 'A sink cannot store now.' },
  EW_SINK_BUSY: { retryable: true, text: 'A sink asks to be left alone for a while.' },
  EW_SINK_DENIED: {
    retryable: true,
    text: 'A sink is refused by its server until somebody changes something.',
  },
  EW_SINK_REFUSED: { retryable: false, text: 'The server behind a sink will never take this.' },
  EW_SINK_STATE: { retryable: false, text: 'A sink does not understand its own saved state.' },
  EW_COLLECTOR_AWAY: { retryable: true, text: 'The collector does not answer.' },
  EW_LISTEN: { retryable: false, text: 'A port cannot be opened.' },
  EW_NOTIFY: { retryable: true, text: 'A notification could not be sent now.' },
  EW_HTTP_REQUEST: { retryable: false, text: 'The request has an unknown, wrong or impossible value.' },
  EW_HTTP_NOT_FOUND: { retryable: false, text: 'There is nothing at this address.' },
  EW_HTTP_PASSWORD: { retryable: false, text: 'A password is needed.' },
  EW_HTTP_REFUSED: { retryable: false, text: 'The request comes from a page or name that is not trusted.' },
  EW_HTTP_BUSY: { retryable: true, text: 'Too many requests or open pages.' },
  EW_HTTP_FAILED: { retryable: true, text: 'The collector could not answer.' },
  EW_STOPPED: { retryable: false, text: 'The component has been stopped.' },
} as const;

export type ErrorCode = keyof typeof errorTable;

export class EdgewardError extends Error {
  override readonly name = 'EdgewardError';
  readonly code: ErrorCode;
  readonly retryable: boolean;
  /** Not before; undefined = as the caller likes. */
  readonly retryAfterMs: number | undefined;

  /** @param detail  what exactly and what to do about it; the table's text stands before it */
  constructor(code: ErrorCode, detail?: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(detail ? `${errorTable[code].text} ${detail}` : errorTable[code].text, options);
    this.code = code;
    this.retryable = errorTable[code].retryable;
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** True for errors of ours that say a later try may succeed. Anything unknown is not retryable. */
export function isRetryable(error: unknown): boolean {
  return error instanceof EdgewardError && error.retryable;
}

export function hasCode(error: unknown, code: ErrorCode): error is EdgewardError {
  return error instanceof EdgewardError && error.code === code;
}

/** What was said beside the table's text, which is put before it anew where it is thrown again. */
export function detailOf(code: ErrorCode, message: string): string {
  const { text } = errorTable[code];
  return message.startsWith(text) ? message.slice(text.length).trimStart() : message;
}

/** The text of whatever was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
