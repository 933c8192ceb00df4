/**
 * What the API and the page may ask of the collector. The API knows nothing else of it, so that it can be
 * tested against a small stand-in and the collector without HTTP.
 */
import type { Method } from '@edgeward/models/train-table';
import type {
  ChannelEvidence,
  Field,
  LedgerCounts,
  ModelDeployment,
  ShadowReport,
} from '@edgeward/shared/contracts';
import type { HandlingAction } from './alerts/handling.js';
import type { Incident, Severity } from './alerts/incident.js';
import type { BlockPage } from './audit/block-list.js';
import type { BooksJson } from './audit/books.js';
import type { ConsumerState } from './runtime/view.js';
import type { Run } from './training/runs.js';

export interface GatewayView {
  readonly id: string;
  readonly site: string | null;
  readonly online: boolean;
  readonly epoch: string | null;
  readonly version: string | null;
  /** Time of the newest journaled row, ms; null before the first. */
  readonly lastRowMs: number | null;
  readonly lastReportMs: number | null;
  readonly devices: number;
  /** Rows journaled in the last 10 s, a second. */
  readonly rowsPerSecond: number;
  readonly outbox: {
    readonly blocks: number;
    readonly bytes: number;
    readonly oldestMs: number | null;
  } | null;
  readonly rssBytes: number | null;
  readonly openIncidents: number;
}

export interface DeviceView {
  readonly gateway: string;
  readonly device: string;
  readonly type: string;
  readonly fields: readonly Field[];
  readonly lastRowMs: number;
  readonly lastScore: number | null;
  readonly lastAnomaly: boolean;
  /** Names of the quality bits of the last row. */
  readonly lastQuality: readonly string[];
  /** Last value per field; null = missing. */
  readonly last: Readonly<Record<string, number | string | boolean | null>>;
  readonly model: string | null;
  /** A line in the plot: the model's or rule's threshold; null = unscored. */
  readonly threshold: number | null;
  readonly openIncidentId: string | null;
}

export interface SeriesQuery {
  readonly gateway: string;
  readonly device: string;
  /** Only numeric and boolean fields; unknown names are refused with 400. */
  readonly fields: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
  /** At most about this many points; above it each span keeps its lowest and highest value. */
  readonly maxPoints: number;
}

export interface SeriesView {
  readonly gateway: string;
  readonly device: string;
  readonly time: readonly number[];
  /** Per field, null = missing. Not thinned below anomalies: every flagged row stays. */
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
  readonly score: readonly (number | null)[];
  readonly anomaly: readonly boolean[];
  readonly quality: readonly number[];
}

export interface MailView {
  readonly id: string;
  /** Null: of several, in a digest. */
  readonly incidentId: string | null;
  readonly createdMs: number;
  readonly sentMs: number | null;
  /** `held`: waits for quiet hours to end or a digest; `merged`: its digest has taken its place. */
  readonly state: 'kept' | 'held' | 'queued' | 'merged' | 'sent' | 'failed';
  /** Why it is not sent yet, or `kept` because no SMTP server is configured. */
  readonly reason: string | null;
  readonly from: string;
  readonly to: readonly string[];
  readonly subject: string;
}

export interface MailBody extends MailView {
  readonly text: string;
  /** The chart is in it, as a data URL. */
  readonly html: string;
}

/** `held`: waits for the end of quiet hours; `merged`: later news of the incident has taken its place. */
export type NoticeState = 'held' | 'queued' | 'merged' | 'sent' | 'failed';

/** One event for one notifier beside mail. */
export interface NoticeView {
  /** Of one notifier. */
  readonly id: string;
  readonly notifier: string;
  readonly type: 'slack' | 'webhook';
  /** `updated`: another cause is likely now than was told. */
  readonly event: 'opened' | 'critical' | 'updated' | 'closed';
  readonly incidentId: string;
  readonly severity: Severity;
  readonly title: string;
  readonly createdMs: number;
  readonly sentMs: number | null;
  readonly state: NoticeState;
  /** Why it is not sent, or not yet. */
  readonly reason: string | null;
  readonly attempts: number;
}

export interface NoticeBody extends NoticeView {
  /** The JSON that is sent, `***` for secrets. */
  readonly text: string;
}

