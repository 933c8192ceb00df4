import type { Page } from 'playwright-core';

export interface TextContrast {
  readonly text: string;
  readonly ratio: number;
}

interface Painted {
  readonly text: string;
  readonly colour: string;
  /** From the element outwards, until one is opaque. */
  readonly grounds: readonly string[];
}

// Source text, because it runs in the browser, whose types this project does not have.
const collect = `[...document.body.querySelectorAll('*')]
  .filter(node => [...node.childNodes].some(child => child.nodeType === 3 && child.data.trim()))
  .filter(node => node.checkVisibility() && node.getBoundingClientRect().width > 1)
  .map(node => {
    const grounds = [];
    for (let at = node; at; at = at.parentElement) grounds.push(getComputedStyle(at).backgroundColor);
    return { text: node.textContent.trim().slice(0, 40), colour: getComputedStyle(node).color, grounds };
  })`;

/**
 * Contrast of every visible text against what lies under it (WCAG 2.2, 1.4.3).
 * @param canvas  what lies under all of it: Chromium's is rgb(18, 18, 18) for pages that follow a dark scheme
 */
export async function textContrast(page: Page, canvas = 'rgb(255, 255, 255)'): Promise<TextContrast[]> {
  const painted = await page.evaluate<Painted[]>(collect);
  return painted.map(({ text, colour, grounds }) => {
    const ground = grounds.map(parse).reduceRight(over, parse(canvas));
    return { text, ratio: contrast(over(ground, parse(colour)), ground) };
  });
}

type Colour = readonly [red: number, green: number, blue: number, alpha: number];

/** `rgb(1, 2, 3)` or `rgba(1, 2, 3, 0.5)`, as computed styles have it. */
function parse(text: string): Colour {
  const [red = 0, green = 0, blue = 0, alpha = 1] = (text.match(/[\d.]+/g) ?? []).map(Number);
  return [red, green, blue, alpha];
}

function over(below: Colour, above: Colour): Colour {
  const alpha = above[3];
  const mix = (i: 0 | 1 | 2) => above[i] * alpha + below[i] * (1 - alpha);
  return [mix(0), mix(1), mix(2), 1];
}

function contrast(a: Colour, b: Colour): number {
  const [high = 0, low = 0] = [luminance(a), luminance(b)].sort((x, y) => y - x);
  return (high + 0.05) / (low + 0.05);
}

function luminance([red, green, blue]: Colour): number {
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

function linear(part: number): number {
  const value = part / 255;
  return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
}
