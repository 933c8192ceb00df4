import path from 'node:path';
import {
  type ConfigIssue,
  distinct,
  distinctNames,
  nameOption,
  pathOption,
  singleRowRuleOption,
} from '@edgeward/shared/config';
import { bare, isLoopback, isWildcard } from '@edgeward/shared/hosts';
import { logLevels } from '@edgeward/shared/log';
import { traceOption } from '@edgeward/shared/trace/config';
import { z } from 'zod';
import { alertsConfig } from './alerts/config.js';
import { apiConfig } from './api/config.js';
import { brokerConfig } from './broker/config.js';
import { checkCatalogues, diagnosisConfig } from './diagnosis/config.js';
import { shadowConfig } from './models/config.js';
import { mailConfig } from './notifiers/config.js';
import { checkNotify, notifyConfig } from './notifiers/http/config.js';
import { healthConfig } from './pipeline/config.js';
import { type SinkConfig, sinkConfig } from './sinks/index.js';
import { topologyConfig } from './topology/config.js';
import { trainingConfig } from './training/config.js';
import { llmConfig } from './wording/config.js';

const scoreRule = z.strictObject({
  name: nameOption().meta({ description: 'Name in the reasons of an answer' }),
  when: singleRowRuleOption().meta({
    description:
      'Expression over the channels of one row: without windows and "for", since nothing sent there is kept',
    examples: ['temperature > 40 or pressure > 120'],
  }),
  score: z.number().gt(0).max(1).default(1).meta({ description: 'Score of a row it holds for' }),
});

/** Under these the collector itself follows its journal. */
const ownFollowers = ['incidents'];

/** Two sinks in one folder would take each other's checkpoint for their own. */
const ownDirectories = distinct<SinkConfig>({
  keyOf: sink => ('directory' in sink ? path.resolve(sink.directory) : undefined),
  field: 'directory',
  problem: first => `sinks[${first}] writes to this folder already`,
  remedy: 'give every sink a folder of its own',
});

const defaultApiPort = apiConfig.parse({}).port;

interface Address {
  readonly host: string;
  readonly port: number;
}

function collide(a: Address, b: Address): boolean {
  if (a.port !== b.port || a.port === 0) return false;
  const [one, other] = [hostOf(a), hostOf(b)];
  return one === other || isWildcard(one) || isWildcard(other);
}

function hostOf({ host }: Address): string {
  return bare(host) === 'localhost' ? '127.0.0.1' : bare(host);
}

