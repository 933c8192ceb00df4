import type { Cursor, RangeList } from '@edgeward/shared/contracts';

/** Rows of one device within one block, as a sink has them. */
export interface SinkRows {
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
  readonly device: string;
  /** Row numbers, inclusive; `count` is less than the span where rows between are not there. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** Which they are, where that is known and `count` is less than the span. */
  readonly rows?: RangeList;
}

/** A sink's own store, read back for an audit. Reads only; the sink may be running meanwhile. */
export interface SinkAudit {
  /** Where it stands; undefined = it has stored nothing yet. */
  readonly cursor: Cursor | undefined;
  /** Its oldest rows were taken away, by its own rotation or by hand. */
  readonly begunLater: boolean;
  /** What is broken, in sentences; complete once `rows` has ended. */
  readonly problems: readonly string[];
  /** What it has up to its cursor, oldest first. A row that is there twice comes twice. */
  rows(): AsyncIterable<SinkRows>;
}
