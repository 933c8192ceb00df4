import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { EventEmitter, once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { after, before, describe, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { main } from '../cli.js';
import type { TableEntry } from './table.js';

const errorsModule = new URL('../errors.js', import.meta.url).href;
const cliModule = new URL('../cli.js', import.meta.url).href;

const modules: Readonly<Record<string, string>> = {
  echo: `export const command = {
    name: 'echo', summary: 'print the options', examples: ['edgeward echo --file a.csv'],
    options: {
      file: { type: 'string', short: 'f', placeholder: 'FILE', required: true, description: 'what to read' },
      tag: { type: 'string', multiple: true, description: 'a mark' },
      shift: { type: 'string', placeholder: 'N', description: 'a number' },
      json: { type: 'boolean', description: 'print JSON' },
    },
    run: async (values, io) => { io.stdout.write(JSON.stringify(values)); return 0; },
  };`,
  pick: `export const command = {
    name: 'pick', summary: 'take one of a kind', examples: [],
    operand: { name: 'kind', placeholder: 'KIND', choices: { apple: 'a fruit', almond: 'a nut' } },
    options: { tag: { type: 'string', description: 'a mark' } },
    run: async (values, io) => { io.stdout.write(JSON.stringify(values)); return 0; },
  };`,
  ours: `import { EdgewardError } from '${errorsModule}';
    export const command = { name: 'ours', summary: 's', examples: [], options: { code: { type: 'string', description: 'd' } },
      run: async ({ code }) => { throw new EdgewardError(code, 'Port 1883 is taken.'); } };`,
  broken: `export const command = { name: 'broken', summary: 's', examples: [], options: {},
      run: async () => { throw new RangeError('too far', { cause: new Error('the cause') }); } };`,
  wait: `export const command = { name: 'wait', summary: 's', examples: [], options: {},
      run: async (_, { stop, deadline, stdout }) => {
        const keep = setTimeout(() => {}, 20_000);
        stdout.write('up\\n');
        const fired = signal => new Promise(resolve => signal.addEventListener('abort', resolve, { once: true }));
        await fired(stop); stdout.write('stop\\n');
        await fired(deadline); stdout.write('deadline\\n');
        clearTimeout(keep);
        return 0;
      } };`,
  deaf: `export const command = { name: 'deaf', summary: 's', examples: [], options: {},
      run: (_, { stop, deadline, stdout }) => new Promise(() => {
        setTimeout(() => {}, 20_000);
        stop.addEventListener('abort', () => stdout.write('stop\\n'));
        deadline.addEventListener('abort', () => stdout.write('deadline\\n'));
        stdout.write('up\\n');
      }) };`,
  flood: `export const command = { name: 'flood', summary: 's', examples: [], options: {},
      run: async (_, { stop, stdout }) => {
        while (!stop.aborted) { stdout.write('x'.repeat(65536)); await new Promise(resolve => setImmediate(resolve)); }
        return 0;
      } };`,
  slow: `await new Promise(resolve => process.once('edgeward-load', resolve));
    export const command = { name: 'slow', summary: 's', examples: [], options: {},
      run: async (_, { stop, stdout }) => { stdout.write(stop.aborted ? 'asked' : 'not asked'); return 0; } };`,
  hung: `await new Promise(resolve => process.once('edgeward-hung', resolve));
    export const command = { name: 'hung', summary: 's', examples: [], options: {},
      run: async (_, { stop, stdout, hangUps }) => {
        hangUps.listen(() => stdout.write('again\\n'));
        stdout.write('up\\n');
        await new Promise(resolve => stop.addEventListener('abort', resolve, { once: true }));
        return 0;
      } };`,
  needy: `import '@edgeward/is-not-there'; export const command = {};`,
};

let folder = '';
const commands: TableEntry[] = [];

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'edgeward-cli-'));
  for (const [word, text] of Object.entries(modules)) {
    const file = join(folder, `${word}.mjs`);
    await writeFile(file, text);
    const own = { word, module: pathToFileURL(file).href, summary: `the ${word} command` };
    commands.push(word === 'hung' ? { ...own, hearsHangUps: true } : own);
  }
  commands.push({ word: 'absent', module: '@edgeward/absent/command', summary: 'not installed' });
});
after(() => rm(folder, { recursive: true, force: true }));

