import { h, setAttribute, setText } from './dom.js';

const units: Readonly<Record<string, string>> = {
  Cel: '°C',
  'Cel/s': '°C/s',
  '[degF]': '°F',
  'm3/h': 'm³/h',
  'm/s2': 'm/s²',
  'L/min': 'L/min',
  Ohm: 'Ω',
  deg: '°',
};

/** How a unit of the schema is written for people. */
export function unitText(unit: string | null | undefined): string {
  return unit ? (units[unit] ?? unit) : '';
}

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat(undefined, { notation: 'compact', maximumFractionDigits: 1 });

export function count(value: number): string {
  return whole.format(value);
}

/** About four significant digits: 0.123, 12.35, 1,235. */
export function measured(value: number | string | boolean | null | undefined): string {
  if (value === null || value === undefined) return '–';
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'string') return value;
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-3 || size >= 1e6)) return value.toExponential(2);
  const digits = size >= 1000 ? 0 : size >= 100 ? 1 : size >= 10 ? 2 : 3;
  return value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function score(value: number | null): string {
  return value === null ? '–' : value.toFixed(2);
}

export function bytes(value: number): string {
  if (value < 1000) return `${value} B`;
  const [size, unit] = value < 1e6 ? [1e3, 'kB'] : value < 1e9 ? [1e6, 'MB'] : [1e9, 'GB'];
  return `${compact.format(value / size)} ${unit}`;
}

/** 800 ms, 12 s, 3 min, 2 h, 5 d. */
export function span(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

const hourCycle = 'h23';
const minute = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', hourCycle });
const time = new Intl.DateTimeFormat(undefined, {
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle,
});
const dateTime = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
  second: '2-digit',
  hourCycle,
});

/** In the viewer's zone: the time today, date and time before. */
export function clock(ms: number): string {
  const sameDay = new Date(ms).toDateString() === new Date().toDateString();
  return (sameDay ? time : dateTime).format(ms);
}

/** Along a time axis: seconds only where the steps are that fine. */
export function axisTime(ms: number, stepMs: number): string {
  return (stepMs < 60_000 ? time : minute).format(ms);
}

export function age(ms: number): string {
  return ms < 1000 ? 'just now' : `${span(ms)} ago`;
}

/** A moment in the viewer's zone, with UTC on hover and for machines. */
export function moment(ms: number): HTMLTimeElement {
  const node = h('time');
  setMoment(node, ms);
  return node;
}

export function setMoment(node: HTMLTimeElement, ms: number): void {
  const utc = new Date(ms).toISOString();
  setText(node, clock(ms));
  setAttribute(node, 'datetime', utc);
  setAttribute(node, 'title', `${utc.replace('T', ' ').replace('Z', '')} UTC`);
}

/** `bearing_temperature` as people say it. */
export function words(name: string): string {
  return name.replace(/[_-]+/g, ' ');
}
