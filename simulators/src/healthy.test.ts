import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Field } from '@edgeward/shared/contracts';
import { deviceTypes, Plant } from './plant.js';
import { configOf } from './testing/runs.js';

const stepMs = 2000;
/** The demo shows two simulated seconds every quarter of a second: rates look eight times as fast. */
const shownEveryS = 0.25;
const days = 3;

/** What one channel of one device did at most. */
interface Extremes {
  readonly field: Field;
  low: number;
  high: number;
  step: number;
  run: number;
  longestRun: number;
  last: number;
}

for (const seed of [1, 20])
  test(`${days} healthy days trip no limit of any field (seed ${seed})`, () => {
    const config = configOf([...deviceTypes, 'pump', 'cold-room'], { seed, stepMs, startMs: 0 });
    const plant = new Plant(config);
    const seen = new Map<string, Extremes>();
    for (let i = 0; i < (days * 86_400_000) / stepMs; i++)
      for (const { schema, device, values, fault } of plant.step().rows) {
        assert.equal(fault, null);
        for (const [f, field] of plant.schemas[schema]!.fields.entries())
          note(seen, `${plant.schemas[schema]!.devices[device]} ${field.name}`, field, Number(values[f]));
      }
    assert.ok(seen.size > 30);
    for (const [name, extremes] of seen) check(name, extremes);
  });

function note(seen: Map<string, Extremes>, key: string, field: Field, value: number): void {
  let now = seen.get(key);
  if (!now) {
    now = { field, low: value, high: value, step: 0, run: 0, longestRun: 0, last: value };
    seen.set(key, now);
  }
  now.low = Math.min(now.low, value);
  now.high = Math.max(now.high, value);
  now.step = Math.max(now.step, Math.abs(value - now.last));
  now.run = value === now.last ? now.run + 1 : 1;
  now.longestRun = Math.max(now.longestRun, now.run);
  now.last = value;
}

function check(name: string, { field, low, high, step, longestRun }: Extremes): void {
  assert.ok(Number.isFinite(low) && Number.isFinite(high), name);
  assert.ok(low >= (field.min ?? low) && high <= (field.max ?? high), `${name}: ${low} to ${high}`);
  const rate = step / shownEveryS;
  assert.ok(rate <= (field.maxRate ?? rate), `${name}: ${rate} a second`);
  assert.ok(longestRun < (field.stuckAfter ?? Number.POSITIVE_INFINITY), `${name}: ${longestRun} equal`);
}