class Text extends Writable {
  text = '';
  override _write(chunk: Buffer, _: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    this.emit('text');
    done();
  }

  async until(part: string): Promise<void> {
    while (!this.text.includes(part)) await once(this, 'text');
  }
}

async function run(argv: readonly string[], more: { debug?: boolean } = {}) {
  const [stdout, stderr, signals] = [new Text(), new Text(), new EventEmitter()];
  const code = await main(argv, { stdout, stderr, signals, commands, ...more });
  assert.equal(signals.listenerCount('SIGINT') + signals.listenerCount('SIGTERM'), 0, 'signals are let go');
  return { code, out: stdout.text, err: stderr.text };
}

describe('help and version', () => {
  test('--help lists every command', async () => {
    for (const argv of [['--help'], ['-h'], ['help']]) {
      const { code, out } = await run(argv);
      assert.equal(code, 0);
      for (const { word, summary } of commands) assert.match(out, new RegExp(`${word} +${summary}`));
    }
  });

  test('nothing at all is a usage error that shows the help', async () => {
    const { code, out, err } = await run([]);
    assert.deepEqual([code, out], [2, '']);
    assert.match(err, /Usage: edgeward COMMAND/);
  });

  test('a command shows its options, also when the rest is wrong', async () => {
    for (const argv of [
      ['echo', '--help'],
      ['help', 'echo'],
      ['echo', '--nonsense', '-h'],
    ]) {
      const { code, out } = await run(argv);
      assert.equal(code, 0);
      assert.match(out, /Usage: edgeward echo -f FILE \[OPTIONS\]/);
      assert.match(out, /-f, --file FILE +what to read \(required\)/);
      assert.match(out, /Examples:\n {2}edgeward echo --file a\.csv/);
    }
  });

  test('a command that needs a word of its own lists all of them', async () => {
    const { out } = await run(['pick', '--help']);
    assert.match(
      out,
      /Usage: edgeward pick KIND \[OPTIONS\]\n\nKIND:\n {2}apple +a fruit\n {2}almond +a nut\n/,
    );
  });

  test('--version is the package version', async () => {
    const found = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
      version: string;
    };
    assert.deepEqual(await run(['--version']), { code: 0, out: `${found.version}\n`, err: '' });
  });
});

