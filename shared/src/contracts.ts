/**
 * The contracts that agent and collector are built from.
 *
 * One idea: every record has one owner. The agent owns it until the collector's receipt; then the journal owns
 * it; then each sink follows the journal with its own durable cursor. Data flows right, only receipts come back.
 */

/** What a field holds. `float` is the default for measurements. */
export type FieldKind = 'float' | 'int' | 'bool' | 'string';

/** One channel of a device type. */
export interface Field {
  readonly name: string;
  readonly kind: FieldKind;
  /** UCUM-like, for example `Cel`, `bar`, `mm/s`; absent for plain numbers. */
  readonly unit?: string;
  /** Physically possible lower bound; below it a value is marked out of range. */
  readonly min?: number;
  /** Physically possible upper bound. */
  readonly max?: number;
  /** Largest plausible change, units per second; a faster one is marked. */
  readonly maxRate?: number;
  /** After this many equal values in a row the channel counts as stuck; absent = never (set points, counters). */
  readonly stuckAfter?: number;
}

/** The fields of one device type and the devices of this gateway that have it. */
export interface Schema {
  /** Device type, for example `pump`. */
  readonly type: string;
  readonly fields: readonly Field[];
  /** Device names, unique within the gateway. */
  readonly devices: readonly string[];
}

export type Column = Float64Array | BigInt64Array | Uint8Array | readonly string[];

/** One channel's part in an alarm. */
export interface ChannelEvidence {
  readonly field: string;
  readonly value: number | null;
  /** Where the value usually lies (1st to 99th percentile when the model was trained), if known. */
  readonly expected?: readonly [number, number];
  /** What the value is of, if not of the reading itself: `mean(temperature, 10m)`. */
  readonly of?: string;
  /** What a rule compares the value with. */
  readonly limit?: number;
  readonly direction: 'high' | 'low' | 'unusual';
  /** Share of the score that this channel explains, 0 to 1. */
  readonly weight: number;
}

/** Why one row of a batch was flagged. Sparse: only flagged rows have it. */
export interface Evidence {
  /** Index of the row within its batch. */
  readonly at: number;
  readonly detector: 'forest' | 'rule' | 'quality' | 'surprise';
  /** Model revision, rule name, quality reason, or what surprised: `level, past 6 days`. */
  readonly source: string;
  readonly score: number;
  readonly threshold: number;
  /** Largest part first. */
  readonly channels: readonly ChannelEvidence[];
}

/** n rows as columns; immutable once yielded; one yielded batch = one block. One schema, one model revision. */
export interface RecordBatch {
  readonly schema: Schema;
  /** [n] ms since Unix epoch, UTC. */
  readonly time: Float64Array;
  /** [n] index into schema.devices. */
  readonly device: Uint16Array;
  /** [n] number per (epoch, device), given when read, from 1, without gaps. */
  readonly row: Float64Array;
  /** F × [n]. */
  readonly values: readonly Column[];
  /** F bitmaps (1 bit a row, least significant first): absent is not NaN. */
  readonly missing?: readonly (Uint8Array | undefined)[];
  /** [n] bit flags, see quality.ts; 0 = good. */
  readonly quality: Uint16Array;
  /** F × [n] bit flags; undefined = all good. */
  readonly fieldQuality?: readonly (Uint8Array | undefined)[];
  /** Revision of the model that scored it: swaps fall between blocks. */
  readonly model?: string;
  /** [n] in [0, 1]; NaN = unscored. */
  readonly score?: Float32Array;
  /** [n] 1 = flagged by a model or a rule. */
  readonly anomaly?: Uint8Array;
  readonly evidence?: readonly Evidence[];
}

/** Where a source that can be read again continues. Opaque to everyone else; JSON. */
export type SourcePosition = Readonly<Record<string, string | number | boolean | null>>;

export interface Source {
  /** True: back from `yield` = durable; acknowledge upstream there, nowhere else. False (polled): back = admitted. */
  readonly acknowledges: boolean;
  /**
   * Ends by itself when the input ends or `stop` fires; hands over what it holds first. A batch without rows makes no
   * block: the position, and rows counted as rejected, become durable.
   */
  read(stop: AbortSignal): AsyncGenerator<RecordBatch, void, void>;
  /** Where to read on after a restart; stored in the same commit as the batch just yielded. Undefined = as before. */
  position?(): SourcePosition | undefined;
}

export interface Stage {
  /** The same n rows in the same order. Marks rows; never drops them. */
  process(batch: RecordBatch): RecordBatch | Promise<RecordBatch>;
}

export interface Detector extends AsyncDisposable {
  /** F names, in training order. */
  readonly features: readonly string[];
  /** Travels with every score. */
  readonly revision: string;
  /** x: row-major [n, F]. Returns [n] in [0, 1]; larger = more anomalous. */
  score(x: Float32Array, n: number): Promise<Float32Array>;
}

