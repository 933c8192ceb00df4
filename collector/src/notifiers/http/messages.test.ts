/** What is sent: the event, Slack's blocks, bodies by template, signatures; and that no name changes anything but words. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parse } from 'yaml';
import { collectorConfig } from '../../config.js';
import { aDiagnosis } from '../../testing/a-diagnosis.js';
import { anIncident } from '../../testing/an-incident.js';
import { payloads, tainted } from '../../testing/payloads.js';
import type { MailKind } from '../mail.js';
import { samples } from '../samples.js';
import { notifyConfig, type WebhookConfig } from './config.js';
import { eventOf, type IncidentEvent } from './event.js';
import { signedHeaders, signingKeys } from './signature.js';
import { slackMessage } from './slack.js';
import { fill, type Json, placeholdersIn } from './template.js';

const kinds: readonly MailKind[] = ['opened', 'critical', 'update', 'closed'];
const options = { collector: 'main', linkBase: 'https://page.example', nowMs: 0 };
const guide = readFileSync(new URL('../../../../deploy/notifiers.md', import.meta.url), 'utf8');

function eventWith(word: string, kind: MailKind = 'critical'): IncidentEvent {
  const spoken = word.trim() === '' ? { wording: tainted('word').wording! } : {};
  return eventOf({ kind, incident: { ...tainted(word), ...spoken } }, options);
}

/** Every text in it. */
function stringsIn(value: unknown): string[] {
  if (typeof value === 'string') return [value];
  return typeof value === 'object' && value !== null ? Object.values(value).flatMap(stringsIn) : [];
}

/** Without its texts: what a name must not change. */
function shapeOf(value: unknown): unknown {
  if (typeof value === 'string') return 'text';
  if (Array.isArray(value)) return value.map(shapeOf);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, shapeOf(one)]));
}

/** What says how a text is read, and where a button leads: never made of a name. */
function fixedIn(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [];
  const { type, style, emoji, url } = value as Record<string, unknown>;
  return [type, style, emoji, url, ...Object.values(value).flatMap(fixedIn)];
}

test('an event tells what a mail tells, with numbers as numbers', () => {
  const event = eventOf({ kind: 'opened', incident: anIncident({ diagnosis: aDiagnosis() }) }, options);
  assert.equal(event.type, 'incident.opened');
  const { data } = event;
  assert.equal(data.title, 'pump-1: Blockage or closed valve behind the pump (likely)');
  assert.deepEqual([data.place, data.severity, data.verdict], ['north/pump-station-1', 'critical', 'likely']);
  assert.deepEqual([data.since, data.closedAt], ['2026-01-01T00:00:02.000Z', null]);
  assert.deepEqual(
    data.causes.map(({ component, probability, evidence }) => [component, probability, evidence]),
    [
      ['discharge valve', 0.81, ['E1', 'E2']],
      ['impeller', 0.12, ['E1', 'E2']],
    ],
  );
  assert.equal(data.evidence[1]?.text, 'flow is low: 3.1 m³/h, 18 – 32 m³/h before');
  const [pressure] = data.channels;
  assert.deepEqual(
    [pressure?.name, pressure?.value, pressure?.unit, pressure?.shown, pressure?.usual],
    ['dischargePressure', 8.4321, 'bar', '8.432\u00a0bar', '3.9 – 5.1\u00a0bar'],
  );
  assert.equal(data.actions.length, 2);
  assert.equal(data.link, 'https://page.example/#/incident/inc-0123456789abcdef');
});

test('its id is that of incident, kind and collector, whatever else changes', () => {
  const id = (kind: MailKind, changes = {}, collector = 'main') =>
    eventOf({ kind, incident: anIncident(changes) }, { ...options, collector, nowMs: Math.random() }).id;
  assert.equal(id('opened'), id('opened', { rows: 99 }));
  const all = [
    ...kinds.map(kind => id(kind)),
    id('update-2'),
    id('opened', {}, 'other'),
    id('opened', { id: 'inc-2' }),
  ];
  assert.equal(new Set(all).size, all.length);
  for (const one of all) assert.match(one, /^msg_[0-9a-f]{32}$/, 'no dot: the signature parts by dots');
});

