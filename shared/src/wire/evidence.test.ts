import assert from 'node:assert/strict';
import { test } from 'node:test';
import { z } from 'zod';
import type { Evidence } from '../contracts.js';
import { BitReader } from './bit-reader.js';
import { BitWriter } from './bit-writer.js';
import { readEvidence, writeEvidence } from './evidence.js';
import { wireLimits } from './limits.js';
import { evidenceAt, sample } from './testing/samples.js';

const surprise: Evidence = { ...evidenceAt(2), detector: 'surprise', source: 'level, past 6 days' };

function writtenTo(evidence: readonly Evidence[]): BitReader {
  const out = new BitWriter();
  writeEvidence(out, { ...sample(), evidence });
  const bytes = new Uint8Array(out.byteLength);
  out.copyInto(bytes);
  return new BitReader(bytes, bytes.length);
}

test('a surprise comes back as one, and a rule as a rule, whatever its name', () => {
  const rules = ['surprise', 'surprised: by nothing'].map(
    (source): Evidence => ({ ...evidenceAt(1), detector: 'rule', source }),
  );
  const evidence = [evidenceAt(0), ...rules, surprise];
  assert.deepEqual(readEvidence(writtenTo(evidence), 3), evidence);
});

test('decoders from before there were surprises read the block', () => {
  // What they take of it: of any other word they refuse the block, which may have waited on a disk for them.
  const former = z.array(
    z.looseObject({ detector: z.enum(['forest', 'rule', 'quality']), source: z.string().max(128) }),
  );
  const from = writtenTo([surprise]);
  const json = from.bytes(from.countUpTo(wireLimits.maxEvidenceBytes, 'bytes')).toString('utf8');
  const [read] = former.parse(JSON.parse(json));
  assert.match(read!.source, /level, past 6 days/);
});
