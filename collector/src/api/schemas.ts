/** What the API answers, as zod schemas; TypeScript holds them against views.ts in the handlers. */
import { namePattern } from '@edgeward/shared/topics';
import { z } from 'zod';

const list = <Item extends z.ZodType>(item: Item) => z.array(item).readonly();
const ms = (description: string) =>
  z.number().meta({ description: `${description}, ms since Unix epoch, UTC` });
const count = z.number().min(0);
const column = list(z.number().nullable());

export const name = z.string().regex(namePattern, 'is not a name: letters, digits, _ . - only, at most 64');
/** Also the pipeline's own, which begin with an underscore: `_pipeline`, `_collector`, `_sink-kafka`. */
export const anyName = z
  .string()
  .regex(/^_?[A-Za-z0-9][A-Za-z0-9_.-]{0,69}$/, 'is not a name: letters, digits, _ . - only, at most 64');
/** Ids are only looked up, never built into anything; the limit keeps log lines and errors short. */
export const id = z.string().min(1).max(200);

const field = z.strictObject({
  name: z.string(),
  kind: z.enum(['float', 'int', 'bool', 'string']),
  unit: z.string().optional(),
  min: z.number().optional(),
  max: z.number().optional(),
  maxRate: z.number().optional(),
  stuckAfter: z.number().optional(),
});

export const channelEvidence = z.strictObject({
  field: z.string(),
  value: z.number().nullable(),
  expected: z.tuple([z.number(), z.number()]).readonly().optional(),
  of: z
    .string()
    .optional()
    .meta({
      description: 'What the value is of, if not of the reading itself',
      examples: ['mean(temperature, 10m)'],
    }),
  limit: z.number().optional().meta({ description: 'What a rule compares the value with' }),
  direction: z.enum(['high', 'low', 'unusual']),
  weight: z.number().meta({ description: 'Share of the score that this channel explains, 0 to 1' }),
});

export const gatewayView = z.strictObject({
  id: z.string(),
  site: z.string().nullable(),
  online: z.boolean(),
  epoch: z.string().nullable(),
  version: z.string().nullable(),
  lastRowMs: ms('Time of the newest journaled row').nullable(),
  lastReportMs: ms('When the gateway last reported').nullable(),
  devices: count,
  rowsPerSecond: count,
  outbox: z.strictObject({ blocks: count, bytes: count, oldestMs: z.number().nullable() }).nullable(),
  rssBytes: count.nullable(),
  openIncidents: count,
});

export const deviceView = z.strictObject({
  gateway: z.string(),
  device: z.string(),
  type: z.string(),
  fields: list(field),
  lastRowMs: ms('Time of the newest row'),
  lastScore: z.number().nullable(),
  lastAnomaly: z.boolean(),
  lastQuality: list(z.string()),
  last: z.record(z.string(), z.union([z.number(), z.string(), z.boolean(), z.null()])).readonly(),
  model: z.string().nullable(),
  threshold: z.number().nullable(),
  openIncidentId: z.string().nullable(),
});

export const seriesView = z.strictObject({
  gateway: z.string(),
  device: z.string(),
  time: list(z.number()).meta({ description: '[n] ms since Unix epoch, UTC' }),
  values: z.record(z.string(), column).readonly().meta({ description: 'Per field [n]; null = missing' }),
  score: column,
  anomaly: list(z.boolean()),
  quality: list(z.number()).meta({ description: '[n] bit flags; 0 = good' }),
});

const incidentChannels = list(
  channelEvidence.extend({ unit: z.string().nullable(), rows: count, firstMs: z.number() }),
);
const probability = z.number().min(0).max(1);

const diagnosis = z.strictObject({
  atMs: ms('Time of the newest row that it looked at'),
  verdict: z.enum(['likely', 'possible', 'unknown']),
  causes: list(
    z.strictObject({
      id: z.string(),
      cause: z.string(),
      component: z.string(),
      severity: z.enum(['none', 'info', 'warning', 'critical']),
      probability,
      evidence: list(z.string()),
      against: list(z.string()),
      actions: list(z.string()),
      shared: z.literal(true).optional(),
    }),
  ),
  unknown: probability,
  agreed: count.meta({ description: 'Looks in a row that named the same first cause' }),
  likelyLooks: count.optional().meta({ description: 'Those of them, up to the last, that found it likely' }),
  evidence: list(
    z.strictObject({
      id: z.string(),
      text: z.string(),
      plain: z.string().optional().meta({ description: 'Without names and units that devices chose' }),
      device: z.string(),
      field: z.string().optional(),
      other: z
        .strictObject({ device: z.string(), field: z.string() })
        .optional()
        .meta({ description: 'Another channel that it is held against' }),
      kind: z
        .enum(['order', 'change', 'past'])
        .optional()
        .meta({ description: 'Absent: what one channel or a device shows' }),
      incident: z.string().optional().meta({ description: 'Id of an earlier one that looked like it' }),
    }),
  ),
  traits: list(
    z.strictObject({ field: z.string(), is: z.enum(['high', 'low', 'jumping', 'noisy', 'stuck']) }),
  )
    .optional()
    .meta({ description: 'What the channels showed, in words; later incidents are held against it' }),
});

