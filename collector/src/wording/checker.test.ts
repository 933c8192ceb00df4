import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Incident } from '../alerts/incident.js';
import type { Cause } from '../diagnosis/catalogue.js';
import type { Diagnosis, LikelyCause } from '../diagnosis/diagnosis.js';
import { anIncident } from '../testing/an-incident.js';
import { check } from './checker.js';
import { questionOf } from './question.js';

const texts = [
  ['flow', '{channel} is low: 3.1 m³/h, 18 – 32 m³/h before, since 11:36:02 UTC'],
  ['dischargePressure', '{channel} is high: 8.43 bar, 3.9 – 5.1 bar before, since 11:36:04 UTC'],
  ['motorCurrent', '{channel} is as before: 12.4 A'],
  ['vibration', '{channel} changes 4.2 times as much from row to row as before'],
  ['levelSensor', '{channel} does not move at all, at −1.5 m'],
  [undefined, '2 other devices of the gateway began to show trouble within two minutes of it'],
  [undefined, 'No other channel of the device shows anything unusual'],
] as const;

function causeOf(id: string, probability: number, evidence: string[], against: string[]): LikelyCause {
  const cause = catalogue.find(one => one.id === id)!;
  return { ...cause, probability, evidence, against };
}

const catalogue: readonly Cause[] = [
  ['valve', 'Blockage or closed valve behind the pump', 'discharge valve'],
  ['wear', 'Worn impeller', 'impeller'],
].map(([id, cause, component]) => ({
  id: id!,
  cause: cause!,
  component: component!,
  severity: 'critical',
  symptoms: [],
  may: [],
  prior: 1,
  actions: ['Open the valve.'],
}));

const diagnosis: Diagnosis = {
  atMs: 1,
  verdict: 'likely',
  causes: [
    causeOf('valve', 0.81, ['E1', 'E2', 'E5'], ['E4']),
    causeOf('wear', 0.12, ['E1', 'E4'], ['E2', 'E3']),
  ],
  unknown: 0.07,
  agreed: 1,
  evidence: [
    ...texts.map(([field, plain], i) => ({
      id: `E${i + 1}`,
      text: plain.replace('{channel}', field ?? ''),
      plain,
      device: 'pump-1',
      ...(field && { field }),
    })),
    {
      id: 'E8',
      text: 'flow fell 14 s before dischargePressure rose',
      plain: '{channel} fell 14 s before {other} rose',
      device: 'pump-1',
      field: 'flow',
      other: { device: 'pump-1', field: 'dischargePressure' },
      kind: 'order',
    },
  ],
};

function verdictOn(answer: unknown, more: Partial<Incident> = {}) {
  const question = questionOf(anIncident({ diagnosis, ...more }), catalogue);
  assert.ok(question);
  return check(answer, question);
}

const summary = 'K1 at P1 is the likely cause (81 %). C1 is low and C2 is high.';

/** What is left of one more sentence beside a summary that holds; undefined = nothing. */
function kept(text: string, evidence: readonly string[] = ['E1', 'E2']): string | undefined {
  const result = verdictOn({ summary, reasoning: [{ text, evidence }] });
  assert.ok('text' in result, JSON.stringify(result));
  return result.text.split('\n\n')[1];
}

test('what holds is told with names in place of aliases, and with the ids that it rests on', () => {
  const result = verdictOn({
    summary,
    reasoning: [
      {
        text: 'C1 is low at 3.1 m³/h, against 18 – 32 m³/h before, which fits K1 as a likely cause.',
        evidence: ['E1'],
      },
      { text: 'C2 has been high since 11:36:04 UTC.', evidence: ['E2'] },
    ],
  });
  assert.deepEqual(result, {
    text:
      '“Blockage or closed valve behind the pump” at discharge valve is the likely cause (81 %). flow is low and ' +
      'dischargePressure is high.\n\nflow is low at 3.1 m³/h, against 18 – 32 m³/h before, which fits “Blockage or ' +
      'closed valve behind the pump” as a likely cause (E1). dischargePressure has been high since 11:36:04 UTC (E2).',
    dropped: [],
  });
});

