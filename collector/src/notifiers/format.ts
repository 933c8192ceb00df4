/** Names, numbers and times as they stand in a mail. */

// Controls would forge lines and headers; direction marks would make text read as something else; half of a pair of
// surrogates is no text at all.
const unprintable = /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]+/gu;

// Mail clients make links of what looks like an address.
const address = /:\/\/|\bwww\.(?=\S)/giu;

/** A name from a device, made harmless and visibly so. */
export function clean(text: string, maxLength = 120): string {
  const plain = text
    .replaceAll(unprintable, '\ufffd')
    .replaceAll(address, found => (found === '://' ? ': //' : `${found.slice(0, -1)} .`))
    .trim();
  return cut(plain, maxLength);
}

/** Never within a pair of surrogates. */
export function cut(text: string, maxLength: number): string {
  if (text.length <= maxLength) return text;
  return `${text.slice(0, maxLength - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

export function escapeHtml(text: string): string {
  return text.replaceAll(/[&<>"']/g, character => entities[character] ?? '');
}

/**
 * Four significant digits, or fewer decimals if the range that it is compared with is wide.
 * @param scale  the largest number that it stands beside
 */
export function formatNumber(value: number, scale = Math.abs(value)): string {
  const size = Math.max(Math.abs(value), scale);
  if (!Number.isFinite(value)) return String(value);
  if (value === 0 && size < 1e-4) return '0';
  if (size >= 1e7 || size < 1e-4) return value.toExponential(2).replaceAll('-', '−');
  const digits = size === 0 ? 0 : Math.max(0, Math.min(6, 3 - Math.floor(Math.log10(size))));
  const text = Math.abs(value).toFixed(digits);
  return value < 0 && Number(text) !== 0 ? `−${text}` : text;
}

/** `3.9 – 5.1`: bounds are rounder than what is measured. */
export function formatRange([low, high]: readonly [number, number], scale: number): string {
  return [low, high].map(bound => formatBound(bound, scale)).join(' – ');
}

export function formatBound(bound: number, scale: number): string {
  return withoutZeros(formatNumber(bound, scale));
}

function withoutZeros(text: string): string {
  return /^[^e]*\.[^e]*$/.test(text) ? text.replace(/\.?0+$/, '') : text;
}

const unitSigns: Readonly<Record<string, string>> = {
  Cel: '°C',
  'Cel/s': '°C/s',
  '[degF]': '°F',
  deg: '°',
  m3: 'm³',
  'm3/h': 'm³/h',
  'm/s2': 'm/s²',
  Ohm: 'Ω',
  '1': '',
};

/** UCUM codes as people write them. */
export function unitSign(unit: string | null): string {
  if (unit === null) return '';
  return Object.hasOwn(unitSigns, unit) ? (unitSigns[unit] ?? '') : clean(unit, 20);
}

export function withUnit(text: string, unit: string | null): string {
  const sign = unitSign(unit);
  // A plain space could break the line between number and unit.
  return sign === '' ? text : `${text}\u00a0${sign}`;
}

const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** `21 Nov 2026, 11:36:02 UTC`, the same in every locale; times that no calendar has are given in ms. */
export function formatTime(ms: number): string {
  const time = new Date(ms);
  if (Number.isNaN(time.getTime())) return `${ms} ms`;
  return `${time.getUTCDate()} ${months[time.getUTCMonth()]} ${time.getUTCFullYear()}, ${formatClock(ms)} UTC`;
}

/** `21 Nov 2026`, as in `formatTime`. */
export function formatDay(ms: number): string {
  return formatTime(ms).split(',', 1)[0]!;
}

/** `11:36:02` */
export function formatClock(ms: number): string {
  const time = new Date(ms);
  return Number.isNaN(time.getTime()) ? `${ms} ms` : time.toISOString().slice(-13, -5);
}

/** `850 ms`, `12 s`, `3 min 5 s`, `2 h 10 min`, `3 d 4 h` */
export function formatDuration(ms: number): string {
  if (ms < 1000) return `${Math.max(0, Math.round(ms))} ms`;
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return pair(seconds, 60, 'min', 's');
  if (seconds < 86_400) return pair(Math.round(seconds / 60), 60, 'h', 'min');
  return pair(Math.round(seconds / 3600), 24, 'd', 'h');
}

function pair(total: number, per: number, large: string, small: string): string {
  const rest = total % per;
  const whole = `${Math.floor(total / per)} ${large}`;
  return rest === 0 ? whole : `${whole} ${rest} ${small}`;
}
