import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { z } from 'zod';
import {
  ConfigError,
  configFromText,
  formatIssue,
  loadConfig,
  parseConfig,
  pathOption,
  ruleOption,
  secret,
} from '../config.js';
import { hasCode } from '../errors.js';
import fc from '../testing/properties.js';

const source = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('modbus'),
    host: z.string().meta({ description: 'Server', examples: ['10.0.0.7'] }),
    intervalMs: z.int().min(10).max(60_000).default(1000).meta({ description: 'Between polls', unit: 'ms' }),
  }),
  z.strictObject({ type: z.literal('replay'), file: pathOption(), speed: z.number().positive().default(1) }),
]);

const schema = z.strictObject({
  gateway: z
    .string()
    .regex(/^[a-z][a-z0-9-]*$/)
    .meta({ examples: ['pump-1'] }),
  mails: z
    .array(z.string().regex(/^\S+@\S+$/, 'not a mail address'))
    .optional()
    .meta({ examples: [['shift@plant.example']] }),
  page: z
    .url()
    .optional()
    .meta({ examples: ['https://plant.example'] }),
  site: z.string().optional(),
  level: z.enum(['debug', 'info', 'warn']).default('info'),
  outbox: z
    .strictObject({ folder: pathOption().default('./outbox'), maxBytes: z.int().min(1).default(1e9) })
    .prefault({}),
  uplink: z.strictObject({ url: z.string().optional(), password: secret().optional() }).prefault({}),
  sources: z.array(source).min(1),
  rules: z.record(z.string().regex(/^[a-z]+$/), ruleOption()).default({}),
});

