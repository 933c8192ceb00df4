import type { Logger } from '@edgeward/shared/log';
import type { TopicKind } from '@edgeward/shared/topics';
import type { Message } from './ingest.js';

/** What the collector and its gateways meet at: a broker of our own, or one that somebody else runs. */
export interface Link extends AsyncDisposable {
  /** Where it listens; of an external broker, where that does. */
  readonly port: number;
  /** Clients of our own broker; 1 or 0 with an external one. */
  readonly connections: number;
  readonly status: { readonly ok: boolean; readonly detail: string };
  /** How often what was refused since the start. */
  readonly refusals: ReadonlyMap<string, number>;
  /** Resolves once it is on its way, QoS 1; rejects if it cannot be sent now. */
  publish(topic: string, payload: string | Uint8Array, retain?: boolean): Promise<void>;
  /**
   * Hands a gateway what it need not get, because it is told again when it comes back: much cheaper than `publish`.
   * @returns false if this cannot be done here and now
   */
  send?(gateway: string, kind: TopicKind, payload: string): boolean;
}

export interface LinkOptions {
  readonly log: Logger;
  /** Waits while there is no room for more; undefined = there is. */
  readonly room: (signal: AbortSignal) => Promise<void> | undefined;
  readonly onMessage: (message: Message) => void;
  /** An external broker is there (again): what was published since it was last, and a little before, may be lost. */
  readonly onLinked?: () => void;
  /**
   * Takes what a simple publisher says on its `json` topic; resolves once it is journaled, or cannot be and the
   * publisher has been told so. Rejects if it must be sent again. Without it such messages are refused.
   */
  readonly onJson?: (gateway: string, payload: Uint8Array) => Promise<void>;
}
