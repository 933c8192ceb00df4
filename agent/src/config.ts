import { distinctNames, nameOption, pathOption, secret } from '@edgeward/shared/config';
import { isLoopback } from '@edgeward/shared/hosts';
import { logLevels } from '@edgeward/shared/log';
import { traceOption } from '@edgeward/shared/trace/config';
import { z } from 'zod';
import { checkDevices } from './sources/devices-config.js';
import { sourceConfig } from './sources/index.js';
import { ruleConfig } from './stages/rules.js';
import { clockConfig } from './time/config.js';

const metricsConfig = z
  .strictObject({
    host: z
      .string()
      .min(1)
      .default('127.0.0.1')
      .meta({
        description: 'Address to listen on; any other than loopback needs a token',
        examples: ['0.0.0.0'],
      }),
    port: z
      .int()
      .min(0)
      .max(65_535)
      .optional()
      .meta({
        description: 'Port to listen on; 0 = any free one. Without it nothing listens',
        examples: [9187],
      }),
    token: secret()
      .optional()
      .meta({
        description: 'What Prometheus sends as "Authorization: Bearer …"',
        examples: [{ env: 'EDGEWARD_METRICS_TOKEN' }],
      }),
  })
  .superRefine(({ host, port, token }, context) => {
    if (port === undefined || isLoopback(host) || token) return;
    const message =
      'other machines can reach it, but there is no token. Remedy: give metrics.token, or keep 127.0.0.1';
    context.addIssue({ code: 'custom', path: ['host'], message });
  });

const surprisesConfig = z.strictObject({
  enabled: z.boolean().default(true).meta({ description: 'Whether they are looked for' }),
  alarmsADay: z.number().min(0.001).max(100).default(0.1).meta({
    description:
      'False alarms a day that a device may raise, about, all of its fields together. Fewer: only what is more unusual is an alarm',
  }),
  deviceTypes: z
    .array(nameOption())
    .min(1)
    .optional()
    .meta({ description: 'Device types to watch; without it, all without a model', examples: [['probe']] }),
  except: z
    .array(nameOption())
    .default([])
    .meta({ description: 'Device types not to watch', examples: [['counter']] }),
});

/** Everything an agent can be told. The reference in deploy/reference is generated from this. */
export const agentConfig = z.strictObject({
  gateway: nameOption().meta({
    description: 'Name of this gateway, unique at its collector; also its MQTT client id',
    examples: ['pump-station-1'],
  }),
  site: nameOption()
    .optional()
    .meta({ description: 'Where it stands; shown on the page and in mails', examples: ['north'] }),
  dataDir: pathOption().default('./data/agent').meta({ description: 'Folder for the outbox' }),
  uplink: z
    .strictObject({
      url: z
        .string()
        .regex(
          /^mqtts?:\/\/[^@\s]+$/,
          'must be mqtt://host:port or mqtts://host:port, without user or password. ' +
            'Remedy: write it like mqtt://10.0.0.5:1883; user and password go into uplink.username and uplink.password',
        )
        .default('mqtt://127.0.0.1:1883')
        .meta({ description: "The collector's broker" }),
      username: nameOption()
        .optional()
        .meta({ description: 'Defaults to the gateway name when a password is given' }),
      password: secret().optional().meta({ description: 'Where the password is kept: { file } or { env }' }),
      keepAliveS: z.int().min(2).max(3600).default(30).meta({ description: 'MQTT keep-alive', unit: 's' }),
      connectTimeoutMs: z
        .int()
        .min(100)
        .max(60_000)
        .default(5000)
        .meta({ description: 'Longest wait for a connection', unit: 'ms' }),
      windowBytes: z
        .int()
        .min(16 * 1024)
        .default(1024 * 1024)
        .meta({ description: 'Bytes that may be under way without a receipt', unit: 'bytes' }),
    })
    .prefault({})
    .meta({ description: 'The way to the collector' }),
  outbox: z
    .strictObject({
      maxBytes: z
        .int()
        .min(1024 * 1024)
        .default(512 * 1024 * 1024)
        .meta({ description: 'Quota on disk for what has no receipt yet', unit: 'bytes' }),
      whenFull: z.enum(['thin', 'dropOldest', 'block']).default('thin').meta({
        description:
          'At the quota: halve the resolution of the oldest normal data that was never sent, again and again, then drop it, never what is anomalous; or drop the oldest that was never sent and is normal; or let sources wait. What is given up is counted and told',
      }),
      durability: z.enum(['deferred', 'always']).default('deferred').meta({
        description:
          'deferred writes what a polled source read only if no receipt comes in time, which spares SD cards; always writes first. Sources that acknowledge or can be read again are always written first',
      }),
      maxLossMs: z.int().min(50).max(60_000).default(1000).meta({
        description:
          'How old rows of a polled source get before they are on disk or received; a kill loses no older ones',
        unit: 'ms',
      }),
      replay: z.enum(['liveFirst', 'inOrder']).default('liveFirst').meta({
        description:
          'After an outage: send what is fresh first and the backlog beside it, or all strictly in order. Behind an external broker, blocks that got lost with a collector that was restarted come again behind later ones',
      }),
    })
    .prefault({})
    .meta({ description: 'What has been read and not yet received' }),
  clock: clockConfig,
  models: z.array(pathOption('folder')).default([]).meta({
    description:
      'Folders of model bundles; each says which device type it is for. A model that the collector has sent for that type goes before it',
  }),
  engine: z.enum(['auto', 'onnx', 'typescript']).default('auto').meta({
    description:
      'What runs the models: ONNX Runtime, or the same trees by our own code; auto begins with ONNX Runtime and takes the cheaper one where many rows come',
  }),
  surprises: surprisesConfig
    .prefault({})
    .meta({ description: 'Devices that no model looks at: each numeric field against its own past' }),
  rules: z.array(ruleConfig).default([]).meta({ description: 'Plain rules beside the models' }),
  reportMs: z.int().min(200).default(10_000).meta({
    description: 'Time between reports to the collector; longer while the network is the bottleneck',
    unit: 'ms',
  }),
  metrics: metricsConfig
    .prefault({})
    .meta({ description: 'GET /metrics for Prometheus; off without a port' }),
  trace: traceOption({
    sampleRatio: z.number().min(0).max(1).default(0.01).meta({
      description: 'Part of the blocks that are traced, from 0 to 1',
    }),
    anomalies: z.boolean().default(true).meta({
      description: 'Trace blocks with anomalous rows besides, up to one a second, ten at once',
    }),
  }).meta({
    description: 'Traces for OpenTelemetry; absent: none. What becomes of them never holds data up',
  }),
  log: z
    .strictObject({
      level: z.enum(logLevels).default('info').meta({ description: 'Least level that is logged' }),
    })
    .prefault({})
    .meta({ description: 'Log lines go to standard error as JSON' }),
  sources: z
    .array(sourceConfig)
    .min(1)
    .superRefine(distinctNames('sources'))
    .superRefine(checkDevices)
    .meta({ description: 'What is read' }),
});

export type AgentConfig = z.output<typeof agentConfig>;