/** `journaled`: stop resending, the window moves. `released`: forget. */
export type Mark = 'journaled' | 'released';

/** What blocks of one kind share: their schema and the model that scored them. Travels apart, under its id. */
export interface Described {
  /** Hash of the content, hex: equal content has equal ids wherever it is described. */
  readonly id: string;
  readonly schema: Schema;
  readonly model?: string;
}

/** A new epoch at every process start; seq never repeats within it. */
export interface Entry {
  readonly epoch: string;
  readonly seq: number;
  readonly lane: 'live' | 'backlog';
  readonly bytes: Uint8Array;
  /** What is needed to decode it; must have reached the collector before it. */
  readonly described: Described;
  /** Only of a block that is traced: its `publish` span, which the bytes do not name yet. */
  readonly trace?: TraceContext;
}

/** "I have from…through of this epoch", and no claim about anything else. */
export interface Receipt {
  readonly epoch: string;
  readonly from: number;
  readonly through: number;
  readonly mark: Mark;
}

/** Where a batch comes from, as far as the outbox has to know. */
export interface Origin {
  /** Name under which `position` and rejected rows are kept. */
  readonly source: string;
  /** Where the source reads on after this batch: durable in the same commit as it. */
  readonly position?: SourcePosition | undefined;
  /** Somebody waits for `durable`: the batch is written at once and offered only then. */
  readonly acknowledges?: boolean;
  /** Goes with the block, also through a restart. */
  readonly trace?: TraceContext;
}

/** Where a batch is safe first: on our disk, or in the collector's journal. */
export type Safe = 'disk' | 'journal';

/** Handed back by `Outbox.append`. */
export interface Admission {
  /** Resolves once fsynced here (with the source's position, if it has one) or journaled there. */
  readonly durable: Promise<Safe>;
}

export interface Outbox extends AsyncDisposable {
  readonly epoch: string;
  /**
   * Resolves once admitted: room within the bytes that may be lost or wait for the disk, and within the quota; that
   * wait is the back-pressure. A batch without rows makes no block: its source's position, and what was rejected on
   * the way there, become durable.
   * @throws EW_STOPPED if there was no room before `deadline` or the end
   */
  append(batch: RecordBatch, origin: Origin, deadline: AbortSignal): Promise<Admission>;
  /**
   * All that is not journaled: the live lane in order, the backlog in order beside it; ends on stop once nothing is
   * left. A new walk, on a new link, voids the one before it and begins again.
   */
  entries(stop: AbortSignal): AsyncIterable<Entry>;
  /** Notes or forgets exactly that range, as marked. Idempotent; any order, any time. */
  receive(receipt: Receipt): Promise<void>;
  /**
   * Whether blocks can be sent now, and how long receipts take: how long a block of a polled source waits in memory
   * for its receipt, before it is written.
   */
  link(up: boolean, roundTripP99Ms?: number): void;
  /** The collector's journal is another: what the former had journaled and not released is offered again. */
  forgotten(): void;
}

export interface Uplink extends AsyncDisposable {
  /** 99th percentile of the last times from sending a block to its receipt, ms; undefined before the first. */
  readonly roundTripP99Ms?: number | undefined;
  /** Pulls while the window has room. Throws if the link breaks or a receipt is late. */
  exchange(entries: AsyncIterable<Entry>, deadline: AbortSignal): AsyncIterable<Receipt>;
}

/** One journaled block, as every consumer of the journal sees it. */
export interface Delivery {
  readonly gateway: string;
  readonly epoch: string;
  readonly seq: number;
  /** Position in the journal; rises, with gaps after retention. */
  readonly position: number;
  /** When the collector journaled it, ms since Unix epoch by the collector's clock. */
  readonly ingestedMs: number;
  /** It waited somewhere: too old, when it arrived, to raise a new alarm. */
  readonly late: boolean;
  /** Of its gateway, as known when it was journaled; the same at every reading. */
  readonly site?: string;
  /** Only of a block that is traced. */
  readonly trace?: TraceContext;
  readonly batch: RecordBatch;
}

/** Where the next span of a sampled block hangs. W3C Trace Context, level 1. */
export interface TraceContext {
  /** 32 hex digits. */
  readonly traceId: string;
  /** 16 hex digits: the parent. */
  readonly spanId: string;
}

/**
 * What happened, for sinks that keep more than rows: a change of an incident, or an event of a gateway or of the
 * collector. Notes of one feed are numbered in their order, from 1; another store counts anew.
 */
export interface Note {
  readonly feed: 'incident' | 'event';
  /** Id of the store that numbered it. */
  readonly store: string;
  readonly number: number;
  readonly gateway: string;
  readonly device?: string;
  /** ms since Unix epoch, UTC. */
  readonly atMs: number;
  /** What the API tells of it: plain JSON. */
  readonly value: Readonly<Record<string, unknown>>;
}

