/** What the sink needs of a client library: a connection to one broker. One place for each library that can stand here. */
import type { Call } from './calls.js';

/** A broker that answers; in order, and more than one request may be under way. */
export interface Node {
  /** @throws what `kafkaError` understands. Retries nothing: after any throw the sink begins anew */
  call<T>(call: Call<T>): Promise<T>;
}

export interface Wire {
  /** Resolves once it has let us in. */
  connect(host: string, port: number): Promise<Node>;
  /** Cuts what is open: calls under way throw. Safe twice. */
  close(): void;
}
