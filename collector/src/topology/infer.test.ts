import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRng } from '@edgeward/shared/rng';
import { inferPlace } from './infer.js';

/** `line-2 > press-4*`: labels from the outside in, `|` behind the line, `*` behind a machine. */
function told(name: string, site: string | null = null): string | undefined {
  const place = inferPlace(name, site);
  if (!place) return undefined;
  const labels = place.labels.map((label, i) => (i + 1 === place.line ? `${label}|` : label));
  return labels.join(' ') + (place.machine ? '*' : '');
}

test('line and machine are told by the usual ways to write them', () => {
  for (const name of [
    'line2-press4-hydraulics',
    'Line_2_Press_04_pump',
    'line-2-press-4-pump-1',
    'line02.press4.hydraulics',
    'LINE2.PRESS4.x',
  ])
    assert.equal(told(name), 'line-2| press-4*', name);
  assert.equal(told('L2.P4.pump'), 'line-2| p-4*');
  assert.equal(told('L2-P4-pump'), 'line-2| p-4*');
  assert.equal(told('press-4-hydraulics'), 'press-4*');
  assert.equal(told('press4.hydraulics'), 'press-4*');
  assert.equal(told('line2-conveyor'), 'line-2|');
  assert.equal(told('Linie3-Presse2-Oel'), 'linie-3| presse-2*');
});

test('what encloses a line keeps lines of the same number apart; the own site is no part of it', () => {
  assert.equal(told('north.hall-3.line-2.press-4.pump', 'north'), 'hall-3 line-2| press-4*');
  assert.equal(told('north.hall-3.line-2.press-4.pump', null), 'north hall-3 line-2| press-4*');
  assert.equal(told('North.line-2.press-4.pump', 'north'), 'line-2| press-4*');
});

test('names that do not clearly tell it give nothing', () => {
  const silent =
    'pump-1 pump cold-room-1 office-1 power-feed feeder-L1 L1-voltage L1.voltage sensor-3-temperature gw-1-cpu ' +
    'building-2-fan hall-1-north 10.0.0.7 a1b2c3d4-e5f6 2026-11-22 line line-a press-4-2 plc1.db5.temp north.pump-1 ' +
    '. -- pump- -1 4';
  for (const name of [
    ...silent.split(' '),
    '',
    ' ',
    'line-2/press-4/x',
    'line-2.press-4.\u0000',
    'line2-press4-\u202egpj',
    'line2<b>-press4-x',
  ])
    assert.equal(told(name, 'north'), undefined, JSON.stringify(name));
  assert.equal(told('press-4.pump', 'press-4'), undefined, 'a site is no machine');
});

test('a name of any length or content is looked at in no time, and never fails', () => {
  const seed = 20_261_122;
  const rng = seededRng(seed);
  const letters = ['line', 'press', '2', '4', '-', '.', '_', 'L', '\u0000', '\u202e', '💥'];
  for (let i = 0; i < 3000; i++) {
    const name = Array.from({ length: rng() * 30 }, () => letters[Math.floor(rng() * letters.length)]).join(
      '',
    );
    const place = inferPlace(name, rng() < 0.5 ? null : name.slice(0, 4));
    if (!place) continue;
    assert.ok(
      place.labels.length > 0 && place.line <= place.labels.length,
      `seed ${seed}: ${JSON.stringify(name)}`,
    );
    for (const label of place.labels)
      assert.match(label, /^[\p{L}\p{N}-]+$/u, `seed ${seed}: ${JSON.stringify(name)}`);
  }
  assert.equal(inferPlace('line-2-press-4-'.repeat(700), null), undefined);
});
