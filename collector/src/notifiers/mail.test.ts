import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Incident } from '../alerts/incident.js';
import { anIncident } from '../testing/an-incident.js';
import { formatDuration, formatNumber, unitSign } from './format.js';
import { type MailKind, messageId, renderMail } from './mail.js';

const hostile = 'p<script>alert(1)</script>\r\nBcc: all@example.com\u202Egnp.exe"onload=\'x';

function render(changes: Partial<Incident> = {}, kind: MailKind = 'opened') {
  return renderMail({ kind, incident: anIncident(changes) }, 'https://edgeward.plant.example/');
}

test('the subject is enough to triage on', () => {
  assert.equal(render().subject, '[critical] north/pump-station-1 pump-1: dischargePressure high, flow low');
  assert.match(render({ state: 'closed' }, 'closed').subject, /^\[closed\] /);
  assert.match(render({ site: null }).subject, /^\[critical\] pump-station-1 pump-1: /);
});

test('HTML and text say the same, with units, ranges, reasons and actions', () => {
  const { text, html } = render();
  for (const part of [
    '8.432\u00a0bar',
    '3.9 – 5.1\u00a0bar',
    '3.10\u00a0m³/h',
    '18 – 32\u00a0m³/h',
    '1 Jan 2026, 00:00:02 UTC',
    '0.78',
    '0.62',
    'model pump-3',
    'Is the discharge valve open?',
    'inc-0123456789abcdef',
    'https://edgeward.plant.example/#/incident/inc-0123456789abcdef',
    'pump-station-1',
  ]) {
    assert.ok(text.includes(part), `text lacks ${part}`);
    assert.ok(html.includes(part), `html lacks ${part}`);
  }
});

test('uses nothing from outside and only inline styles', () => {
  const { html } = render();
  assert.doesNotMatch(html, /<(img|link|script|style|iframe|object|base)\b|@import|url\(|src=/i);
  const links = [...html.matchAll(/href="([^"]*)"/g)].map(match => match[1]);
  assert.deepEqual(links, ['https://edgeward.plant.example/#/incident/inc-0123456789abcdef']);
  assert.equal([...renderMail({ kind: 'opened', incident: anIncident() }).html.matchAll(/href=/g)].length, 0);
});

test('names from devices are inert in header, text and HTML', () => {
  const [channel] = anIncident().channels;
  assert.ok(channel);
  const { subject, text, html } = render({
    site: hostile,
    gateway: hostile,
    device: hostile,
    deviceType: hostile,
    title: hostile,
    source: hostile,
    model: hostile,
    recommendations: [hostile],
    channels: [{ ...channel, field: hostile, unit: hostile }],
    timeline: [{ atMs: 0, text: hostile }],
  });
  assert.doesNotMatch(subject, /[\p{Cc}\p{Cf}]/u);
  assert.doesNotMatch(html, /<script|"onload|\u202e/);
  assert.doesNotMatch(text, /\u202e|\r/);
  assert.doesNotMatch(text, /^Bcc/m);
  assert.ok(subject.length <= 200);
});

test('the same incident gives the same bytes', () => {
  assert.deepEqual(render(), render());
});

test('an alarm of a sensor speaks of the sensor, one of a rule of the rule', () => {
  const sensor = render({ detector: 'quality', source: 'stuck' }).text;
  assert.match(sensor, /sensor or its wiring/);
  assert.doesNotMatch(sensor, /anomaly score/);
  assert.match(render({ detector: 'rule', source: 'overheat' }).text, /Rule “overheat” is broken/);
});

test('a rule is told with the value that it looks at, and the limit', () => {
  const [channel] = anIncident().channels;
  const { expected, ...bare } = { ...channel!, field: 'temperature', unit: 'Cel', value: 41.27, limit: 40 };
  const window = { ...bare, of: 'mean(temperature, 10m)' };
  const rule = { detector: 'rule', source: 'warm' } as const;
  const { text, html } = render({ ...rule, channels: [window] });
  assert.match(text, /mean\(temperature, 10m\) {2}\w+ +41\.27\u00a0°C {2}\(limit 40\u00a0°C; share/);
  assert.match(
    text,
    /behaves unusually since .*: mean\(temperature, 10m\) 41\.27\u00a0°C, limit 40\u00a0°C\./,
  );
  assert.match(html, />Limit</);
  assert.match(
    render({ ...rule, channels: [{ ...bare, unit: 'Cel/s' }] }).text,
    /\(limit 40\u00a0°C\/s; share/,
  );
  assert.match(render({ channels: [bare] }).text, /\(usual limit 40\u00a0°C; share/);
  const known = { ...bare, expected: expected! };
  assert.match(render({ channels: [known] }).text, /\(usual [^l]*; share/);
});

test('survives what has no value, no channel and no time', () => {
  const [channel] = anIncident().channels;
  assert.ok(channel);
  const { expected: _, ...unknown } = channel;
  assert.match(render({ channels: [{ ...unknown, value: null }] }).text, /none {2}\(usual unknown/);
  assert.ok(render({ channels: [] }).html.includes('What happened'));
  assert.ok(render({ firstMs: 9e15, lastMs: Number.MAX_VALUE }).text.includes('9000000000000000 ms'));
});

test('the closing mail says how long it lasted and asks for nothing', () => {
  const { text } = render({ state: 'closed', closedMs: Date.UTC(2026, 0, 1, 0, 2, 12) }, 'closed');
  assert.match(text, /is over\. It lasted 2 min 10 s/);
  assert.doesNotMatch(text, /What to do/);
});

test('numbers as people write them', () => {
  assert.equal(formatNumber(8.43219), '8.432');
  assert.equal(formatNumber(0.5, 240), '0.5');
  assert.equal(formatNumber(-12.3456), '−12.35');
  assert.equal(formatNumber(-0.0001, 100), '0.0');
  assert.equal(formatNumber(123456), '123456');
  assert.equal(formatNumber(0), '0');
  assert.equal(formatNumber(1.5e12), '1.50e+12');
  assert.equal(formatNumber(2e-7), '2.00e−7');
  assert.equal(formatNumber(-2e-7), '−2.00e−7');
  assert.equal(formatNumber(0, 1e-7), '0');
  assert.equal(unitSign('Cel'), '°C');
  assert.equal(unitSign('constructor'), 'constructor');
  assert.equal(formatDuration(130_000), '2 min 10 s');
  assert.equal(formatDuration(3 * 86_400_000), '3 d');
});

test('the message id depends on incident and kind alone', () => {
  assert.equal(messageId('inc-1', 'opened', 'Edgeward <a@plant.example>'), '<inc-1-opened@plant.example>');
  assert.equal(messageId('inc-1', 'closed', 'a@plant.example'), '<inc-1-closed@plant.example>');
});
