/** MQTT topics of protocol 1: `edgeward/v1/<gateway>/<kind>`. */
export const topicRoot = 'edgeward/v1';

export const topicKinds = [
  'block',
  'receipt',
  'state',
  'desired',
  'reported',
  'events',
  'json',
  'models',
  'fetch',
  'part',
] as const;
export type TopicKind = (typeof topicKinds)[number];

export function topicOf(gateway: string, kind: TopicKind): string {
  return `${topicRoot}/${gateway}/${kind}`;
}

const prefix = `${topicRoot}/`;

/** Undefined for topics that are not ours. */
export function parseTopic(topic: string): { gateway: string; kind: TopicKind } | undefined {
  const end = topic.indexOf('/', prefix.length);
  if (!topic.startsWith(prefix) || end <= prefix.length) return undefined;
  const kind = topicKinds.find(known => topic.length === end + 1 + known.length && topic.endsWith(known));
  return kind && { gateway: topic.slice(prefix.length, end), kind };
}

/** Gateway, device, site and field names: safe in topics, file names, URLs and mails. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
