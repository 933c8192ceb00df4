/**
 * What most values and times of line protocol are, read digit by digit where they stand: no text is cut out for them.
 * What is not plain is left to http-line-values.ts; both give the same for what both read.
 */
import { digitsBelowMs, latestMs, type Precision } from './http-line-values.js';

const [lineFeed, carriageReturn, blank, comma, minus, point] = [0x0a, 0x0d, 0x20, 0x2c, 0x2d, 0x2e];
/** As many digits a double holds exactly; a power of ten too, so that their quotient is the double nearest to it. */
const exactDigits = 15;
const powersOfTen = Array.from({ length: exactDigits + 1 }, (_, i) => 10 ** i);

export class PlainReader {
  /** Behind what was read last. */
  end = 0;

  /** @returns the number there, such as `12` or `-0.5`; NaN if it is another kind of value */
  number(text: string, from: number): number {
    const negative = text.charCodeAt(from) === minus;
    let at = negative ? from + 1 : from;
    let [value, digits, decimals] = [0, 0, -1];
    for (; ; at++) {
      const code = text.charCodeAt(at);
      if (code >= 0x30 && code <= 0x39) {
        value = value * 10 + (code - 0x30);
        digits += 1;
        if (decimals >= 0) decimals += 1;
      } else if (code === point && decimals < 0) decimals = 0;
      else if (endsValue(code)) break;
      else return Number.NaN;
    }
    if (digits === 0 || digits > exactDigits) return Number.NaN;
    this.end = at;
    if (decimals > 0) value /= powersOfTen[decimals]!;
    return negative ? -value : value;
  }

  /** @returns ms since Unix epoch of the time with which a line ends; NaN if it is not only digits */
  time(text: string, from: number, precision: Precision): number {
    let end = from;
    while (isDigit(text.charCodeAt(end))) end += 1;
    if (end < text.length && text.charCodeAt(end) !== lineFeed) return Number.NaN;
    const below = digitsBelowMs[precision];
    const whole = end - Math.max(0, below);
    if (whole <= from || whole - from > exactDigits) return Number.NaN;
    let timeMs = wholeNumber(text, from, whole);
    if (below <= 0) timeMs *= powersOfTen[-below]!;
    else timeMs = Math.round(timeMs * 1000 + wholeNumber(text, whole, end) / powersOfTen[below - 3]!) / 1000;
    this.end = end;
    return timeMs <= latestMs ? timeMs : Number.NaN;
  }
}

function wholeNumber(text: string, from: number, end: number): number {
  let value = 0;
  for (let at = from; at < end; at++) value = value * 10 + (text.charCodeAt(at) - 0x30);
  return value;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** NaN = the end of the text. */
function endsValue(code: number): boolean {
  return (
    code === comma || code === blank || code === lineFeed || code === carriageReturn || Number.isNaN(code)
  );
}