const options = z.strictObject({
  name: nameOption().default('collector').meta({
    description: 'Name of this collector, unique among those that write to the same Kafka or database',
  }),
  dataDir: pathOption()
    .default('./data/collector')
    .meta({ description: 'Folder for the journal, incidents and mails' }),
  broker: brokerConfig
    .prefault({})
    .meta({ description: 'Where gateways publish: the embedded MQTT broker, or an external one' }),
  api: apiConfig.prefault({}).meta({ description: 'The HTTP API and the page' }),
  ingest: z
    .strictObject({
      lateAfterMs: z.int().min(1000).default(60_000).meta({
        description: 'Rows older than this on arrival are late: stored, but they raise no new alarm',
        unit: 'ms',
      }),
      maxQueueBytes: z
        .int()
        .min(1024 * 1024)
        .default(32 * 1024 * 1024)
        .meta({
          description: 'What may wait for the journal; above it gateways have to wait',
          unit: 'bytes',
        }),
    })
    .prefault({})
    .meta({ description: 'What arrives' }),
  journal: z
    .strictObject({
      maxBytes: z
        .int()
        .min(16 * 1024 * 1024)
        .default(1024 * 1024 * 1024)
        .meta({
          description:
            'Above this the oldest blocks are deleted: those that every sink has stored, then, counted, those that a sink lags behind, but never what a sink in receiptAfter has yet to store',
          unit: 'bytes',
        }),
      maxAgeS: z
        .int()
        .min(60)
        .optional()
        .meta({
          description:
            'Blocks older than this are deleted, though there is room, by the same rules as above maxBytes; absent: they are kept as long as there is room',
          unit: 's',
          examples: [604_800],
        }),
      maxDeadLetterBytes: z
        .int()
        .min(1024 * 1024)
        .default(64 * 1024 * 1024)
        .meta({
          description: 'Blocks that were not understood are kept up to this; the oldest are deleted, counted',
          unit: 'bytes',
        }),
      maxRefusedBytes: z
        .int()
        .min(64 * 1024)
        .default(64 * 1024 * 1024)
        .meta({
          description:
            'What the server behind a sink will never take is kept up to this, for each sink; the oldest is deleted, counted',
          unit: 'bytes',
        }),
    })
    .prefault({})
    .meta({ description: 'What has been received' }),
  sinks: z
    .array(sinkConfig)
    .default([])
    .superRefine(distinctNames('sinks'))
    .superRefine(ownDirectories)
    .meta({ description: 'Where the journal is copied to' }),
  receiptAfter: z
    .union([z.literal('journal'), z.array(nameOption()).min(1)])
    .default('journal')
    .meta({
      description:
        'When gateways may forget a block: once the journal has it, or once all these sinks have stored it. What is forgotten and only in a journal that is then lost with its disk is counted as earlier in the next one. With sinks, that loses nothing while the gateways run: until the sinks have them, rows of polled sources may be in the journal and in the memory of their gateway only (durability: always keeps them on its disk)',
      examples: ['journal', ['kafka']],
    }),
  alerts: alertsConfig.prefault({}).meta({ description: 'When flagged rows become incidents' }),
  diagnosis: diagnosisConfig.prefault({}).meta({ description: 'How causes of incidents are found' }),
  topology: topologyConfig.prefault({}).meta({
    description:
      'What the plant is made of: lines, machines, and which devices belong to them (deploy/topology.md)',
  }),
  health: healthConfig.prefault({}).meta({
    description: 'How the pipeline itself is watched: gateways, broker, journal, sinks (deploy/health.md)',
  }),
  mail: mailConfig
    .prefault({ from: 'edgeward@localhost', to: ['operator@localhost'] })
    .meta({ description: 'Mails about incidents; without smtp they are kept and shown' }),
  notify: notifyConfig.prefault({}).meta({
    description: 'Slack and webhooks that are told of incidents, beside mail (deploy/notifiers.md)',
  }),
  llm: llmConfig.optional().meta({
    description:
      'A language model that puts diagnoses into words (deploy/llm.md); it decides nothing. Absent: off, nothing is sent anywhere',
  }),
  shadow: shadowConfig.prefault({}).meta({
    description:
      'For models that gateways first run in the shadow of the active one (edgeward models --shadow)',
  }),
  training: trainingConfig.prefault({}).meta({
    description: 'Models from what the journal has, by themselves or when edgeward models --train asks',
  }),
  metrics: z
    .strictObject({
      maxGateways: z.int().min(0).max(100_000).default(1000).meta({
        description:
          'Gateways that have series of their own; all others are told together, as gateway="_others"',
      }),
    })
    .prefault({})
    .meta({ description: 'What /metrics tells Prometheus' }),
  score: z
    .strictObject({
      rules: z.array(scoreRule).default([]).meta({ description: 'Rules for POST /score' }),
      models: z
        .array(pathOption('folder'))
        .default([])
        .meta({ description: 'Folders of model bundles for POST /score' }),
    })
    .prefault({})
    .meta({ description: 'POST /score: single rows, judged by rules and the plain forest' }),
  trace: traceOption({}).meta({
    description:
      'Traces for OpenTelemetry, of the blocks that agents sample; absent: none. What becomes of them never holds data up',
  }),
  log: z
    .strictObject({
      level: z.enum(logLevels).default('info').meta({ description: 'Least level that is logged' }),
    })
    .prefault({})
    .meta({ description: 'Log lines go to standard error as JSON' }),
});

/** Everything a collector can be told. The reference in deploy/reference is generated from this. */
export const collectorConfig = options.superRefine((config, context) => {
  const { api, broker, sinks, receiptAfter, training, shadow } = config;
  for (const [i, { assign, everyHours }] of training.schedule.entries())
    if (assign && everyHours <= shadow.hours) {
      const message = `shadow.hours is ${shadow.hours}: what is trained would be replaced before it is judged. Remedy: train less often, lower shadow.hours, or leave assign out`;
      context.addIssue({ code: 'custom', path: ['training', 'schedule', i, 'everyHours'], message });
    }
  for (const [i, name] of (receiptAfter === 'journal' ? [] : receiptAfter).entries()) {
    if (sinks.some(sink => sink.name === name)) continue;
    const names = sinks.map(sink => sink.name).join(', ') || 'none';
    const message = `there is no sink named ${name}; there are: ${names}. Remedy: name a sink, or write receiptAfter: journal`;
    context.addIssue({ code: 'custom', path: ['receiptAfter', i], message });
  }
  for (const [i, { name }] of sinks.entries())
    if (ownFollowers.includes(name)) {
      const message = 'the collector itself goes by this name. Remedy: give the sink another one';
      context.addIssue({ code: 'custom', path: ['sinks', i, 'name'], message });
    }
  if (!broker.external && collide(api, broker)) {
    // The one that is not the default stands in the file.
    const [own, other] = api.port === defaultApiPort ? ['broker', 'api'] : ['api', 'broker'];
    const remedy = 'give each a port of its own, or 0 for any free one';
    const message = `${other}.port is ${api.port} too, at the same address. Remedy: ${remedy}`;
    context.addIssue({ code: 'custom', path: [own, 'port'], message });
  }
  if (!isLoopback(api.host) && !api.password)
    context.addIssue({
      code: 'custom',
      path: ['api', 'host'],
      message:
        'other machines can reach it, but there is no password. Remedy: give api.password, or keep 127.0.0.1',
    });
});

export type CollectorConfig = z.output<typeof collectorConfig>;

/** What the schema cannot see. */
export async function checkConfig({ diagnosis, notify }: CollectorConfig): Promise<ConfigIssue[]> {
  return [...(await checkCatalogues(diagnosis)), ...(await checkNotify(notify))];
}
