/** The chart of a mail as SVG: small multiples over one time axis. Drawn on white, so that any client shows it alike. */
import { clean, formatBound, formatClock, unitSign } from './format.js';
import type { Panel, Plot } from './plot.js';

export interface Drawing {
  readonly svg: string;
  readonly width: number;
  readonly height: number;
  readonly alt: string;
}

/** Narrow: phones shrink it to three quarters, and its letters with it. */
const width = 440;
const [left, right] = [52, 10];
const [titleHeight, plotHeight, gap] = [24, 76, 12];
const panelHeight = titleHeight + plotHeight + gap;
const axisHeight = 22;
const legendHeight = 24;
const font = 'DejaVu Sans';
const ink = { text: '#1d2433', quiet: '#5b6472', grid: '#dfe3ea', line: '#1d4ed8', band: '#d6eedd' } as const;
const flag = '#b42318';
const onset = '#8a4b08';

interface Scale {
  readonly low: number;
  readonly high: number;
  at(value: number): number;
}

export function drawPlot(plot: Plot): Drawing {
  const height = plot.panels.length * panelHeight + axisHeight + legendHeight;
  const x = timeScale(plot);
  const panels = plot.panels.map((panel, i) => panelSvg(panel, plot, x, i * panelHeight));
  const svg = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" font-family="${font}" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#ffffff"/>`,
    ...panels,
    timeAxis(plot, x, plot.panels.length * panelHeight),
    legend(plot, plot.panels.length * panelHeight + axisHeight),
    '</svg>',
  ].join('\n');
  const names = plot.panels.map(({ name }) => clean(name, 60)).join(', ');
  const alt = `Chart of ${names} from ${formatClock(x.low)} to ${formatClock(x.high)} UTC`;
  return { svg, width, height, alt };
}

function scaleOf(low: number, high: number, from: number, to: number): Scale {
  const span = high - low || 1;
  return { low, high, at: value => from + ((value - low) / span) * (to - from) };
}

function timeScale({ time }: Plot): Scale {
  return scaleOf(time[0] ?? 0, time.at(-1) ?? 1, left, width - right);
}

/** Over what was measured; the usual range and the limit with it, unless they would press it flat. */
function valueScale({ values, expected, limit }: Panel): Scale {
  const measured = values.filter(value => value !== null);
  const own = [Math.min(...measured), Math.max(...measured)] as const;
  const bounds = [...own, ...(expected ?? []), ...(limit === undefined ? [] : [limit])].filter(
    Number.isFinite,
  );
  const span = own[1] - own[0];
  const near = bounds.filter(bound => span === 0 || (bound > own[0] - 4 * span && bound < own[1] + 4 * span));
  const [low, high] = [Math.min(...near), Math.max(...near)];
  const room = (high - low) * 0.06 || Math.abs(high) * 0.05 || 1;
  return scaleOf(low - room, high + room, plotHeight, 0);
}

function panelSvg(panel: Panel, plot: Plot, x: Scale, top: number): string {
  const { name, unit, values } = panel;
  const sign = unitSign(unit);
  const title = sign === '' ? clean(name, 60) : `${clean(name, 60)} (${sign})`;
  const head = `<text x="${left}" y="16" font-size="13" fill="${ink.text}">${escapeXml(title)}</text>`;
  if (values.every(value => value === null)) {
    const none = `<text x="${left}" y="62" fill="${ink.quiet}">no values</text>`;
    return `<g transform="translate(0 ${top})">${head}${none}</g>`;
  }
  const y = valueScale(panel);
  return [
    `<g transform="translate(0 ${top})">${head}<g transform="translate(0 ${titleHeight})">`,
    band(panel, y),
    grid(y),
    onsetLine(plot, x),
    `<path d="${lineOf(plot.time, values, x, y)}" fill="none" stroke="${ink.line}" stroke-width="1.5" stroke-linejoin="round"/>`,
    flags(plot, values, x, y),
    '</g></g>',
  ].join('');
}

function band({ expected, limit }: Panel, y: Scale): string {
  const within = (value: number) => round(Math.max(0, Math.min(plotHeight, y.at(value))));
  const parts: string[] = [];
  if (expected) {
    const [bottom, top] = expected.map(within) as [number, number];
    parts.push(
      `<rect x="${left}" y="${top}" width="${width - left - right}" height="${Math.max(0, bottom - top)}" fill="${ink.band}"/>`,
    );
  }
  if (limit !== undefined && y.at(limit) >= 0 && y.at(limit) <= plotHeight)
    parts.push(
      `<path d="M${left} ${within(limit)}H${width - right}" stroke="${flag}" stroke-dasharray="5 3" fill="none"/>`,
    );
  return parts.join('');
}

function grid(y: Scale): string {
  const ticks = ticksOf(y.low, y.high, 3);
  const scale = Math.max(Math.abs(y.low), Math.abs(y.high));
  const digits = stepDigits(ticks);
  return ticks
    .map(tick => {
      const at = round(y.at(tick));
      const text = digits === undefined ? formatBound(tick, scale) : minus(tick.toFixed(digits));
      return `<path d="M${left} ${at}H${width - right}" stroke="${ink.grid}" stroke-opacity="0.8"/><text x="${left - 6}" y="${at + 4}" text-anchor="end" fill="${ink.quiet}">${escapeXml(text)}</text>`;
    })
    .join('');
}

function minus(text: string): string {
  return text.replace('-', '−');
}

/** Decimals that tell neighbouring ticks apart; undefined for numbers too large or small for that. */
function stepDigits([first = 0, second = 1]: readonly number[]): number | undefined {
  const digits = Math.max(0, -Math.floor(Math.log10(Math.abs(second - first)) + 1e-9));
  return digits <= 6 && Math.abs(second) < 1e7 ? digits : undefined;
}

/** Round numbers (1, 2 or 5 times a power of ten) within the bounds. */
function ticksOf(low: number, high: number, most: number): number[] {
  const raw = (high - low) / most;
  if (!(raw > 0) || !Number.isFinite(raw)) return [];
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map(times => times * power).find(one => one >= raw) ?? raw;
  const ticks: number[] = [];
  for (let i = Math.ceil(low / step); i * step <= high && ticks.length <= most; i++) ticks.push(i * step);
  return ticks;
}

function lineOf(time: readonly number[], values: readonly (number | null)[], x: Scale, y: Scale): string {
  let pen = 'M';
  let path = '';
  for (const [i, value] of values.entries()) {
    if (value === null) {
      pen = 'M';
      continue;
    }
    path += `${pen}${round(x.at(time[i]!))} ${round(y.at(value))}`;
    pen = 'L';
  }
  return path;
}

function flags({ time, flagged }: Plot, values: readonly (number | null)[], x: Scale, y: Scale): string {
  return values
    .map((value, i) =>
      value !== null && flagged[i]
        ? `<circle cx="${round(x.at(time[i]!))}" cy="${round(y.at(value))}" r="2.4" fill="${flag}"/>`
        : '',
    )
    .join('');
}

function onsetLine({ firstMs }: Plot, x: Scale): string {
  if (firstMs < x.low || firstMs > x.high) return '';
  return `<path d="M${round(x.at(firstMs))} 0V${plotHeight}" stroke="${onset}" stroke-width="1.2" stroke-dasharray="3 3" fill="none"/>`;
}

/** The first and the last time, and where it began if there is room between them. */
function timeAxis({ firstMs }: Plot, x: Scale, top: number): string {
  const y = top + 6;
  const text = (at: number, anchor: string, words: string, colour: string = ink.quiet) =>
    `<text x="${round(at)}" y="${y}" text-anchor="${anchor}" fill="${colour}">${escapeXml(words)}</text>`;
  const at = x.at(firstMs);
  const isFree = at > left + 100 && at < width - right - 130;
  return [
    text(left, 'start', formatClock(x.low)),
    ...(isFree ? [text(at, 'middle', formatClock(firstMs), onset)] : []),
    text(width - right, 'end', `${formatClock(x.high)} UTC`),
  ].join('');
}

function legend(plot: Plot, top: number): string {
  const y = top + 10;
  const items: [mark: string, words: string][] = [];
  if (plot.panels.some(({ expected }) => expected))
    items.push([`<rect x="0" y="-9" width="16" height="10" fill="${ink.band}"/>`, 'usual range']);
  if (plot.panels.some(({ limit }) => limit !== undefined))
    items.push([`<path d="M0 -4H16" stroke="${flag}" stroke-dasharray="5 3"/>`, 'limit']);
  if (plot.firstMs >= plot.time[0]!)
    items.push([`<path d="M8 -11V2" stroke="${onset}" stroke-dasharray="3 3"/>`, 'it began']);
  if (plot.flagged.some(Boolean))
    items.push([`<circle cx="8" cy="-4" r="2.8" fill="${flag}"/>`, 'flagged row']);
  const drawn = items.map(
    ([mark, words], i) =>
      `<g transform="translate(${left + i * 98} ${y})">${mark}<text x="22" y="0" fill="${ink.quiet}">${words}</text></g>`,
  );
  return drawn.join('');
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

/** XML has no place for noncharacters and half pairs, however they are written. */
function escapeXml(text: string): string {
  const possible = text.replaceAll(/[\p{Cs}\ufffe\uffff]/gu, '\ufffd');
  return possible.replaceAll(/[&<>"]/g, character => entities[character] ?? '');
}