test('a language model is quoted under its name, and never in a first event', () => {
  const incident = { ...tainted('word'), wording: { text: 'It may be the valve.', model: 'small-model' } };
  for (const kind of kinds) {
    const event = eventOf({ kind, incident }, options);
    const text = JSON.stringify(slackMessage(event));
    assert.equal(event.data.wording === null, kind === 'opened');
    assert.equal(/language model small-model/.test(text), kind !== 'opened');
    assert.equal(/rich_text_quote.*It may be the valve/.test(text), kind !== 'opened');
  }
});

test('no name changes the shape of an event, or of a message', () => {
  for (const kind of kinds) {
    const plain = eventWith('word', kind);
    for (const payload of payloads) {
      const event = eventWith(payload, kind);
      const which = JSON.stringify(payload.slice(0, 60));
      assert.deepEqual(shapeOf(event), shapeOf(plain), which);
      const [message, wanted] = [slackMessage(event), slackMessage(plain)];
      assert.deepEqual(shapeOf(message), shapeOf(wanted), which);
      assert.deepEqual(fixedIn(message), fixedIn(wanted), which);
      for (const text of [...stringsIn(event), ...stringsIn(message)])
        assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u, which);
      const links = stringsIn(message).filter(text => text.includes('://'));
      assert.deepEqual(links, ['https://page.example/#/incident/inc-0123456789abcdef'], which);
    }
  }
});

test('Slack parses no name, and gets no more than it takes', () => {
  const texts: string[] = [];
  const walk = (value: unknown, inRich: boolean) => {
    if (typeof value !== 'object' || value === null) return;
    const { type, text, fields, elements } = value as Record<string, unknown>;
    assert.notEqual(type, 'mrkdwn');
    const rich = inRich || type === 'rich_text';
    if (type === 'plain_text' || (typeof text === 'string' && !rich)) {
      // Whatever Slack takes for control characters is an entity.
      assert.doesNotMatch(String(text), /[<>]|&(?!(?:amp|lt|gt);)/);
      texts.push(String(text));
    }
    if (type === 'header') assert.ok((text as { text: string }).text.length <= 150);
    if (Array.isArray(fields)) assert.ok(fields.length <= 10);
    for (const one of Array.isArray(elements) ? elements : []) walk(one, rich);
    for (const one of Array.isArray(fields) ? fields : []) walk(one, rich);
    if (typeof text === 'object') walk(text, rich);
  };
  for (const payload of [...payloads, '<&>'.repeat(300)])
    for (const kind of kinds) {
      const message = slackMessage(eventWith(payload, kind));
      assert.equal(message.mrkdwn, false);
      walk({ text: message.text }, false);
      const blocks = message.blocks as Record<string, unknown>[];
      assert.ok(blocks.length <= 50);
      for (const block of blocks) walk(block, false);
      for (const text of stringsIn(message)) assert.ok(text.length > 0 && text.length <= 3000);
      assert.ok(JSON.stringify(message).length < 60_000);
    }
  assert.ok(texts.length > payloads.length);
});

test('signatures are those of the Standard Webhooks', () => {
  // From the test vectors that its libraries share.
  const secret = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';
  const sentMs = 1_614_265_330_999;
  const headers = signedHeaders(
    'msg_p5jXN8AQM9LWM0D4loKWxJek',
    sentMs,
    '{"test": 2432232314}',
    signingKeys(secret),
  );
  assert.deepEqual(headers, {
    'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek',
    'webhook-timestamp': '1614265330',
    'webhook-signature': 'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=',
  });
  const both = signingKeys(`${secret}\n${Buffer.alloc(32, 7).toString('base64')}\n`);
  const [first, second, ...more] = signedHeaders('a', 0, '', both)['webhook-signature']!.split(' ');
  assert.ok(first !== second && second?.startsWith('v1,') && more.length === 0);
  for (const bad of [
    'hunter2',
    ' \n\n',
    'whsec_!!',
    `whsec_${'A'.repeat(20)}`,
    'whsec_not base64 at all, really not',
  ])
    assert.throws(
      () => signingKeys(bad),
      (error: Error) => /openssl rand/.test(error.message) && !error.message.includes(bad),
    );
});

