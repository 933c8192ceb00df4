import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { parse } from 'yaml';
import { z } from 'zod';
import { configFromText, parseConfig, pathOption, ruleOption, secret } from '../config.js';
import { comparePages, writePages } from './generate.js';
import { configPages } from './pages.js';
import { errorsPage } from './tables.js';

const source = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('modbus'),
    host: z.string().meta({ description: 'Modbus TCP server', examples: ['10.0.0.7'] }),
    intervalMs: z.int().min(10).default(1000).meta({ description: 'Time between polls', unit: 'ms' }),
  }),
  z.strictObject({
    type: z.literal('replay'),
    file: pathOption().meta({ description: 'CSV to replay' }),
    speed: z
      .union([z.number().positive(), z.literal('max')])
      .default(1)
      .meta({ description: 'How fast' }),
    columns: z.record(z.string(), z.string()).default({}).meta({ description: 'Field | column' }),
  }),
]);

const schema = z.strictObject({
  gateway: z
    .string()
    .regex(/^[a-z0-9-]+$/)
    .meta({ description: 'Name of this gateway', examples: ['pump-house-1'] }),
  level: z.enum(['debug', 'info']).default('info').meta({ description: 'What is logged' }),
  outbox: z
    .strictObject({
      folder: pathOption().default('./outbox').meta({ description: 'Where blocks wait' }),
      maxBytes: z.int().min(1).default(1e9).meta({ description: 'Room for them', unit: 'B' }),
    })
    .prefault({})
    .meta({ description: 'What waits for a receipt' }),
  mail: z
    .strictObject({
      host: z.string().meta({ description: 'SMTP server' }),
      password: secret().optional().meta({ description: 'For it' }),
    })
    .optional()
    .meta({ description: 'Where mail goes' }),
  sources: z.array(source).min(1).meta({ description: 'What is read' }),
  rules: z
    .array(
      z.strictObject({
        when: ruleOption().meta({ description: 'The rule', examples: ['temperature > 40'] }),
        name: z.string().default('hot').meta({ description: 'Its name' }),
      }),
    )
    .default([])
    .meta({ description: 'Plain rules' }),
  tags: z.array(z.string()).default([]).meta({ description: 'Anything: with # and "quotes"' }),
});

const pages = configPages('plant', schema);
const textOf = (name: string) =>
  pages.find(page => page.name === name)?.text ?? assert.fail(`no page ${name}`);

/** As a person would: the # goes, but for explanations, which have one blank after it. */
function uncommented(sample: string): string {
  return sample.replace(/^( *)#(?! \S)/gm, '$1');
}

describe('sample', () => {
  const sample = textOf('plant.sample.yaml');

  test('is valid as it stands, with defaults for all that is commented out', () => {
    const config = parseConfig(configFromText('sample', sample), schema);
    assert.equal(config.gateway, 'pump-house-1');
    assert.deepEqual(config.sources, [{ type: 'modbus', host: '10.0.0.7', intervalMs: 1000 }]);
    assert.equal(config.mail, undefined);
    assert.equal(config.outbox.maxBytes, 1e9);
  });

  test('is valid with every option switched on, and has them all', () => {
    const config = parseConfig(configFromText('sample', uncommented(sample)), schema);
    assert.deepEqual(Object.keys(parse(uncommented(sample)) as object), Object.keys(schema.shape));
    assert.equal(config.sources.length, 2);
    assert.deepEqual(config.rules, [{ when: 'temperature > 40', name: 'hot' }]);
    assert.ok(config.mail?.password && 'file' in config.mail.password);
  });

  test('explains each option', () => {
    assert.match(
      sample,
      /\n {4}# Time between polls\. \(whole number at least 10, ms\)\n {4}#intervalMs: 1000\n/,
    );
    assert.match(sample, /\n# What is logged\. \(one of debug, info\)\n#level: info\n/);
  });
});

describe('table', () => {
  const text = textOf('plant.md');

  test('has one row per option', () => {
    const rows = [
      '| `gateway` | text | required |  | matching `^[a-z0-9-]+$` | Name of this gateway. |',
      '| `level` | text | `info` |  | `debug`, `info` | What is logged. |',
      '| `maxBytes` | whole number | `1000000000` | B | at least 1 | Room for them. |',
      '| `password` | secret | none |  | `{ file: PATH }` or `{ env: NAME }` | For it. |',
      '| `outbox` | mapping | see below |  |  | What waits for a receipt. |',
      '| `sources` | list of mappings | required |  | at least 1 | What is read. |',
      '| `columns` | mapping | `{}` |  |  | Field \\| column. |',
      '| `folder` | path | `./outbox` |  |  | Where blocks wait. |',
      '| `speed` | number or max | `1` |  |  | How fast. |',
    ];
    for (const row of rows)
      assert.ok(text.includes(`\n${row}\n`) || text.endsWith(`\n${row}\n`), `${row}\n\n${text}`);
  });

  test('has one section per mapping', () => {
    const headings = [...text.matchAll(/^## (.*)$/gm)].map(match => match[1]);
    const expected = [
      '`outbox`',
      '`mail`',
      '`sources[]` with `type: modbus`',
      '`sources[]` with `type: replay`',
      '`rules[]`',
    ];
    assert.deepEqual(headings, expected);
  });
});

test('JSON Schema describes what may be written, with our marks renamed', () => {
  const json = JSON.parse(textOf('plant.schema.json')) as {
    required: string[];
    properties: { outbox: { properties: { maxBytes: object; folder: object } } };
  };
  assert.deepEqual(json.required, ['gateway', 'sources']);
  assert.deepEqual(json.properties.outbox.properties.maxBytes, {
    default: 1e9,
    description: 'Room for them',
    'x-unit': 'B',
    type: 'integer',
    minimum: 1,
    maximum: Number.MAX_SAFE_INTEGER,
  });
  assert.ok('x-path' in json.properties.outbox.properties.folder);
});

test('a file in which nothing is required shows its first option, so that it is not empty', () => {
  const size = z.int().default(1).meta({ description: 'Size' });
  const box = z.strictObject({ size, depth: size }).prefault({}).meta({ description: 'A box' });
  const [, , sample] = configPages('plant', z.strictObject({ box, other: box }));
  assert.deepEqual(parse(sample?.text ?? ''), { box: { size: 1 } });
});

test('an option without words or without a needed example is refused by name', () => {
  const silent = z.strictObject({ box: z.strictObject({ size: z.int().default(1) }).prefault({}) });
  assert.throws(() => configPages('plant', silent), /without a description: box, box\.size/);
  const bare = z.strictObject({ name: z.string().regex(/^x$/).meta({ description: 'A name' }) });
  assert.throws(() => configPages('plant', bare), /the option name needs \.meta/);
});

describe('check', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgeward-reference-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('says which file differs, where', async () => {
    const all = [...pages, errorsPage()];
    assert.equal((await comparePages(join(folder, 'none'), all)).length, 4);
    await writePages(folder, all);
    assert.deepEqual(await comparePages(folder, all), []);
    const changed = all.map(page => ({ ...page, text: page.text.replace('Room for them', 'Space') }));
    const [first, ...rest] = await comparePages(folder, changed);
    assert.match(first ?? '', /^plant\.md:\d+: has ".*Room for them.*", should have ".*Space.*"$/);
    assert.equal(rest.length, 2);
    assert.deepEqual(await comparePages(folder, pages), ['errors.md: is not generated any more; delete it']);
  });
});