/** What the ledger says beside the agent's and the journal's own counts. */
export interface LedgerTerms extends LedgerCounts {
  /** Delivered before this journal began, to another one. */
  readonly earlier: number;
  /** In `read` and `stored`: rows of a start that was killed before it could note that it had read them. */
  readonly recovered: number;
}

export interface LedgerRow extends LedgerTerms {
  readonly gateway: string;
  readonly device: string;
  /** Whose account it is: a new SD card begins another one. */
  readonly outbox: string;
  /** Another outbox has the gateway's name now. */
  readonly closed: boolean;
  /** read = stored + inFlight + rejected + thinned + dropped + damaged + earlier, each counted by itself. */
  readonly balanced: boolean;
  /** When the agent's side was counted; null = no report yet. */
  readonly asOfMs: number | null;
}

export interface LedgerView {
  readonly balanced: boolean;
  readonly gateways: readonly (LedgerTerms & { readonly id: string; readonly balanced: boolean })[];
  readonly devices: readonly LedgerRow[];
  /** What sinks never got, because they lagged until the journal gave its blocks up. */
  readonly sinks: readonly SinkLossView[];
}

export interface SinkLossView {
  readonly sink: string;
  readonly blocks: number;
  readonly rows: number;
  /** Journal positions, from and through. */
  readonly ranges: readonly (readonly [number, number])[];
  readonly lastMs: number;
}

/** A configured sink, now. */
export interface SinkView {
  readonly name: string;
  readonly type: string;
  readonly state: ConsumerState;
  /** Last journal position that it has stored. */
  readonly position: number;
  readonly lag: {
    readonly blocks: number;
    readonly rows: number;
    readonly seconds: number;
    readonly notes: number;
  };
  readonly failure: {
    readonly code: string | null;
    readonly text: string;
    readonly sinceMs: number;
    /** Null = it is being tried. */
    readonly nextTryMs: number | null;
  } | null;
  /** Since the start. */
  readonly stored: { readonly blocks: number; readonly rows: number };
  /** What its server will never take. */
  readonly deadLetters: { readonly letters: number; readonly rows: number };
  /** Rows that it never got, because it lagged until the journal gave its blocks up. */
  readonly lostRows: number;
  readonly paused: boolean;
  /** Receipts wait for it. */
  readonly inReceiptAfter: boolean;
  /** Where it began; null = before that was kept, or it goes on from its own store. */
  readonly start: { readonly position: number; readonly asked: string; readonly atMs: number } | null;
}

/** Rows of a block, or an incident's change or an event, that the server behind a sink refused. */
export interface SinkLetterView {
  readonly id: string;
  readonly kind: 'rows' | 'note';
  readonly gateway: string;
  readonly reason: string;
  readonly atMs: number;
  readonly rows: number;
  readonly devices: readonly string[];
}

export interface SinkLettersView {
  readonly count: number;
  readonly rows: number;
  /** Rows of letters that were deleted, for want of room or by hand. */
  readonly deletedRows: number;
  /** Newest first. */
  readonly letters: readonly SinkLetterView[];
}

export interface SinkReplayView {
  readonly stored: number;
  /** Still dead letters. */
  readonly refused: number;
  /** Why; of the first hundred. */
  readonly reasons: readonly { readonly id: string; readonly reason: string }[];
}

export interface SinkPauseView {
  readonly name: string;
  readonly paused: boolean;
  /** What comes of it; null = nothing to add. */
  readonly note: string | null;
}

/** What reading the configuration again came to. */
export interface ReloadView {
  readonly added: readonly string[];
  readonly removed: readonly string[];
  /** With other options than before; they go on where they stood. */
  readonly replaced: readonly string[];
  /** `receiptAfter` is another now. */
  readonly receiptAfter: boolean;
  /** `topology` is another now: for incidents from now on. */
  readonly topology: boolean;
  /** Options that differ from those it runs with and are read at its start only. */
  readonly needsRestart: readonly string[];
  readonly notes: readonly string[];
}

