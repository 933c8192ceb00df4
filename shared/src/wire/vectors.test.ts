import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { decodeBlock, encodeBlock, parseDescribed } from './block.js';
import { vectors, vectorsFolder } from './testing/vectors.js';

const made = vectors();

test('the files are those that are made, and no others', () => {
  assert.deepEqual(readdirSync(vectorsFolder).sort(), [...made.keys()].sort());
});

for (const [name, content] of made) {
  test(`${name} is what is made today: a change of it is a change of the wire`, () => {
    const kept = readFileSync(path.join(vectorsFolder, name));
    assert.ok(kept.equals(content), 'node shared/dist/wire/testing/vectors.js writes it anew');
  });
}

for (const name of [...made.keys()].filter(file => file.endsWith('.bin'))) {
  test(`${name}, decoded with what its JSON describes, makes the same bytes again`, () => {
    const json = JSON.parse(String(made.get(name.replace('.bin', '.json')))) as {
      described: unknown;
      header: unknown;
    };
    const described = parseDescribed(json.described);
    const bytes = readFileSync(path.join(vectorsFolder, name));
    const { header, batch } = decodeBlock(bytes, id => (id === described?.id ? described : undefined));
    assert.deepEqual(header, json.header);
    assert.ok(bytes.equals(encodeBlock(header, batch)));
  });
}
