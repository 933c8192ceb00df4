/** MQTT topics of protocol 1: `edgeward/v1/<gateway>/<kind>`. */
export const topicRoot = 'edgeward/v1';

export const topicKinds = ['block', 'receipt', 'state', 'desired', 'reported', 'events', 'json'] as const;
export type TopicKind = (typeof topicKinds)[number];

export function topicOf(gateway: string, kind: TopicKind): string {
  return `${topicRoot}/${gateway}/${kind}`;
}

const topicPattern = /^edgeward\/v1\/([^/]+)\/([a-z]+)$/;

/** Undefined for topics that are not ours. */
export function parseTopic(topic: string): { gateway: string; kind: TopicKind } | undefined {
  const match = topicPattern.exec(topic);
  const kind = topicKinds.find(known => known === match?.[2]);
  return match && kind ? { gateway: match[1]!, kind } : undefined;
}

/** Gateway, device, site and field names: safe in topics, file names, URLs and mails. */
export const namePattern = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$/;