export const incident = z.strictObject({
  id: z.string(),
  gateway: z.string(),
  site: z.string().nullable(),
  device: z.string(),
  deviceType: z.string(),
  asset: z
    .strictObject({
      path: z.string().meta({ description: 'Site first, / between the parts' }),
      level: z.enum(['site', 'line', 'machine']),
      line: z.string().optional().meta({ description: 'Path of the line that it is or lies in' }),
      criticality: z.enum(['high', 'low']).optional().meta({ description: 'Absent: normal' }),
      inferred: z.literal(true).optional().meta({ description: 'By names, not by configuration' }),
    })
    .optional()
    .meta({
      description: 'Where in the plant the device is; absent: nothing is known beyond gateway and site',
    }),
  state: z.enum(['open', 'closed']),
  severity: z.enum(['info', 'warning', 'critical']),
  peakSeverity: z
    .enum(['info', 'warning', 'critical'])
    .optional()
    .meta({ description: 'The worst that it was; absent: as it is' }),
  extent: z
    .strictObject({ devices: count, of: count.optional() })
    .optional()
    .meta({ description: 'Devices of its machine that were in trouble at once, and how many it has' }),
  title: z.string(),
  firstMs: ms('Time of the first flagged row'),
  openedMs: ms('When it was opened'),
  lastMs: ms('Time of the last flagged row'),
  closedMs: ms('When it was closed').nullable(),
  rows: count,
  /** Flagged rows that named channels; of a long alarm an agent explains only some. */
  explainedRows: count,
  peakScore: z.number(),
  threshold: z.number(),
  detector: z.string(),
  source: z.string(),
  model: z.string().nullable(),
  channels: incidentChannels,
  detectors: list(
    z.strictObject({
      detector: z.string().meta({ description: 'forest, rule, quality, surprise, drift or pipeline' }),
      source: z.string().meta({ description: 'Model revision, rule name or quality reason' }),
      score: z.number(),
      threshold: z.number(),
      explainedRows: count,
      channels: incidentChannels,
    }),
  ).meta({ description: 'Each detector that gave reasons, the clearest first' }),
  recommendations: list(z.string()),
  timeline: list(z.strictObject({ atMs: z.number(), text: z.string() })),
  partOf: z.string().optional().meta({ description: 'Incident with the same cause, that mails for both' }),
  parts: list(
    z.strictObject({
      id: z.string(),
      device: z.string(),
      gateway: z.string().optional(),
      bond: z.literal('feeds').optional().meta({ description: 'It gets power, water, … from the whole' }),
    }),
  ).optional(),
  partCount: count.optional().meta({ description: 'How many are part of it; parts names the first 50' }),
  handling: z
    .strictObject({
      acknowledged: z.strictObject({ atMs: z.number(), by: z.string() }).optional(),
      mutedUntilMs: z.number().optional(),
      feedback: z
        .strictObject({
          verdict: z.enum(['real', 'false-alarm']),
          atMs: z.number(),
          by: z.string(),
          moved: z.literal(true).optional().meta({ description: 'It moved a threshold of the device' }),
        })
        .optional(),
      maintenance: z.strictObject({ name: z.string(), untilMs: z.number() }).optional(),
    })
    .optional()
    .meta({ description: 'What people did with it' }),
  affected: list(z.string())
    .optional()
    .meta({ description: 'Of trouble in the pipeline: the gateways, devices or channels it has to do with' }),
  diagnosis: diagnosis.optional().meta({ description: 'What it is thought to be, and why' }),
  wording: z
    .strictObject({
      text: z.string().meta({ description: 'Plain text; paragraphs stand apart by an empty line' }),
      model: z.string().meta({ description: 'Who worded it' }),
    })
    .optional()
    .meta({ description: 'What a language model made of the diagnosis, checked against its evidence' }),
});

