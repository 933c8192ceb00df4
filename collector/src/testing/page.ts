import type { AddressInfo } from 'node:net';
import { after, before } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Browser, BrowserContextOptions, Locator, Page } from 'playwright-core';
import { type TestApi, testApi } from './api.js';
import { launch, noBrowser, openPage, type WatchedPage } from './browser.js';
import { FakeViews } from './fake-views.js';

export interface Stage extends WatchedPage {
  readonly views: FakeViews;
  readonly origin: string;
  readonly api: TestApi;
  /** Opens an address within the page, for example `#/ledger`. */
  go(hash: string): Promise<void>;
}

/** One browser a test file; each test opens its own collector and page in it. */
export function pageTests(): (views?: FakeViews, options?: BrowserContextOptions) => Promise<Stage> {
  let browser: Browser | undefined;
  before(async () => {
    if (!noBrowser()) browser = await launch();
  });
  after(() => browser?.close());
  return async (views = new FakeViews({ demo: true }), options = {}) => {
    if (!browser) throw new Error('no browser');
    const api = testApi({ views });
    await api.app.listen({ host: '127.0.0.1', port: 0 });
    const origin = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}`;
    const watched = await openPage(browser, origin, options);
    const { page, troubles, strangers } = watched;
    const go = async (hash: string) => {
      await page.goto(`${origin}/${hash}`);
      await page.locator('#link[data-state=live]').waitFor();
    };
    await go('');
    return {
      page,
      troubles,
      strangers,
      views,
      origin,
      api,
      go,
      [Symbol.asyncDispose]: async () => {
        views.stop();
        await watched[Symbol.asyncDispose]();
        await api.app.close();
      },
    };
  };
}

/** Waits for a condition that no element's presence expresses. */
export async function until(condition: () => Promise<boolean> | boolean, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await sleep(30);
  }
}

/** What a person reads there, as against what the DOM holds. */
export async function textOf(locator: Locator): Promise<string> {
  return (await locator.allInnerTexts()).join('\n');
}

/** How many pixels of a canvas are not transparent, and how many look like the alarm colour. */
export function inkOf(page: Page, selector: string): Promise<{ inked: number; alarmed: number }> {
  return page
    .locator(selector)
    .first()
    .evaluate(node => {
      // Runs in the browser, where a canvas has a context; Node's types know neither.
      const canvas = node as unknown as {
        width: number;
        height: number;
        getContext(kind: '2d'): { getImageData(...box: number[]): { data: Uint8ClampedArray } };
      };
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      let [inked, alarmed] = [0, 0];
      for (let i = 0; i < data.length; i += 4) {
        const [red = 0, green = 0, blue = 0, alpha = 0] = data.subarray(i, i + 4);
        if (alpha > 128) inked += 1;
        if (alpha > 200 && red > 150 && green < 90 && blue < 90) alarmed += 1;
      }
      return { inked, alarmed };
    });
}