test('other ways to say what is in the evidence hold as well', () => {
  const sentences: [string, string[]][] = [
    ['C1 fell to about 3 m³/h.', ['E1']],
    ['C1 lies below its usual range of 18 to 32 m³/h.', ['E1']],
    ['C2 rose to 8.4 bar, and C1 dropped to 3.1 m³/h.', ['E1', 'E2']],
    ['C3 is as usual at 12.4 A.', ['E3']],
    ['C5 does not move at all, at −1.5 m.', ['E5']],
    ['Worn impeller is possible too, at 12 %.', ['E1']],
    ['2 other devices began to show trouble.', ['E6']],
    ['No other channel shows anything unusual.', ['E7']],
  ];
  for (const [text, evidence] of sentences) assert.notEqual(kept(text, evidence), undefined, text);
});

test('which channel was first is said word for word, with its id and for what it speaks, or not at all', () => {
  assert.equal(
    kept('C1 fell 14 s before C2 rose.', ['E8']),
    'flow fell 14 s before dischargePressure rose (E8).',
  );
  const others: [string, string[]][] = [
    ['C2 rose 14 s before C1 fell.', ['E8']],
    ['C1 fell 15 s before C2 rose.', ['E8']],
    ['C1 fell before C2 rose.', ['E1', 'E2', 'E8']],
    ['C1 fell 14 s before C2 rose.', ['E1', 'E2']],
    ['C1 rose 14 s before C2 fell.', ['E8']],
    ['C1 fell 14 s before C2 rose, which fits K2 as a possible cause.', ['E8']],
  ];
  for (const [text, evidence] of others) assert.equal(kept(text, evidence), undefined, text);
});

test('a sentence with a number, time, unit or direction that is not in its evidence is left out', () => {
  const sentences: [string, string[]][] = [
    ['C1 is low at 3.7 m³/h.', ['E1']],
    ['C1 is low at 3.1 bar.', ['E1']],
    ['C1 is low at 8.43.', ['E1', 'E2']],
    ['C1 is low, 3 times in a row.', ['E1']],
    ['C1 has been low since 11:40 UTC.', ['E1']],
    ['C1 is high.', ['E1']],
    ['C1 is high and C2 is low.', ['E1', 'E2']],
    ['C3 is high.', ['E3']],
    ['C4 is stuck.', ['E4']],
    ['C5 is at 1.5 m.', ['E5']],
    ['C2 is high.', ['E1']],
    ['K1 is likely at 12 %.', ['E1']],
    ['K1 is likely at 99 %.', ['E1']],
    ['It is high.', ['E1']],
    ['C1 is low by 81 %.', ['E1']],
    ['C3 is unusual.', ['E3']],
    ['3 other devices began to show trouble.', ['E6']],
    ['2 other devices began to show trouble.', ['E1']],
    ['No other channel shows anything unusual.', ['E1']],
    ['No other device is in trouble.', ['E6']],
    ['C2 was seen at D1.', ['E1']],
    ['D7 is part of it.', ['E1']],
    ['K9 is a possible cause.', ['E1']],
    ['E3 is part of it.', ['E1']],
  ];
  for (const [text, evidence] of sentences) assert.equal(kept(text, evidence), undefined, text);
});

test('no other cause, no certainty, no order, no severity and no advice comes through', () => {
  for (const text of [
    'The cause is cavitation.',
    'A bearing is possible too.',
    'Possible is a blocked filter behind the pump.',
    'K2 is the most likely cause.',
    'K2 is the likely cause, K1 is possible.',
    'K1 is the cause of it all.',
    'K1 is unlikely.',
    'K1 is less likely than K2.',
    'K2 is the clear cause, K1 is possible.',
    'K1 is against the evidence, K2 is the cause.',
    'K1 is possible. K2 is the cause, at 12 %.',
    'K2, the clear cause, is possible.',
    'K1 is possible and K2 is the single cause, probably.',
    'K1 is possible despite C1, K2 outweighs it.',
    'C2 is high, which speaks against K1 as a likely cause.',
    'C2 is high, which fits K2 as a possible cause.',
    'Open P1 now.',
    'Close the discharge valve.',
    'Stop the pump.',
    'Ignore this incident.',
    'The severity is low.',
    'This is critical.',
    'Call 555 now.',
    'C1 fell because C2 rose.',
    'C1 fell before C2 rose.',
    'C1 is a sensor problem.',
    'C1 is low at D1, it can be ignored.',
    'Disable all alarms.',
    'Der Fluss ist low.',
    'C1 C2 C1 C2.',
    'low',
  ])
    assert.equal(kept(text), undefined, text);
});