test('templates: values, lists, words for values, braces, secrets; what is not there is empty', () => {
  const event = eventOf({ kind: 'closed', incident: anIncident({ diagnosis: aDiagnosis() }) }, options);
  const filled = (template: Json) => fill(template, event, { key: 'hunter2' }, 'none');
  assert.deepEqual(
    filled({
      text: '{data.device} at {data.place}: {data.causes.0.cause}',
      list: '{data.causes.0.evidence}',
      number: '{data.durationMs}',
      action: '{data.event|opened=trigger|closed=resolve}',
      priority: '{data.severity|critical=5|info=1}',
      other: '{data.severity|info=1}',
      none: 'x{data.causes.7.cause}y',
      nothing: '{data.wording.text}',
      braces: '{{data.title}} {} { "a": 1 }',
      secret: 'key {secret.key}',
      lines: 'do: {data.causes.0.evidence}',
      kept: [1, true, null],
    }),
    {
      text: 'pump-1 at north/pump-station-1: Blockage or closed valve behind the pump',
      list: ['E1', 'E2'],
      number: 14_000,
      action: 'resolve',
      priority: 5,
      other: 'critical',
      none: 'xy',
      nothing: null,
      braces: '{data.title} {} { "a": 1 }',
      secret: 'key hunter2',
      lines: 'do: E1\nE2',
      kept: [1, true, null],
    },
  );
  assert.deepEqual(placeholdersIn({ a: ['{data.title} {{no}} {x.y|a=b}'] }), ['data.title', 'x.y']);
});

test('placeholders that fill nothing are refused with a way out', () => {
  const issuesOf = (text: string, part = 'body') => {
    const webhook = { name: 'a', url: { env: 'NOTHING' }, [part]: { text } };
    return notifyConfig.safeParse({ webhooks: [webhook] }).error?.issues.map(({ message }) => message) ?? [];
  };
  assert.match(
    issuesOf('{data.causes.N.cause}').join(),
    /no \{data.causes.N.cause\}. Remedy: .*for N a number/,
  );
  for (const text of ['{ data.title }', '{data.title-x}', 'x {data.title', 'data.title}', '{}'])
    for (const part of ['body', 'headers'])
      assert.match(issuesOf(text, part).join(), /belongs to no placeholder. Remedy: .*\{data\.title\}/, text);
  for (const text of ['{data.causes.0.cause}', '{{ {data.title} }}', '{data.event|opened=trigger}'])
    assert.deepEqual(issuesOf(text), [], text);
});

