/** Why there is no answer. Never holds anything that a server sent or that was sent to it. */
export type FailureKind =
  | 'timeout'
  | 'unreachable'
  /** It asks for patience (429). */
  | 'limited'
  /** It does not take the key or the request (other 4xx). */
  | 'denied'
  | 'server'
  /** Not JSON, not of the shape that its interface has, or longer than any answer. */
  | 'unreadable'
  /** The model ran into the limit of tokens. */
  | 'cut'
  /** The model or a filter before it would not. */
  | 'refused';

export class LlmFailure extends Error {
  /** @param retryAfterMs  how long the server asked to be left alone */
  constructor(
    readonly kind: FailureKind,
    message: string,
    readonly retryAfterMs?: number,
  ) {
    super(message);
  }

  /** The server is there and well: it would say the same again. */
  get isAnswer(): boolean {
    return this.kind === 'cut' || this.kind === 'refused';
  }
}