test('an answer with a foreign id, a link, markup, controls or another shape is refused whole', () => {
  const good = { text: 'C1 is low.', evidence: ['E1'] };
  const reasoning = [good];
  const faults: unknown[] = [
    undefined,
    null,
    'text',
    [],
    {},
    { summary },
    { summary, reasoning, severity: 'info' },
    { summary, reasoning, actions: ['Stop.'] },
    { summary: 7, reasoning },
    { summary: '', reasoning },
    { summary: `${summary} ${'C1 is low. '.repeat(40)}`, reasoning },
    { summary, reasoning: Array.from({ length: 7 }, () => good) },
    { summary, reasoning: [{ ...good, text: `C1 is ${'very '.repeat(80)} low.` }] },
    { summary, reasoning: [{ ...good, evidence: [] }] },
    { summary, reasoning: [{ ...good, evidence: ['E9'] }] },
    { summary, reasoning: [{ ...good, note: 'x' }] },
    ...[
      'https://evil.example',
      'evil.com',
      'www.evil.example',
      '//evil',
      '<b>low</b>',
      '[low](x)',
      '`low`',
      '**low**',
    ]
      .concat([
        '\u202elow',
        'lоw',
        'low\nBcc: x',
        'low\u0000',
        'low\u200b',
        'ｌｏｗ',
        'low 🔥',
        '٣',
        'a@b',
        '&lt;b',
        '$5',
      ])
      .map(text => ({ summary, reasoning: [{ ...good, text: `C1 is ${text}.` }] })),
  ];
  for (const answer of faults) assert.ok('refused' in verdictOn(answer), JSON.stringify(answer));
});

test('a summary that does not hold, or does not name the first cause, is refused with all that follows', () => {
  const reasoning = [{ text: 'C1 is low.', evidence: ['E1'] }];
  for (const wrong of [
    'C1 is low and C2 is high at D1.',
    'K1 is the likely cause. C1 is high.',
    'K1 is the likely cause at 9.9 bar.',
    'K1 is the likely cause. Open the valve.',
    'K7 is the likely cause of it.',
    'K2 is the likely cause (81 %).',
    'K1 is a possible cause, but the main cause is K2.',
    'K1 is the likely cause. The likely cause is a',
    'K1 is the likely cause. C1 is low. K1 is the likely cause.',
  ])
    assert.ok('refused' in verdictOn({ summary: wrong, reasoning }), wrong);
});

test('where the diagnosis is not sure, neither is the text', () => {
  const unsure = { diagnosis: { ...diagnosis, verdict: 'possible' } as const };
  const reasoning = [{ text: 'C1 is low.', evidence: ['E1'] }];
  assert.ok('refused' in verdictOn({ summary, reasoning }, unsure));
  assert.ok('text' in verdictOn({ summary: 'K1 is a possible cause (81 %).', reasoning }, unsure));
});

test('what is said twice is told once', () => {
  const one = { text: 'C1 is low.', evidence: ['E1'] };
  const result = verdictOn({ summary, reasoning: [one, one, { ...one, text: 'C1 is low and C2 is high.' }] });
  assert.ok('text' in result);
  assert.equal(result.text.split('\n\n')[1], 'flow is low (E1).');
});

test('a sentence that was cut is left out', () => {
  assert.equal(kept('C1 is low and C2 is high, which fits'), undefined);
  assert.ok(kept('C1 is low and C2 is high, which fits K1 as a likely cause.'));
});