/** What the store behind a sink will never take, with what it said. */
export type Refusal =
  | {
      readonly delivery: Delivery;
      /** Indices of rows in its batch; absent = all. */
      readonly rows?: readonly number[];
      readonly reason: string;
    }
  | { readonly note: Note; readonly reason: string };

/** Inclusive, sorted, disjoint, not touching. */
export type RangeList = readonly (readonly [number, number])[];

/** How far a consumer has come. With a foreign journal it starts at 0 and skips what `received` names. */
export interface Cursor {
  readonly journal: string;
  /** Last position stored; 0 = none. */
  readonly position: number;
  /** Stored seq ranges, by `gateway/epoch`. May be put together when it is read: read it only to keep it. */
  readonly received: Readonly<Record<string, RangeList>>;
  /** Number of the last note stored, by `feed/store`. */
  readonly notes?: Readonly<Record<string, number>>;
}

/** What is read of the journal for one write, at most; one delivery may be more. */
export interface ReadLimits {
  readonly maxDeliveries: number;
  /** As they lie in the journal, encoded. */
  readonly maxBytes: number;
}

/** How far somebody is behind in reading what a sink has stored. */
export interface ReaderLag {
  /** Who reads, for example a consumer group. */
  readonly group: string;
  readonly topic: string;
  readonly partition: number;
  readonly messages: number;
  /** How long the oldest of them has been there, as far as it has been watched; 0 = there is none. */
  readonly seconds: number;
}

/**
 * What `write` may throw, for the runtime to act on:
 * EW_SINK_WRITE   try again later, with growing waits
 * EW_SINK_BUSY    the same, not before `retryAfterMs`
 * EW_SINK_DENIED  credentials, rights or settings that a human has to change: tried again, slowly
 * EW_SINK_REFUSED something in these deliveries will never be taken: they are halved until it stands alone, and that
 *                 goes to the dead letters
 */
export interface Sink extends AsyncDisposable {
  /**
   * For sinks that commit their cursor together with the data: where their own store says they stand.
   * Called once, before the first write. Absent: the journal keeps the cursor and `write` must be idempotent
   * per (gateway, epoch, seq).
   */
  cursor?(): Promise<Cursor | undefined>;
  /**
   * Called in journal order; resolves once all are durably stored, but for what it has told `refuse` of before.
   * Without deliveries and notes, only its cursor moves.
   * @param after  the cursor once these are stored
   * @param notes  for a sink that takes them; stored with the same cursor
   */
  write(
    deliveries: readonly Delivery[],
    after: Cursor,
    deadline: AbortSignal,
    notes?: readonly Note[],
  ): Promise<void>;
  /** What it makes good use of at once while it is far behind; absent = 1000 deliveries or 8 MiB. */
  readonly limits?: ReadLimits;
  /** Absent = it has no use for notes and gets none. */
  readonly takesNotes?: boolean;
  /** Of those it was told to watch, as of lately; absent = it cannot know. */
  readers?(): readonly ReaderLag[];
  /**
   * Stores what it once refused: never looks at where its cursor stands, and leaves the cursor there.
   * Absent = `write` is idempotent by the ids of rows and serves for this, too.
   * @param letter  id of what is replayed. A sink that commits its cursor with the data commits this id, too, and
   *                stores nothing under an id that it has: so a replay that was cut off is stored once
   */
  replay?(
    letter: string,
    deliveries: readonly Delivery[],
    notes: readonly Note[],
    deadline: AbortSignal,
  ): Promise<void>;
}