/** Of a name that no sink has: undefined. */
export interface SinkControls {
  list(): readonly SinkView[];
  letters(name: string, limit: number): SinkLettersView | undefined;
  /** @param ids  absent = all */
  replay(name: string, ids?: readonly string[]): Promise<SinkReplayView | undefined>;
  pause(name: string): Promise<SinkPauseView | undefined>;
  resume(name: string): Promise<SinkPauseView | undefined>;
  /** @throws ConfigError with nothing changed */
  reload(): Promise<ReloadView>;
}

/** A model bundle that the collector has. */
export interface BundleView {
  readonly id: string;
  readonly type: string;
  readonly revision: string;
  readonly name: string;
  readonly addedMs: number;
  readonly bytes: number;
  readonly files: readonly string[];
  /** It carries a signature, which is not checked yet. */
  readonly signed: boolean;
}

export interface AssignedView {
  readonly type: string;
  /** Null = all that have no assignment of their own. */
  readonly gateway: string | null;
  readonly order: string;
  readonly atMs: number;
  readonly by: 'at once' | 'after a shadow run';
  /** Null = what a gateway's own configuration names. */
  readonly revision: string | null;
  /** Where a rollback leads. */
  readonly former: string | null;
}

/** What one gateway runs for one device type, and what it should. */
export interface GatewayModelView {
  readonly gateway: string;
  readonly type: string;
  /** Null = its devices of this type are not scored. */
  readonly inUse: string | null;
  readonly wanted: string | null;
  readonly state: ModelDeployment['state'] | 'as configured';
  readonly doneBytes: number | null;
  readonly bytes: number | null;
  readonly code: string | null;
  readonly text: string | null;
  /** While a candidate runs beside the active model. */
  readonly shadow: ShadowReport | null;
  readonly reportedMs: number;
}

/** The last training of a device type at the collector, or the one to come. */
export interface TrainingView extends Omit<Run, 'state' | 'startedMs'> {
  readonly state: Run['state'] | 'waiting';
  readonly startedMs: number | null;
  /** Null = it has no schedule. */
  readonly nextMs: number | null;
}

/** What somebody asks to be trained from the journal. */
export interface TrainingOrder {
  readonly type: string;
  /** Only rows of the last so many. */
  readonly hours?: number | undefined;
  readonly method?: Method | undefined;
  /** Learn even if the last fifth of the rows is unlike the rest. */
  readonly acceptChange: boolean;
  /** Have all gateways try it in the shadow. */
  readonly assign: boolean;
}

export interface ModelsView {
  readonly bundles: readonly BundleView[];
  readonly assignments: readonly AssignedView[];
  readonly gateways: readonly GatewayModelView[];
  readonly trainings: readonly TrainingView[];
}

export interface ModelTarget {
  readonly type: string;
  /** Null = all that have no assignment of their own. */
  readonly gateway: string | null;
}

export interface ModelControls {
  view(): ModelsView;
  /** @throws EW_MODEL_BUNDLE, EW_MODEL_GOLDEN */
  add(files: Readonly<Record<string, Uint8Array>>): Promise<BundleView>;
  /** Undefined: there is no such bundle. @param byShadow  first beside the active model */
  assign(target: ModelTarget, revision: string, byShadow: boolean): Promise<AssignedView | undefined>;
  /** Undefined: nothing is assigned. */
  rollBack(target: ModelTarget): Promise<AssignedView | undefined>;
  /** Begins it; `view` tells what becomes of it. @throws EW_HTTP_BUSY */
  train(order: TrainingOrder): TrainingView;
}

/** A block that no decoder understood, kept whole. */
export interface DeadLetterView {
  readonly id: string;
  readonly gateway: string;
  readonly reason: string;
  readonly atMs: number;
  readonly bytes: number;
  /** Its header was whole: its gateway has a receipt, and its rows count as rejected. */
  readonly rejected: boolean;
}

export interface DeadLettersView {
  readonly count: number;
  /** Deleted for want of room. */
  readonly dropped: number;
  /** Newest first. */
  readonly letters: readonly DeadLetterView[];
}

export interface EventView {
  readonly gateway: string;
  readonly atMs: number;
  readonly kind: string;
  readonly text: string;
}