describe('options', () => {
  const valuesOf = async (...argv: string[]) => JSON.parse((await run(['echo', ...argv])).out) as unknown;

  test('arrive as values', async () => {
    assert.deepEqual(await valuesOf('-f', 'a.csv', '--json'), { file: 'a.csv', json: true });
    assert.deepEqual(await valuesOf('--file=a', '--tag', 'x', '--tag=y'), { file: 'a', tag: ['x', 'y'] });
  });

  test('the last of two counts, and a negative number is a value', async () => {
    assert.deepEqual(await valuesOf('-f', 'a', '-f', 'b', '--shift', '-3'), { file: 'b', shift: '-3' });
  });

  test('the word of its own comes before or after them', async () => {
    for (const argv of [
      ['apple', '--tag', 'x'],
      ['--tag', 'x', 'apple'],
    ])
      assert.deepEqual(JSON.parse((await run(['pick', ...argv])).out), { kind: 'apple', tag: 'x' });
  });

  const mistakes: readonly (readonly [readonly string[], RegExp])[] = [
    [['ecoh'], /There is no command ecoh\. Did you mean "echo"\?/],
    [['--verison'], /There is no option --verison\./],
    [['echo'], /-f, --file FILE is required\. See: edgeward echo --help/],
    [['echo', '--fiel', 'a'], /There is no option --fiel\. Did you mean "--file"\?/],
    [['echo', '-x'], /There is no option -x\./],
    [['echo', '--f', 'a'], /There is no option --f\./],
    [['echo', '-f'], /--file FILE needs a value/],
    [['echo', '-f', '--json'], /--file FILE needs a value/],
    [['echo', '-f', 'a', '--json=1'], /--json takes no value/],
    [['echo', '-f', 'a', 'b'], /"b" is not expected here/],
    [['pick'], /KIND is missing, one of: apple, almond\. See: edgeward pick --help/],
    [['pick', 'aple'], /There is no KIND aple\. Did you mean "apple"\? Known: apple, almond\./],
    [['pick', 'toString'], /There is no KIND toString\. Known/],
    [['pick', 'apple', 'almond'], /"almond" is not expected here/],
    [['echo', '-f', 'a', '--__proto__', 'b'], /There is no option --__proto__/],
  ];
  for (const [argv, expected] of mistakes) {
    test(`refused: ${argv.join(' ')}`, async () => {
      const { code, out, err } = await run(argv);
      assert.deepEqual([code, out], [2, '']);
      assert.match(err, expected);
      assert.match(err, /^edgeward: EW_USAGE: .*\n$/);
    });
  }
});

describe('failures', () => {
  test('ours are one line with the code', async () => {
    const { code, err } = await run(['ours', '--code', 'EW_LISTEN']);
    assert.deepEqual([code, err], [1, 'edgeward: EW_LISTEN: A port cannot be opened. Port 1883 is taken.\n']);
  });

  test('configuration and rules exit with 2', async () => {
    for (const name of ['EW_CONFIG_FILE', 'EW_CONFIG_INVALID', 'EW_RULE_SYNTAX', 'EW_RULE_FIELD']) {
      assert.equal((await run(['ours', '--code', name])).code, 2, name);
    }
  });

  test('others show a stack only when debugging', async () => {
    const plain = await run(['broken']);
    assert.equal(plain.code, 1);
    assert.match(plain.err, /^edgeward: too far\n/);
    assert.doesNotMatch(plain.err, /RangeError| at /);
    const { err } = await run(['broken'], { debug: true });
    assert.match(err, /RangeError: too far\n +at /);
    assert.match(err, /caused by Error: the cause/);
  });

  test('a package that is not installed comes with the command that installs it', async () => {
    const { code, err } = await run(['absent']);
    assert.equal(code, 1);
    assert.match(err, /EW_PACKAGE_MISSING: .*"edgeward absent" needs it: npm install @edgeward\/absent\n$/);
    assert.match((await run(['needy'])).err, /EW_PACKAGE_MISSING: .*npm install @edgeward\/is-not-there\n$/);
  });
});