export interface Clock {
  /** ms since Unix epoch. */
  now(): number;
  /** ms, never goes back; only differences mean anything. */
  monotonic(): number;
  /** Resolves after ms or, without throwing, when the signal fires. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

/** Seeded; [0, 1). */
export type Rng = () => number;

/** What one device's rows came to, cumulative over all starts of the agent. Design: read = sum of the others. */
export interface LedgerCounts {
  readonly read: number;
  readonly stored: number;
  readonly inFlight: number;
  readonly rejected: number;
  readonly thinned: number;
  readonly dropped: number;
  readonly damaged: number;
}

/** Rows of one device, numbered from…through; `count` is less than the span where blocks were thinned. */
export interface HeldRows {
  readonly epoch: string;
  readonly from: number;
  readonly through: number;
  readonly count: number;
}

/**
 * What the agent says of one device, at one instant, cumulative over all its starts. `stored` and `inFlight` are the
 * collector's to find: it counts what it journaled of `rows`, and which of the `held` rows it has not.
 */
export interface DeviceReport {
  readonly device: string;
  readonly read: number;
  readonly rejected: number;
  readonly thinned: number;
  readonly dropped: number;
  readonly damaged: number;
  /** Row numbers that `read` counts, in epochs newer than `condensedThrough`. */
  readonly rows: readonly { readonly epoch: string; readonly ranges: RangeList }[];
  /** Rows in the outbox, in memory or on disk, not known to be journaled. */
  readonly held: readonly HeldRows[];
}

export type Durability = 'deferred' | 'always';

export interface OutboxReport {
  /** Two agents under one gateway name do not share it. */
  readonly id: string;
  readonly blocks: number;
  readonly bytes: number;
  readonly maxBytes: number;
  /** When its oldest block was made, ms since Unix epoch; null = empty. */
  readonly oldestMs: number | null;
  readonly durability: Durability;
  /** Of the collector it delivers to, as far as it has heard: all receipts of a former one have come by then. */
  readonly journal?: string;
}

/** A span of one device's rows that one model flagged and the other did not. */
export interface ShadowDifference {
  readonly device: string;
  readonly by: 'active' | 'candidate';
  readonly fromMs: number;
  readonly toMs: number;
  readonly rows: number;
  /** Largest part first; empty = not explained. */
  readonly channels: readonly string[];
}

/** What came of a candidate beside the active model, so far. */
export interface ShadowReport {
  readonly rows: number;
  /** Time of the rows, summed over devices. */
  readonly deviceHours: number;
  readonly devices: number;
  /** `reproduced`: of the active model's, those in which the candidate flagged a row too. */
  readonly alarms: { readonly candidate: number; readonly active: number; readonly reproduced: number };
  readonly flagged: { readonly candidate: number; readonly active: number };
  /** Rows that both judged alike. */
  readonly agreed: number;
  /** The newest. */
  readonly differences: readonly ShadowDifference[];
}

/** How far a gateway has come with the model that the collector wants it to run for one device type. */
export interface ModelDeployment {
  readonly type: string;
  /** The collector's word that this is about. */
  readonly order: string;
  /** What it should run; null = what its own configuration names. */
  readonly revision: string | null;
  /**
   * `waiting`: for rows of that type, or to try again; `shadow`: scores beside the active model; `refused`: the former
   * model goes on; `rolled-back`: it ran and gave way to the former one.
   */
  readonly state: 'waiting' | 'fetching' | 'checking' | 'shadow' | 'active' | 'refused' | 'rolled-back';
  readonly doneBytes?: number;
  readonly bytes?: number;
  readonly code?: string;
  /** Why. */
  readonly text?: string;
  readonly shadow?: ShadowReport;
}

/** A channel of a device that has left the range which its model was trained on. */
export interface DriftingChannel {
  /** Null = the model's score. */
  readonly field: string | null;
  /** Outside of `expected`, of the last day's rows. */
  readonly share: number;
  /** 1st and 99th percentile of the training rows; of a score, up to the 99th percentile of held-out rows. */
  readonly expected: readonly [number, number];
  /** Of the last hours; null = not known. */
  readonly median: number | null;
  /** About when it began, in the time of rows. */
  readonly sinceMs: number;
}

/** A report names so many at most: a full list leaves some out. */
export const maxReportedDrifts = 64;

export interface DeviceDrift {
  readonly type: string;
  /** Of the model. */
  readonly revision: string;
  readonly device: string;
  /** At least one. */
  readonly channels: readonly DriftingChannel[];
}

/** Published on `reported`: the agent's side of the ledger and its health. */
export interface AgentReport {
  readonly gateway: string;
  readonly epoch: string;
  readonly atMs: number;
  /** When this run began, by the same clock; absent in older agents. */
  readonly startedMs?: number;
  /** Section of the configuration → short hash of what stands there, secrets left out; absent in older agents. */
  readonly configuration?: Readonly<Record<string, string>>;
  readonly site?: string;
  readonly version: string;
  readonly devices: readonly DeviceReport[];
  /** Start counter: of epochs up to it only the counts are kept, no rows. 0 = none. */
  readonly condensedThrough: number;
  readonly outbox: OutboxReport;
  readonly process: { readonly pid: number; readonly rssBytes: number; readonly cpuSeconds: number };
  /** Device type → revision in use. */
  readonly models: Readonly<Record<string, string>>;
  /** One for each device type that the collector has given a model. */
  readonly deployments?: readonly ModelDeployment[];
  /** At present; absent: this agent does not look for it. */
  readonly drifts?: readonly DeviceDrift[];
}

/** Published on `events`: something that must not pass silently. */
export interface AgentEvent {
  readonly gateway: string;
  readonly epoch: string;
  readonly atMs: number;
  readonly kind:
    | 'gap'
    | 'damage'
    | 'dropped'
    | 'thinned'
    | 'model'
    | 'source'
    | 'clock'
    | 'identity'
    | 'disk'
    | 'journal';
  readonly text: string;
  readonly details: Readonly<Record<string, string | number | null>>;
}
