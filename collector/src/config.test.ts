import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ConfigError, configFromText, formatIssue, parseConfig } from '@edgeward/shared/config';
import { guessKind } from '@edgeward/shared/config/guess-kind';
import { collectorConfig } from './config.js';

function issuesOf(text: string): string[] {
  try {
    parseConfig(configFromText('c.yaml', text), collectorConfig);
  } catch (error) {
    assert.ok(error instanceof ConfigError, `not a ConfigError: ${error}`);
    return error.issues.map(formatIssue);
  }
  return [];
}

const port = 'give each a port of its own, or 0 for any free one';

test('what a schedule assigns must have the time to be judged', () => {
  const schedule = (more: string) =>
    issuesOf(`training:\n  schedule:\n    - { deviceType: pump, everyHours: 24${more} }\n`);
  assert.deepEqual(schedule(', assign: true'), [
    'c.yaml:3:39: training.schedule[0].everyHours: shadow.hours is 24: what is trained would be replaced before it is judged (value: 24). ' +
      'Remedy: train less often, lower shadow.hours, or leave assign out',
  ]);
  assert.deepEqual(schedule(''), []);
  assert.deepEqual(schedule(', assign: true }\n    - { deviceType: fan, everyHours: 1').length, 1);
  assert.deepEqual(
    issuesOf(
      'shadow: { hours: 6 }\ntraining:\n  schedule:\n    - { deviceType: pump, everyHours: 24, assign: true }\n',
    ),
    [],
  );
});

test('one port cannot be listened on twice', () => {
  const wrong: readonly (readonly [string, string])[] = [
    [
      'broker: { port: 9000 }\napi: { port: 9000 }\n',
      `c.yaml:2:14: api.port: broker.port is 9000 too, at the same address (value: 9000). Remedy: ${port}`,
    ],
    [
      'api: { port: 1883, host: localhost }\n',
      `c.yaml:1:14: api.port: broker.port is 1883 too, at the same address (value: 1883). Remedy: ${port}`,
    ],
    [
      'broker: { port: 8080 }\n',
      `c.yaml:1:17: broker.port: api.port is 8080 too, at the same address (value: 8080). Remedy: ${port}`,
    ],
    [
      'broker: { port: 8080 }\napi: { host: "::", password: { env: X } }\n',
      `c.yaml:1:17: broker.port: api.port is 8080 too, at the same address (value: 8080). Remedy: ${port}`,
    ],
  ];
  for (const [text, expected] of wrong) assert.deepEqual(issuesOf(text), [expected]);
  for (const text of [
    'dataDir: ./x\n',
    'broker: { port: 0 }\napi: { port: 0 }\n',
    'broker: { port: 9000, host: 127.0.0.2 }\napi: { port: 9000 }\n',
  ])
    assert.deepEqual(issuesOf(text), []);
});

test('what other machines reach needs passwords', () => {
  assert.deepEqual(issuesOf('broker: { host: 0.0.0.0 }\napi: { host: 0.0.0.0 }\n'), [
    'c.yaml:1:17: broker.host: other machines can reach it, but there are no users (value: "0.0.0.0"). ' +
      'Remedy: give broker.users, one per gateway, or keep 127.0.0.1',
    'c.yaml:2:14: api.host: other machines can reach it, but there is no password (value: "0.0.0.0"). ' +
      'Remedy: give api.password, or keep 127.0.0.1',
  ]);
  const safe =
    'broker: { host: 0.0.0.0, users: { pi: { env: X } } }\napi: { host: 0.0.0.0, password: { env: X } }\n';
  assert.deepEqual(issuesOf(safe), []);
});

test('every sink has a name and a folder of its own, and files of some size', () => {
  const sinks = (second: string) => `sinks:\n  - { type: file, directory: ./out }\n  - ${second}\n`;
  assert.deepEqual(issuesOf(sinks('{ type: file, name: file, directory: ./other }')), [
    'c.yaml:3:25: sinks[1].name: sinks[0] has the name "file" already (value: "file"). Remedy: choose another name',
  ]);
  assert.deepEqual(issuesOf(sinks('{ type: file, directory: ./other }')), [
    'c.yaml:3:5: sinks[1].name: sinks[0] has the name "file" already. Remedy: choose another name',
  ]);
  assert.deepEqual(issuesOf(sinks('{ type: file, name: two, directory: out/ }')), [
    'c.yaml:3:41: sinks[1].directory: sinks[0] writes to this folder already (value: "out/"). ' +
      'Remedy: give every sink a folder of its own',
  ]);
  assert.deepEqual(issuesOf(sinks('{ type: file, name: two, directory: ./out2 }')), []);
  assert.match(
    issuesOf(sinks('{ type: file, name: two, directory: ./b, maxBytes: 1 }'))[0] ?? '',
    /^c\.yaml:3:56: sinks\[1\]\.maxBytes: below 1024 \(value: 1\)\. Remedy: give a whole number at least 1024/,
  );
});