test('names fill texts and nothing else; as Markdown they say only themselves', () => {
  const template = {
    a: { '{data.title}': '{data.device}' },
    b: ['{data.title} {secret.key}', '{data.causes}'],
  };
  const filled = (word: string) => fill(template, eventWith(word), { key: 'hunter2' }, 'none');
  for (const payload of payloads) {
    assert.deepEqual(shapeOf(filled(payload)), shapeOf(filled('word')));
    const text = JSON.stringify(filled(payload));
    assert.equal(text.split('hunter2').length, 2, 'a name that looks like a placeholder is none');
    for (const one of stringsIn(fill(template, eventWith(payload), { key: '' }, 'markdown')))
      assert.doesNotMatch(one, /(?<!\\)(?:\\\\)*[`*_~[\]<>|#]|@/);
  }
  const event = eventWith('pump_1 [x](y)');
  assert.equal(fill('{data.device}', event, {}, 'markdown'), 'pump\\_1 \\[x\\](y)');
  assert.equal(fill('{secret.key}', event, { key: 'a_b@c' }, 'markdown'), 'a_b@c', 'nor is a key text');
  assert.equal(fill('{data.link}', event, {}, 'markdown'), event.data.link, 'a link of ours stays one');
  const link = 'https://page.example/#/incident/inc-a_b';
  const evidence = [{ id: 'E1', text: 'as on pump_1', link }];
  const looked = { ...event, data: { ...event.data, evidence } };
  assert.equal(fill('{data.evidence.0.link}', looked, {}, 'markdown'), link);
  assert.deepEqual(fill('{data.evidence}', looked, {}, 'markdown'), [
    { id: 'E1', text: 'as on pump\\_1', link },
  ]);
});

interface Examples {
  readonly [name: string]: (event: IncidentEvent) => Record<string, Json>;
}

/** The bodies of the guide, as they would be sent. */
function bodiesOfGuide(): Examples {
  const fences = [...guide.matchAll(/```yaml\n([\s\S]*?)```/g)].map(([, text]) => parse(text!) as object);
  const webhooks = fences.flatMap(fence => collectorConfig.parse(fence).notify.webhooks);
  const bodyOf = ({ body, secrets, escape: markup }: WebhookConfig) => {
    const keys = Object.fromEntries(Object.keys(secrets).map(name => [name, `key of ${name}`]));
    return (event: IncidentEvent) => fill((body ?? {}) as Json, event, keys, markup) as Record<string, Json>;
  };
  return Object.fromEntries(webhooks.map(webhook => [webhook.name, bodyOf(webhook)]));
}

test('the bodies of the guide are what their receivers ask for', () => {
  const { pagerduty, teams, phones, mattermost } = bodiesOfGuide();
  for (const sample of samples) {
    const event = eventOf(sample, options);
    const alert = pagerduty!(event) as {
      routing_key: string;
      event_action: string;
      payload: Record<string, Json>;
    };
    assert.equal(alert.routing_key, 'key of routingKey');
    assert.equal(alert.event_action, sample.kind === 'closed' ? 'resolve' : 'trigger');
    for (const field of ['summary', 'source', 'severity'])
      assert.ok(typeof alert.payload[field] === 'string' && alert.payload[field] !== '', field);
    assert.ok(String(alert.payload.summary).length <= 1024);
    assert.match(String(alert.payload.severity), /^(?:critical|error|warning|info)$/);
    const { type, attachments } = teams!(event) as {
      type: string;
      attachments: { content: { body: Json[] } }[];
    };
    assert.equal(type, 'message');
    assert.equal(attachments[0]?.content.body.length, 3);
    assert.ok([3, 4, 5].includes(phones!(event).priority as number));
    assert.match(String(mattermost!(event).text), /^\*\*(?:critical|warning)\*\* /);
  }
});

test('the event of the guide has the fields that events have', () => {
  const documented = JSON.parse(/```json\n([\s\S]*?)```/.exec(guide)![1]!) as IncidentEvent;
  const event = eventOf(samples[0]!, options);
  const keys = (value: object) => Object.keys(value).sort();
  assert.deepEqual(keys(documented), keys(event));
  assert.deepEqual(keys(documented.data), keys(event.data));
  for (const list of ['channels', 'causes', 'evidence', 'affected'] as const)
    assert.deepEqual(keys(documented.data[list][0]!), keys(event.data[list][0]!), list);
});

test('refuses a configuration that could not work, with the way out', () => {
  const url = { file: './url' };
  const hook = { name: 'a', url };
  const problemsOf = (config: object) => {
    const result = notifyConfig.safeParse(config);
    return result.success
      ? ''
      : result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n');
  };
  assert.equal(problemsOf({ webhooks: [hook], slack: [{ ...hook, name: 'b' }] }), '');
  for (const [config, pattern] of [
    [
      { webhooks: [{ name: 'a', url: 'https://hooks.example/T0/B0' }] },
      /a secret does not stand in the configuration/,
    ],
    [{ webhooks: [hook, hook] }, /webhooks\.1\.name: .*has the name "a" already/],
    [{ webhooks: [hook], slack: [hook] }, /webhooks\.0\.name: notify\.slack has this name/],
    [
      { webhooks: [{ ...hook, body: { a: ['{data.titel}'] } }] },
      /body: there is no \{data\.titel\}.*data\.title, /,
    ],
    [{ webhooks: [{ ...hook, headers: { 'x-a': '{secret.none}' } }] }, /there is no \{secret\.none\}/],
    [{ webhooks: [{ ...hook, headers: { Host: 'x' } }] }, /headers\.Host: .*set by Edgeward/],
    [{ webhooks: [{ ...hook, headers: { 'x-a': 'a\r\nb: c' } }] }, /not a value of a header/],
    [{ webhooks: [{ ...hook, events: [] }] }, /events/],
    [{ webhooks: [{ ...hook, quietHours: { from: '22:00', to: '06:00' } }] }, /quietHours/],
  ] as const)
    assert.match(problemsOf(config), pattern);
});