describe('signals', { timeout: 30_000 }, () => {
  const start = (graceMs: number) => {
    const [stdout, stderr, signals] = [new Text(), new Text(), new EventEmitter()];
    const done = main(['wait'], { stdout, stderr, signals, commands, graceMs });
    return { stdout, signals, done };
  };

  test('the first asks, the second insists', async () => {
    const { stdout, signals, done } = start(1e6);
    await stdout.until('up');
    signals.emit('SIGTERM');
    await stdout.until('stop');
    assert.doesNotMatch(stdout.text, /deadline/);
    signals.emit('SIGINT');
    assert.equal(await done, 0);
    assert.match(stdout.text, /deadline/);
    assert.equal(signals.listenerCount('SIGINT') + signals.listenerCount('SIGTERM'), 0);
  });

  test('one that comes while the command is loaded is heard', async () => {
    const [stdout, signals] = [new Text(), new EventEmitter()];
    const loading: EventEmitter = process;
    const done = main(['slow'], { stdout, stderr: new Text(), signals, commands });
    while (loading.listenerCount('edgeward-load') === 0) await new Promise(setImmediate);
    signals.emit('SIGTERM');
    loading.emit('edgeward-load');
    assert.equal(await done, 0);
    assert.equal(stdout.text, 'asked');
  });

  test('a hang-up that comes while the command is loaded waits for it; other commands hear none', async () => {
    const [stdout, signals] = [new Text(), new EventEmitter()];
    const loading: EventEmitter = process;
    const done = main(['hung'], { stdout, stderr: new Text(), signals, commands });
    while (loading.listenerCount('edgeward-hung') === 0) await new Promise(setImmediate);
    signals.emit('SIGHUP');
    signals.emit('SIGHUP');
    loading.emit('edgeward-hung');
    await stdout.until('up');
    assert.equal(stdout.text, 'again\nup\n', 'two that came too early are one');
    signals.emit('SIGHUP');
    assert.equal(stdout.text, 'again\nup\nagain\n');
    signals.emit('SIGTERM');
    assert.equal(await done, 0);
    assert.equal(signals.listenerCount('SIGHUP'), 1, 'one that comes at the very end kills nothing');
    const other = start(1e6);
    await other.stdout.until('up');
    assert.equal(other.signals.listenerCount('SIGHUP'), 0, 'there it is an end as for any process');
    other.signals.emit('SIGTERM');
    await other.stdout.until('stop');
    other.signals.emit('SIGTERM');
    await other.done;
  });

  test('time insists too', async () => {
    const { stdout, signals, done } = start(5);
    await stdout.until('up');
    signals.emit('SIGINT');
    assert.equal(await done, 0);
    assert.match(stdout.text, /stop\ndeadline/);
  });
});

describe('as a process', { timeout: 30_000 }, () => {
  const start = (word: string): ChildProcess => {
    const script = `import { main } from '${cliModule}';
      process.exitCode = await main(['${word}'], { commands: ${JSON.stringify(commands)} });`;
    return spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  };
  const errorsOf = (child: ChildProcess) => {
    const text = new Text();
    child.stderr?.pipe(text);
    return text;
  };

  test('a reader that goes away is a quiet end', async () => {
    const child = start('flood');
    const errors = errorsOf(child);
    const closed = once(child, 'close');
    child.stdout?.once('data', () => child.stdout?.destroy());
    assert.deepEqual(await closed, [0, null], errors.text);
    assert.equal(errors.text, '');
  });

  test('SIGTERM twice is a stop with exit code 0', { skip: process.platform === 'win32' }, async () => {
    const child = start('wait');
    const out = new Text();
    child.stdout?.pipe(out);
    const closed = once(child, 'close');
    await out.until('up');
    child.kill('SIGTERM');
    await out.until('stop');
    child.kill('SIGTERM');
    assert.deepEqual(await closed, [0, null]);
    assert.match(out.text, /deadline/);
  });

  test('a signal more ends a command that hears nothing', {
    skip: process.platform === 'win32',
  }, async () => {
    const child = start('deaf');
    const out = new Text();
    child.stdout?.pipe(out);
    const closed = once(child, 'close');
    await out.until('up');
    child.kill('SIGTERM');
    await out.until('stop');
    child.kill('SIGTERM');
    await out.until('deadline');
    child.kill('SIGTERM');
    assert.deepEqual(await closed, [null, 'SIGTERM']);
  });
});

test('nothing slow is imported before a command is chosen', async () => {
  const seen = new Set<string>();
  const visit = async (url: URL): Promise<void> => {
    if (seen.has(url.href)) return;
    seen.add(url.href);
    for (const [, name = ''] of (await readFile(url, 'utf8')).matchAll(
      /^(?:import|export) .*?from '([^']+)';$/gm,
    )) {
      assert.match(name, /^(node:|\.)/, `${url.pathname} imports ${name}`);
      if (name.startsWith('.')) await visit(new URL(name, url));
    }
  };
  await visit(new URL(cliModule));
  assert.ok(seen.size > 5, 'the imports were found');
});