test('receipts wait only for sinks that there are', () => {
  const withSink = (receiptAfter: string) =>
    issuesOf(`sinks:\n  - { type: file, directory: ./out }\nreceiptAfter: ${receiptAfter}\n`);
  assert.deepEqual([withSink('journal'), withSink('[file]')], [[], []]);
  assert.deepEqual(withSink('[file, kafka]'), [
    'c.yaml:3:22: receiptAfter[1]: there is no sink named kafka; there are: file (value: "kafka"). ' +
      'Remedy: name a sink, or write receiptAfter: journal',
  ]);
});

test('mail addresses and links are asked for in words, with an example', () => {
  const found = issuesOf('mail: { from: me, to: [x], linkBase: foo }\n');
  assert.deepEqual(
    found.map(line => line.replace(/.*Remedy: /, '')),
    [
      'give text, for example Edgeward <edgeward@plant.example>',
      'give text, for example shift@plant.example',
      'give text with a full address (URL), for example https://edgeward.plant.example',
    ],
  );
});

const common = new Set(['dataDir', 'log', 'trace']);

test('edgeward check knows the file by any key that is its own', () => {
  for (const key of Object.keys(collectorConfig.shape)) {
    if (!common.has(key)) assert.equal(guessKind({ [key]: {} }), 'collector', key);
  }
});

test('with an external broker nothing is listened on, and no secret stands in its address', () => {
  const external = 'external: { url: "mqtt://10.0.0.5" }';
  for (const text of [
    `broker: { ${external} }\n`,
    `broker: { ${external}, host: 0.0.0.0 }\n`,
    `broker: { ${external}, port: 8080 }\n`,
  ])
    assert.deepEqual(issuesOf(text), []);
  const [issue] = issuesOf('broker: { external: { url: "mqtt://user:word@10.0.0.5" } }\n');
  assert.match(issue ?? '', /broker\.external\.url: .*without user or password.*broker\.external\.password/);
});

const influx = (more: string) =>
  `sinks:\n  - { type: influxdb, org: o, bucket: b, token: { env: T }, ${more} }\n`;

test('an InfluxDB token does not cross a network in plain text unless told to', () => {
  const far = 'url: http://influx.plant:8086';
  assert.deepEqual(issuesOf(influx(far)), [
    'c.yaml:2:66: sinks[0].url: the token would cross the network in plain text (value: "http://influx.plant:8086"). ' +
      'Remedy: use https, or set allowPlainHttp: true where the network is trusted',
  ]);
  for (const fine of [
    `${far}, allowPlainHttp: true`,
    'url: https://influx.plant:8086, tls: { ca: ./ca.pem }',
    'url: http://127.0.0.1:8086',
    'url: "http://[::1]:8086/influx"',
  ])
    assert.deepEqual(issuesOf(influx(fine)), []);
});

test('an InfluxDB url has no credentials in it, and certificates are for https', () => {
  const [issue] = issuesOf(influx('url: https://user:pass@influx.plant'));
  assert.doesNotMatch(issue ?? '', /pass@/);
  assert.match(issue ?? '', /without user, password or token.*Remedy: .*the token goes into token/);
  const [other] = issuesOf(influx('url: http://127.0.0.1:8086, tls: { ca: ./ca.pem }'));
  assert.match(other ?? '', /sinks\[0\]\.tls: is for https only.*Remedy: write the url with https/);
});

test('a sink begins at the beginning, now, or at a time, and has no name of the collector itself', () => {
  const sink = (more: string) => `sinks:\n  - { type: file, directory: ./out, ${more} }\n`;
  for (const startAt of ['beginning', 'now', '2026-11-22T06:00:00Z', '2026-11-22T06:00:00.5+02:00'])
    assert.deepEqual(issuesOf(sink(`startAt: ${startAt}`)), []);
  const [issue, ...more] = issuesOf(sink('startAt: yesterday'));
  assert.deepEqual(more, []);
  assert.match(issue ?? '', /^c\.yaml:2:\d+: sinks\[0\]\.startAt: .*\(value: "yesterday"\)\. Remedy: .*now/);
  assert.deepEqual(issuesOf(sink('name: incidents')), [
    'c.yaml:2:43: sinks[0].name: the collector itself goes by this name (value: "incidents"). Remedy: give the sink another one',
  ]);
});

test('a rule for POST /score looks at one row only', () => {
  const rule = (when: string) => `score:\n  rules:\n    - name: warm\n      when: ${when}\n`;
  const remedy = 'compare values of the row only, or give the rule to the agents, under rules';
  for (const when of ['mean(temperature, 10m) > 40', 'temperature > 40 for 5m', 'a > 1 or missing(b, 1m)']) {
    assert.deepEqual(issuesOf(rule(when)), [
      `c.yaml:4:13: score.rules[0].when: windows and "for" look at the rows before, and here each row stands alone (value: "${when}"). Remedy: ${remedy}`,
    ]);
  }
  assert.deepEqual(issuesOf(rule('max(temperature, 10) > 40')), []);
  assert.match(issuesOf(rule('mean(a) > 1'))[0] ?? '', /at character 1: mean needs to know how far back/);
});