export const mailView = z.strictObject({
  id: z.string(),
  incidentId: z.string().nullable().meta({ description: 'Null: of several, in a digest' }),
  createdMs: ms('When it was written'),
  sentMs: ms('When the SMTP server took it').nullable(),
  state: z.enum(['kept', 'held', 'queued', 'merged', 'sent', 'failed']).meta({
    description: 'held: waits for a digest or the end of quiet hours; merged: a digest has taken its place',
  }),
  reason: z.string().nullable(),
  from: z.string(),
  to: list(z.string()),
  subject: z.string(),
});

export const noticeView = z.strictObject({
  id: z.string().meta({ description: 'Of one notifier' }),
  notifier: z.string(),
  type: z.enum(['slack', 'webhook']),
  event: z.enum(['opened', 'critical', 'updated', 'closed']),
  incidentId: z.string(),
  severity: z.enum(['info', 'warning', 'critical']),
  title: z.string(),
  createdMs: ms('When it was queued'),
  sentMs: ms('When the server took it').nullable(),
  state: z.enum(['held', 'queued', 'merged', 'sent', 'failed']).meta({
    description: 'held: waits for the end of quiet hours; merged: later news has taken its place',
  }),
  reason: z.string().nullable(),
  attempts: count,
});

const ledgerCounts = z.strictObject({
  read: count,
  stored: count,
  inFlight: count,
  rejected: count,
  thinned: count,
  dropped: count,
  damaged: count,
  earlier: count.meta({ description: 'Delivered before this journal began, to another one' }),
  recovered: count.meta({
    description:
      'In read and stored: of starts that were killed before they could note that they had read them',
  }),
});

export const ledgerView = z.strictObject({
  balanced: z.boolean(),
  gateways: list(ledgerCounts.extend({ id: z.string(), balanced: z.boolean() })),
  devices: list(
    ledgerCounts.extend({
      gateway: z.string(),
      device: z.string(),
      outbox: z.string(),
      closed: z.boolean().meta({ description: "Another outbox has the gateway's name now" }),
      balanced: z.boolean(),
      asOfMs: ms("When the agent's side was counted").nullable(),
    }),
  ),
  sinks: list(
    z.strictObject({
      sink: z.string(),
      blocks: count,
      rows: count,
      ranges: list(z.tuple([count, count]).readonly()),
      lastMs: ms('When it last lost something'),
    }),
  ).meta({ description: 'What sinks never got, because they lagged until the journal gave its blocks up' }),
});

export const deadLettersView = z.strictObject({
  count,
  dropped: count.meta({ description: 'Deleted for want of room' }),
  letters: list(
    z.strictObject({
      id: z.string(),
      gateway: z.string(),
      reason: z.string(),
      atMs: ms('When it came'),
      bytes: count,
      rejected: z.boolean().meta({ description: 'Its gateway has a receipt, its rows count as rejected' }),
    }),
  ),
});

export const sinkView = z.strictObject({
  name: z.string(),
  type: z.string(),
  state: z.enum(['opening', 'running', 'retrying', 'failing', 'denied', 'paused', 'stopped']).meta({
    description:
      'retrying: it failed and is tried again; failing: it failed so often that only little is tried; denied: somebody has to change something',
  }),
  position: count.meta({ description: 'Last journal position that it has stored' }),
  lag: z.strictObject({
    blocks: count,
    rows: count.meta({ description: 'About' }),
    seconds: count.meta({ description: 'Age of the oldest block that it has yet to store; 0 = none' }),
    notes: count.meta({ description: 'Changes of incidents, and events, that it has yet to store' }),
  }),
  failure: z
    .strictObject({
      code: z.string().nullable(),
      text: z.string(),
      sinceMs: ms('When it began to fail'),
      nextTryMs: ms('When it is tried again; null = it is being tried').nullable(),
    })
    .nullable(),
  stored: z.strictObject({ blocks: count, rows: count }).meta({ description: 'Since the collector started' }),
  deadLetters: z
    .strictObject({ letters: count, rows: count })
    .meta({ description: 'What its server will never take, kept whole' }),
  lostRows: count.meta({
    description: 'Rows it never got, because it lagged until the journal gave its blocks up',
  }),
  paused: z.boolean(),
  inReceiptAfter: z.boolean().meta({ description: 'Receipts wait for it' }),
  start: z
    .strictObject({ position: count, asked: z.string(), atMs: ms('When it was added') })
    .nullable()
    .meta({ description: 'Where it began; null = it goes on from its own store' }),
});

