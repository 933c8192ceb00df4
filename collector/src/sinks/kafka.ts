import { defineSink } from './define.js';
import { auditKafka } from './kafka/audit.js';
import { checkKafka, kafkaConfig } from './kafka/config.js';
import { openWire } from './kafka/connect.js';
import { KafkaSink } from './kafka/sink.js';

/** Apache Kafka, each row once for who reads committed records: see deploy/kafka.md. */
export const kafka = defineSink({
  type: 'kafka',
  config: kafkaConfig,
  check: checkKafka,
  create: (config, context) =>
    new KafkaSink({ ...context, config, openWire: () => openWire(config, context.log) }),
  audit: auditKafka,
});
