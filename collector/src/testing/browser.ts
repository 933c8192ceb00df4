import { existsSync } from 'node:fs';
import { type Browser, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const places = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
  '/usr/bin/google-chrome-stable',
  '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome',
  'C:\\Program Files\\Google\\Chrome\\Application\\chrome.exe',
];

/** Path of a Chromium on this machine: CHROMIUM_PATH, or where packages put it. */
export function findChromium(): string | undefined {
  const asked = process.env.CHROMIUM_PATH;
  if (asked) return existsSync(asked) ? asked : undefined;
  return places.find(path => existsSync(path));
}

/**
 * For `test(name, { skip: noBrowser() }, …)`: the reason, or false where there is a browser. With EDGEWARD_NO_SKIP
 * always false, so that in CI a missing browser fails the tests.
 */
export function noBrowser(): string | false {
  if (findChromium() || process.env.EDGEWARD_NO_SKIP) return false;
  return 'SKIPPED: no Chromium found; set CHROMIUM_PATH or install one to test the page in a real browser';
}

export async function launch(): Promise<Browser> {
  const executablePath = findChromium();
  if (!executablePath) throw new Error('no Chromium found; set CHROMIUM_PATH or install one');
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
}

export interface WatchedPage extends AsyncDisposable {
  readonly page: Page;
  /** Console errors, exceptions of the page, failed requests. */
  readonly troubles: string[];
  /** Requests that went anywhere but to `origin`. */
  readonly strangers: string[];
}

/** A page of its own context that writes down what went wrong and where it asked. */
export async function openPage(
  browser: Browser,
  origin: string,
  options: BrowserContextOptions = {},
): Promise<WatchedPage> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const troubles: string[] = [];
  const strangers: string[] = [];
  page.on('console', message => {
    if (message.type() === 'error' || message.type() === 'warning') troubles.push(message.text());
  });
  page.on('pageerror', error => troubles.push(String(error)));
  page.on('request', request => {
    const url = request.url();
    if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) strangers.push(url);
  });
  return { page, troubles, strangers, [Symbol.asyncDispose]: () => context.close() };
}