export const sinkLettersView = z.strictObject({
  count,
  rows: count,
  deletedRows: count.meta({ description: 'Rows of letters that were deleted, for want of room or by hand' }),
  letters: list(
    z.strictObject({
      id: z.string(),
      kind: z.enum(['rows', 'note']),
      gateway: z.string(),
      reason: z.string().meta({ description: 'What the server said' }),
      atMs: ms('When it was refused'),
      rows: count,
      devices: list(z.string()),
    }),
  ),
});

export const sinkReplayView = z.strictObject({
  stored: count,
  refused: count.meta({ description: 'Still dead letters' }),
  reasons: list(z.strictObject({ id: z.string(), reason: z.string() })).meta({
    description: 'Why; of the first hundred',
  }),
});

export const sinkPauseView = z.strictObject({
  name: z.string(),
  paused: z.boolean(),
  note: z.string().nullable().meta({ description: 'What comes of it' }),
});

const sinkNames = list(z.string());

export const reloadView = z.strictObject({
  added: sinkNames,
  removed: sinkNames,
  replaced: sinkNames.meta({ description: 'With other options than before; they go on where they stood' }),
  receiptAfter: z.boolean().meta({ description: 'It is another now' }),
  topology: z.boolean().meta({ description: 'It is another now: for incidents from now on' }),
  needsRestart: list(z.string()).meta({ description: 'Options that differ and are read at a start only' }),
  notes: list(z.string()),
});

const ranges = list(z.tuple([count, count]).readonly());
const inside = z.record(z.string(), z.unknown()).readonly();

/** Mostly as the journal's own records are, which edgeward audit reads as the journal does. */
export const auditBooks = z.strictObject({
  journal: z.string(),
  position: count.meta({ description: 'The newest position; 0 = empty' }),
  gone: ranges.meta({ description: 'Positions without a block' }),
  received: inside.meta({ description: 'By gateway/epoch: seqs, and rows by device' }),
  accounts: inside.meta({ description: 'By gateway/outbox: counts of what was folded' }),
  reports: inside.meta({ description: 'By gateway/outbox: the last report' }),
  cursors: z.record(z.string(), count).readonly().meta({ description: 'Last position stored, by consumer' }),
  lost: inside.meta({ description: 'By sink: what it never got' }),
  refused: inside.meta({ description: 'By sink: rows in its dead letters, and how many were deleted' }),
  begun: inside.meta({ description: 'By sink: where it began, and which rows are therefore not for it' }),
  events: list(
    z.strictObject({ gateway: z.string(), epoch: z.string(), kind: z.string(), text: z.string() }),
  ),
});

export const replayed = z.strictObject({
  stored: z.boolean(),
  reason: z.string().nullable().meta({ description: 'Why it is still a dead letter' }),
});

export const eventView = z.strictObject({
  gateway: z.string(),
  atMs: z.number(),
  kind: z.string(),
  text: z.string(),
});

export const healthView = z.strictObject({
  live: z.boolean(),
  ready: z.boolean(),
  checks: list(z.strictObject({ name: z.string(), ok: z.boolean(), detail: z.string() })),
});

export const demoState = z.strictObject({
  gateways: list(
    z.strictObject({
      id: z.string(),
      linkCut: z.boolean(),
      running: z.boolean(),
      kills: count,
      devices: list(
        z.strictObject({ device: z.string(), faults: list(z.string()), active: z.string().nullable() }),
      ),
    }),
  ),
  log: list(z.strictObject({ atMs: z.number(), text: z.string() })),
});

export const demoAction = z.discriminatedUnion('action', [
  z.strictObject({
    action: z.literal('inject'),
    gateway: name,
    device: name,
    fault: z.string().min(1).max(64),
  }),
  z.strictObject({ action: z.literal('cut'), gateway: name }),
  z.strictObject({ action: z.literal('heal'), gateway: name }),
  z.strictObject({ action: z.literal('kill'), gateway: name }),
]);

/** `?limit=`, the newest first. */
export const limitQuery = z.strictObject({
  limit: z.coerce
    .number()
    .int()
    .min(1)
    .max(500)
    .default(50)
    .meta({ description: 'At most this many, newest first' }),
});
export const noQuery = z.strictObject({});
export const idParams = z.strictObject({ id });

export const plainText = z.string().meta({ description: 'Text' });