function issuesOf(text: string): string[] {
  try {
    parseConfig(configFromText('plant.yaml', text), schema);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${error}`);
    assert.ok(hasCode(error, 'EW_CONFIG_INVALID'));
    return error.issues.map(formatIssue);
  }
  return [];
}

const sources = 'sources: [{type: modbus, host: plc}]\n';
const cases: readonly { name: string; text: string; expect: readonly (RegExp | string)[] }[] = [
  {
    name: 'unknown key',
    text: `gateway: pi\nsources:\n  - type: modbus\n    host: plc\n    intervalMS: 5\n`,
    expect: [
      'plant.yaml:5:5: sources[0].intervalMS: unknown key. Remedy: correct or remove it. ' +
        'Did you mean "intervalMs"? Known here: type, host, intervalMs',
    ],
  },
  {
    name: 'wrong type',
    text: `gateway: pi\nsources:\n  - type: modbus\n    host: plc\n    intervalMs: fast\n`,
    expect: [
      'plant.yaml:5:17: sources[0].intervalMs: must be a number, not text (value: "fast"). ' +
        'Remedy: give a whole number from 10 to 60000 (ms), or leave it out for 1000',
    ],
  },
  {
    name: 'impossible value and missing field, in file order',
    text: `sources:\n  - type: modbus\n    intervalMs: 5\ngateway: Pi!\n`,
    expect: [
      /^plant\.yaml:2:5: sources\[0\]\.host: required, but missing\. Remedy: add it: give text, for example 10\.0\.0\.7$/,
      /^plant\.yaml:3:17: sources\[0\]\.intervalMs: below 10 \(value: 5\)\. Remedy: give a whole number from 10/,
      /^plant\.yaml:4:10: gateway: not written as expected \(value: "Pi!"\)\. Remedy: give text, for example pump-1$/,
    ],
  },
  {
    name: 'unknown type',
    text: `gateway: pi\nsources: [{type: modbuss}]\n`,
    expect: [
      'plant.yaml:2:18: sources[0].type: unknown type (value: "modbuss"). ' +
        'Remedy: use one of modbus, replay. Did you mean "modbus"?',
    ],
  },
  {
    name: 'unknown word',
    text: `gateway: pi\nlevel: inof\n${sources}`,
    expect: [
      /^plant\.yaml:2:8: level: not a known value \(value: "inof"\).*debug, info, warn.*Did you mean "info"\?$/,
    ],
  },
  { name: 'empty value', text: `gateway:\n${sources}`, expect: [/^plant\.yaml:1:9: gateway: is empty\./] },
  {
    name: 'not a number at all',
    text: `gateway: pi\nsources: [{type: replay, file: a, speed: .nan}]\n`,
    expect: [/plant\.yaml:2:42: sources\[0\]\.speed: not a finite number \(value: NaN\)/],
  },
  {
    name: 'plain secret',
    text: `gateway: pi\n${sources}uplink:\n  password: hunter2\n`,
    expect: [
      'plant.yaml:4:13: uplink.password: a secret does not stand in the configuration (value: (hidden)). ' +
        'Remedy: write { file: PATH } or { env: NAME } and put it there',
    ],
  },
  {
    name: 'both places for a secret',
    text: `gateway: pi\n${sources}uplink: { password: { file: a, env: B } }\n`,
    expect: [/plant\.yaml:3:21: uplink\.password: fits no allowed form \(value: a mapping\)/],
  },
  {
    name: 'bad name in a record',
    text: `gateway: pi\n${sources}rules: { Hot: a > 3 }\n`,
    expect: [/plant\.yaml:3:10: rules\.Hot: this name is not allowed/],
  },
  {
    name: 'bad rule',
    text: `gateway: pi\n${sources}rules:\n  hot: temperature >\n`,
    expect: [
      'plant.yaml:4:8: rules.hot: at character 14: Expected a number, a field or "(", found the end ' +
        '(value: "temperature >"). Remedy: write comparisons of fields and numbers, such as temperature > 40 or pressure > 120; deploy/rules.md has all',
    ],
  },
  {
    name: 'too few entries',
    text: 'gateway: pi\nsources: []\n',
    expect: [/plant\.yaml:2:10: sources: too few entries/],
  },
  { name: 'not a mapping', text: '- a\n', expect: [/plant\.yaml:1:1: must be a mapping, not a list/] },
  { name: 'empty file', text: '# nothing\n', expect: [/plant\.yaml:1:1: the file is empty\. Remedy:/] },
  { name: 'tab', text: 'outbox:\n\tmaxBytes: 1\n', expect: [/plant\.yaml:2:1: a tab is used to indent/] },
  {
    name: 'duplicate key',
    text: `gateway: pi\noutbox:\n  maxBytes: 1\n  maxBytes: 2\n${sources}`,
    expect: ['plant.yaml:4:3: outbox.maxBytes: given twice, first in line 3. Remedy: keep one of the two'],
  },
  { name: 'open quote', text: 'gateway: "pi\n', expect: [/plant\.yaml:2:1: something is not closed/] },
  {
    name: 'patterns are no remedies: words and an example are, of a list too',
    text: `gateway: pi\n${sources}mails: [a@b, nobody]\npage: here\n`,
    expect: [
      'plant.yaml:3:14: mails[1]: not a mail address (value: "nobody"). Remedy: give text, for example shift@plant.example',
      'plant.yaml:4:7: page: not written as expected (value: "here"). Remedy: give text with a full address (URL), for example https://plant.example',
    ],
  },
  {
    name: 'open bracket',
    text: `mails: [a@b, c@d\ngateway: pi\n${sources}`,
    expect: [
      'plant.yaml:1:8: mails: this [ is not closed. Remedy: add the missing ]; the lines up to it are indented deeper than their key',
    ],
  },
  {
    name: 'open brace inside',
    text: `gateway: pi\nsources:\n  - { type: modbus, host: x\nlevel: info\n`,
    expect: [
      'plant.yaml:3:5: sources[0]: this { is not closed. Remedy: add the missing }; the lines up to it are indented deeper than their key',
    ],
  },
  {
    name: 'open bracket in a mapping',
    text: `gateway: pi\nuplink:\n  url: [a\n  password: { env: X }\nlevel: info\n`,
    expect: [/plant\.yaml:3:8: uplink\.url: this \[ is not closed/],
  },
  {
    name: 'brackets at the key',
    text: 'mails: [\na@b ]\n',
    expect: [/plant\.yaml:1:8: mails: this \[ is not closed\. Remedy: add the missing \]; the lines/],
  },
  {
    name: 'wrong indentation',
    text: 'outbox:\n  folder: x\n maxBytes: 1\n',
    expect: [/plant\.yaml:3:1: wrong indentation/],
  },
  { name: 'tag', text: `gateway: !include x\n${sources}`, expect: [/plant\.yaml:1:10: an unknown ! tag/] },
  { name: 'two documents', text: `gateway: pi\n---\na: 1\n`, expect: [/plant\.yaml:2:1: a second document/] },
  {
    name: 'alias of nothing',
    text: 'gateway: *pi\n',
    expect: [/plant\.yaml:1:10: gateway: an alias without/],
  },
  {
    name: 'alias of itself',
    text: 'a: &x [1, *x]\n',
    expect: [/plant\.yaml:1:11: a\[1\]: an alias of what/],
  },
  {
    name: 'merge of text',
    text: 'a: &x text\n<<: *x\n',
    expect: [/plant\.yaml:2:1: .*<< can only take mappings/],
  },
  { name: 'deep nesting', text: '['.repeat(100_000), expect: [/plant\.yaml:1:\d+: nested deeper than 64/] },
  {
    name: 'growth by aliases',
    text: [
      'a: &a [x,x,x,x,x,x,x,x,x,x]',
      ...'bcdefg'.split('').map((n, i) => `${n}: &${n} [${Array(10).fill(`*${'abcdefg'[i]}`)}]`),
    ].join('\n'),
    expect: [/plant\.yaml:1:1: too many aliases/],
  },
  {
    name: 'a value that came through a merge key',
    text: `gateway: pi\nsources:\n  - &base { type: modbus, host: plc, intervalMs: 1 }\n  - { <<: *base, host: plc2 }\n`,
    expect: [/plant\.yaml:3:50: sources\[0\]\.intervalMs/, /plant\.yaml:3:50: sources\[1\]\.intervalMs/],
  },
];

describe('a configuration is refused with place, value and remedy', () => {
  for (const { name, text, expect } of cases) {
    test(name, () => {
      const found = issuesOf(text);
      assert.equal(found.length, expect.length, found.join('\n'));
      expect.forEach((expected, i) => {
        if (typeof expected === 'string') assert.equal(found[i], expected);
        else assert.match(found[i] ?? '', expected);
      });
    });
  }
});

test('credentials in the wrong place are not shown', () => {
  const places = [
    'gateway: "password: hunter2"',
    'gateway: mqtt://me:hunter2@broker',
    'level: token=hunter2',
    'password:hunter2\nb: 1',
    '"password:hunter2": 1',
    'apiKey: hunter2',
    'uplink: { password: { file: [hunter2] } }',
    'uplink: { password: [hunter2] }',
    'uplink: "hunter2 secret: x',
    'uplink: { password: { file: x, password: hunter2 } }',
  ];
  for (const text of places) {
    const found = issuesOf(text);
    assert.ok(found.length > 0, text);
    assert.doesNotMatch(found.join('\n'), /hunter2/, text);
  }
});

describe('files', () => {
  let folder = '';
  before(async () => {
    folder = await mkdtemp(join(tmpdir(), 'edgeward-config-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));
  const write = async (name: string, content: string | Uint8Array) => {
    await writeFile(join(folder, name), content);
    return join(folder, name);
  };

  test('defaults apply, and paths are relative to the file', async () => {
    const file = await write('ok.yaml', `gateway: pi\nsources:\n  - { type: replay, file: data/a.csv }\n`);
    const config = await loadConfig(file, schema);
    assert.equal(config.outbox.folder, join(folder, 'outbox'));
    assert.equal(config.outbox.maxBytes, 1e9);
    assert.deepEqual(config.sources, [{ type: 'replay', file: join(folder, 'data', 'a.csv'), speed: 1 }]);
  });

  test('a path to a secret is relative to the file too', async () => {
    const file = await write('secret.yaml', `gateway: pi\n${sources}uplink: { password: { file: pw } }\n`);
    const config = await loadConfig(file, schema);
    assert.deepEqual(config.uplink.password, { file: join(folder, 'pw') });
  });

  test('what cannot be read is EW_CONFIG_FILE', async () => {
    const huge = await write('huge.yaml', Buffer.alloc(1024 * 1024 + 1, '#'));
    for (const [file, why] of [
      [join(folder, 'none.yaml'), /none\.yaml: It does not exist/],
      [folder, /is a directory/],
      [huge, /larger than 1 MiB/],
    ] as const) {
      await assert.rejects(
        loadConfig(file, schema),
        error => hasCode(error, 'EW_CONFIG_FILE') && why.test(error.message),
      );
    }
  });

  test('bytes that are not UTF-8 are refused with their line', async () => {
    const file = await write('latin.yaml', Buffer.from('a: 1\nsite: K\u00f6ln\n', 'latin1'));
    await assert.rejects(loadConfig(file, schema), error => {
      assert.ok(error instanceof ConfigError);
      assert.equal(error.issues[0]?.line, 2);
      return true;
    });
  });

  test('a byte order mark and CRLF do no harm', async () => {
    const file = await write('bom.yaml', `\ufeffgateway: pi\r\n${sources.trim()}\r\n`);
    assert.equal((await loadConfig(file, schema)).gateway, 'pi');
  });
});

test('whatever stands in a file: valid, or issues that each name a line', () => {
  const lines = fc.array(
    fc.oneof(
      fc.constantFrom(
        'gateway: pi',
        'gateway: &a 5',
        'sources:',
        '  - type: modbus',
        '    host: x',
        '- *a',
        '<<: *a',
      ),
      fc.constantFrom(
        'rules: {a: b}',
        'outbox: []',
        '\t',
        '...',
        '---',
        '? x',
        '"',
        '[',
        '{',
        '}',
        'a: |',
        '%YAML 1.1',
      ),
      fc.string({ maxLength: 12 }),
      fc.record({ a: fc.jsonValue() }).map(value => JSON.stringify(value)),
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(lines, found => {
      const text = found.join('\n');
      const count = text.split(/\n/).length + 1;
      for (const line of issuesOf(text)) {
        const at = /^plant\.yaml:(\d+):(\d+): /.exec(line);
        assert.ok(at, line);
        assert.ok(Number(at[1]) >= 1 && Number(at[1]) <= count && Number(at[2]) >= 1, line);
        assert.match(line, / Remedy: ./);
        assert.ok(!line.includes('\n') && !line.includes('undefined') && !line.includes('\u0000'), line);
      }
    }),
    { numRuns: 1500 },
  );
});

test('random JSON at known keys: issues, never a crash', () => {
  const keys = fc.constantFrom(
    'gateway',
    'level',
    'outbox',
    'uplink',
    'sources',
    'rules',
    '__proto__',
    'constructor',
  );
  fc.assert(
    fc.property(fc.dictionary(keys, fc.jsonValue({ maxDepth: 4 })), value => {
      assert.ok(issuesOf(JSON.stringify(value)).length > 0);
    }),
    { numRuns: 500 },
  );
});