/** One device's newest rows, as pushed to open pages: whole columns, a few times a second. */
export interface LiveUpdate {
  readonly gateway: string;
  readonly device: string;
  readonly type: string;
  readonly time: readonly number[];
  readonly values: Readonly<Record<string, readonly (number | null)[]>>;
  readonly score: readonly (number | null)[];
  readonly anomaly: readonly boolean[];
}

export type StreamMessage =
  | { readonly kind: 'rows'; readonly updates: readonly LiveUpdate[] }
  | { readonly kind: 'gateways'; readonly gateways: readonly GatewayView[] }
  | { readonly kind: 'incident'; readonly incident: Incident }
  | { readonly kind: 'mail'; readonly mail: MailView }
  | { readonly kind: 'notification'; readonly notification: NoticeView }
  | { readonly kind: 'ledger'; readonly ledger: LedgerView }
  | { readonly kind: 'sinks'; readonly sinks: readonly SinkView[] }
  | { readonly kind: 'event'; readonly event: EventView };

export interface HealthView {
  readonly live: boolean;
  readonly ready: boolean;
  /** One entry a part: `journal`, `broker`, `sink:<name>`, `training:<type>`; `pipeline:<device>:<kind>` where no incident can be stored. */
  readonly checks: readonly { readonly name: string; readonly ok: boolean; readonly detail: string }[];
}

export interface ScoreRequestRow {
  readonly device: string;
  readonly timeMs: number;
  readonly values: Readonly<Record<string, number>>;
  /** Device type whose rules and model to use; absent = the one whose fields fit best, else rules only. */
  readonly type?: string;
}

export interface ScoreResultRow {
  readonly anomaly: boolean;
  readonly score: number;
  readonly model: string | null;
  readonly reasons: readonly string[];
  readonly channels: readonly ChannelEvidence[];
}

/** Only in the demo: the play's director, in the parent process. */
export interface DemoControls {
  state(): Promise<DemoState>;
  act(action: DemoAction): Promise<DemoState>;
}

export type DemoAction =
  | { readonly action: 'inject'; readonly gateway: string; readonly device: string; readonly fault: string }
  | { readonly action: 'cut'; readonly gateway: string }
  | { readonly action: 'heal'; readonly gateway: string }
  | { readonly action: 'kill'; readonly gateway: string };

export interface DemoState {
  readonly gateways: readonly {
    readonly id: string;
    readonly linkCut: boolean;
    readonly running: boolean;
    readonly kills: number;
    readonly devices: readonly {
      readonly device: string;
      readonly faults: readonly string[];
      readonly active: string | null;
    }[];
  }[];
  readonly log: readonly { readonly atMs: number; readonly text: string }[];
}

export interface CollectorViews {
  gateways(): readonly GatewayView[];
  /** @param device  only this one */
  devices(gateway?: string, device?: string): readonly DeviceView[];
  series(query: SeriesQuery): SeriesView | undefined;
  /** @param under  only those of the site, line or machine with this path, and what lies in it */
  incidents(limit: number, under?: string): readonly Incident[];
  incident(id: string): Incident | undefined;
  /** Durable when it resolves. */
  handle(id: string, action: HandlingAction, by: string | undefined): Promise<Incident>;
  mails(limit: number): readonly MailView[];
  mail(id: string): Promise<MailBody | undefined>;
  /** Of all notifiers beside mail, newest first. */
  notifications(limit: number): readonly NoticeView[];
  notification(notifier: string, id: string): Promise<NoticeBody | undefined>;
  ledger(): LedgerView;
  readonly sinks: SinkControls;
  readonly models: ModelControls;
  deadLetters(limit: number): DeadLettersView;
  /** Tries one again. Why it is still none; null = it is stored. */
  replayDeadLetter(id: string): Promise<string | null>;
  /** For `edgeward audit`: of one instant. */
  auditBooks(): BooksJson;
  /** The blocks behind a position, at most so many. */
  auditBlocks(after: number, most: number): Promise<BlockPage>;
  events(limit: number): readonly EventView[];
  health(): HealthView;
  /** Prometheus text format. */
  metrics(): Promise<string>;
  score(rows: readonly ScoreRequestRow[]): Promise<readonly ScoreResultRow[]>;
  /** Returns the function that ends the subscription. */
  subscribe(listener: (message: StreamMessage) => void): () => void;
  readonly demo?: DemoControls;
}
