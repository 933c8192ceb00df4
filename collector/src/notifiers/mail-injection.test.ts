// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of others are payloads here
/**
 * Whatever stands in a name, a unit, a rule or a text: nothing else of the mail changes. A mail with the payload in
 * every place is held against the same mail with a harmless word there.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Incident } from '../alerts/incident.js';
import { payloads, tainted } from '../testing/payloads.js';
import { drawPlot } from './chart-svg.js';
import { type MailConfig, mailConfig } from './config.js';
import type { MailKind } from './mail.js';
import { wireOf } from './mime.js';
import { newDigest, newMail, outgoing, type QueuedMail } from './queued-mail.js';

const config: MailConfig = mailConfig.parse({
  from: 'Edgeward <edgeward@plant.example>',
  to: ['shift@plant.example'],
  linkBase: 'https://page.example',
});

function mailWith(word: string, kind: MailKind, changes: Partial<Incident> = {}) {
  const circumstances = { config, collector: 'main', drawn: true, order: 1, nowMs: 0, thread: [] };
  return newMail({ kind, incident: { ...tainted(word), ...changes } }, circumstances);
}

interface Skeleton {
  readonly headers: readonly string[];
  readonly tags: readonly string[];
  readonly lines: number;
  readonly rest: unknown;
}

async function skeletonOf(mail: QueuedMail, body: { subject: string; text: string; html: string }) {
  const { text, html, subject } = body;
  const wire = (await wireOf(outgoing(mail, { ...body, chart: undefined }), 'main')).toString('utf8');
  const [head = ''] = wire.split('\r\n\r\n');
  const { view, plot: _, entry: __, ...rest } = mail;
  for (const part of [text, html, subject, wire])
    assert.doesNotMatch(part.replaceAll(/[\n\r\t]/g, ''), /[\p{Cc}\p{Cf}\u2028\u2029]/u);
  assert.doesNotMatch(subject, /[\n\r]/);
  assert.ok(subject.length <= 200);
  // The link of ours is the only one.
  const links = text.match(/\S*:\/\/\S*/g) ?? [];
  assert.deepEqual(
    links.filter(link => !link.startsWith('https://page.example/#/incident/inc-')),
    [],
  );
  return {
    headers: head
      .replaceAll(/\r\n[ \t]+/g, ' ')
      .split('\r\n')
      .map(line => (line.startsWith('Subject:') ? 'Subject:' : line)),
    tags: (html.match(/<[^>]*>/g) ?? []).filter(tag => tag !== '<wbr>'),
    lines: text.split('\n').length,
    rest: { ...rest, view: { ...view, subject: '' } },
  } satisfies Skeleton;
}

const kinds: readonly MailKind[] = ['opened', 'critical', 'closed'];

for (const kind of kinds)
  test(`${payloads.length} payloads in every place change nothing else of a mail (${kind})`, async () => {
    assert.ok(payloads.length >= 60);
    const plain = mailWith('word', kind);
    const wanted = await skeletonOf(plain.mail, plain.body);
    for (const payload of payloads) {
      const { mail, body } = mailWith(
        payload,
        kind,
        payload.trim() === '' ? { wording: tainted('word').wording! } : {},
      );
      assert.deepEqual(
        await skeletonOf(mail, body),
        wanted,
        `changed by ${JSON.stringify(payload.slice(0, 60))}`,
      );
    }
  });

test('they come out as the plain words that they are', () => {
  for (const payload of [
    '{{7*7}}',
    '${7*7}',
    '<%= 7*7 %>',
    "$& $1 $` $' $$",
    '<img src=x onerror=alert(1)>',
  ]) {
    const { text, html } = mailWith(payload, 'opened').body;
    assert.ok(text.includes(`Gateway:    ${payload}`) || text.includes(`Gateway:   ${payload}`), text);
    const signs: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', "'": '&#39;' };
    const escaped = payload.replaceAll(/[&<>']/g, sign => signs[sign]!);
    assert.ok(html.includes(`<bdi>${escaped}</bdi>`), payload);
  }
});

test('nor of a digest, nor of the drawing', () => {
  const entryOf = (word: string, i: number) => {
    const holding = mailConfig.parse({
      ...config,
      smtp: { host: 'localhost' },
      digest: { severities: ['warning'] },
    });
    const incident = { ...tainted(word), id: `inc-${i}`, severity: 'warning' as const };
    const circumstances = { config: holding, collector: 'main', drawn: true, order: i, nowMs: 0, thread: [] };
    return newMail({ kind: 'opened', incident }, circumstances).mail;
  };
  const digestOf = (word: string) =>
    newDigest([entryOf(word, 1), entryOf(word, 2)], { config, collector: 'main', order: 3, nowMs: 0 }).body;
  const drawingOf = (word: string) => {
    const panel = { name: word, unit: word, expected: undefined, limit: undefined, values: [1, 2] };
    return drawPlot({ firstMs: 1, time: [1, 2], flagged: [false, true], panels: [panel] }).svg;
  };
  const tags = (markup: string) => markup.match(/<[^>]*>/g);
  const wanted = digestOf('word');
  for (const payload of payloads) {
    const { html, text, subject } = digestOf(payload);
    assert.deepEqual(tags(html), tags(wanted.html));
    assert.equal(text.split('\n').length, wanted.text.split('\n').length);
    assert.doesNotMatch(subject, /[\p{Cc}\p{Cf}]/u);
    assert.deepEqual(tags(drawingOf(payload)), tags(drawingOf('word')));
  }
});
