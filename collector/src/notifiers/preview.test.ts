/** The samples of `edgeward mail --preview`, as files and as people see them. */
import assert from 'node:assert/strict';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { collectorConfig } from '../config.js';
import { launch, noBrowser } from '../testing/browser.js';
import { textContrast } from '../testing/contrast.js';
import { previewMails } from './preview.js';

const limit = { timeout: 60_000 };
const { mail } = collectorConfig.parse({
  mail: { from: 'edgeward@plant.example', to: ['shift@plant.example'], linkBase: 'https://page.example' },
});
const charted = ['opened', 'critical', 'update', 'closed', 'unknown', 'weird-names'];

const root = await mkdtemp(path.join(tmpdir(), 'edgeward-preview-'));
const folder = path.join(root, 'made', 'here');
after(() => rm(root, { recursive: true, force: true }));
const made = previewMails(folder, mail, 'main');

test('writes one mail of each kind as files, threaded, the chart in the mail', limit, async () => {
  const files = await made;
  const expected = ['digest', ...charted].flatMap(name =>
    ['eml', 'html', 'txt', ...(name === 'digest' ? [] : ['png'])].map(kind => `${name}.${kind}`),
  );
  assert.deepEqual([...files].sort(), [...expected].sort());
  assert.deepEqual((await readdir(folder)).sort(), [...expected].sort());
  const read = (file: string) => readFile(path.join(folder, file), 'utf8');
  for (const name of charted) {
    const png = await readFile(path.join(folder, `${name}.png`));
    assert.equal(png.subarray(1, 4).toString(), 'PNG');
    const wire = (await read(`${name}.eml`)).replaceAll('\r\n', '');
    assert.ok(wire.includes(png.toString('base64')), name);
    assert.ok((await read(`${name}.html`)).includes(png.toString('base64')), name);
  }
  assert.match(await read('closed.eml'), /^References: <[^>]+-opened\.main@[^>]+>\s+<[^>]+-critical\.main@/m);
  assert.match(
    await read('update.txt'),
    /A cause is likely now .*: Blockage .* Until now Worn impeller was only/,
  );
  assert.match(await read('unknown.txt'), /The cause is unknown/);
  assert.match(await read('closed.txt'), /In other words \(by the language model/);
  assert.match(await read('digest.txt'), /^Subject: \[digest\] 3 incidents, 2 open/);
});

test('reads well on phone and desk, in light and in dark', { ...limit, skip: noBrowser() }, async () => {
  await made;
  await using browser = await launch();
  const looks = [360, 700].flatMap(width => (['light', 'dark'] as const).map(scheme => ({ width, scheme })));
  for (const { width, scheme } of looks) {
    const viewport = { width, height: 900 };
    await using context = await browser.newContext({ viewport, colorScheme: scheme });
    const page = await context.newPage();
    for (const name of ['weird-names', 'digest', ...(width === 360 ? ['update', 'closed'] : [])]) {
      const where = `${name} at ${width} px, ${scheme}`;
      await page.goto(pathToFileURL(path.join(folder, `${name}.html`)).href);
      const over = await page.evaluate<number>('document.documentElement.scrollWidth - innerWidth');
      assert.ok(over <= 0, `${where}: ${over} px too wide`);
      const texts = await textContrast(page, scheme === 'dark' ? 'rgb(18, 18, 18)' : undefined);
      assert.ok(texts.length > 5, where);
      for (const { text, ratio } of texts)
        assert.ok(ratio >= 4.5, `${where}: ${ratio.toFixed(1)} for ${text}`);
      const seen = await page.evaluate<number[]>('[...document.images].map(image => image.naturalWidth)');
      assert.deepEqual(seen, name === 'digest' ? [] : [1100], where);
    }
  }
});
