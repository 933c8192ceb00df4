import type { ChannelSpec } from './feature-spec.js';

type Standard = Pick<ChannelSpec, 'center' | 'scale' | 'usual'>;

/**
 * Writes channel c's three terms: value, long-term mean, squared value, all standardised. Clamped to the usual
 * range: a channel that has gone astray shall not make all others look astray too.
 * @param terms  [termCount(channels)]
 */
export function putTerms(
  channel: Standard,
  value: number,
  mean: number,
  c: number,
  channels: number,
  terms: Float64Array,
): void {
  const standard = witness(channel, value);
  terms[c] = standard;
  terms[channels + c] = witness(channel, mean);
  terms[2 * channels + c] = standard * standard - 1;
}

function witness({ center, scale, usual }: Standard, value: number): number {
  const standard = (value - center) / scale;
  return standard < usual[0] ? usual[0] : standard > usual[1] ? usual[1] : standard;
}

/** Own terms of channel c, which must not explain it. */
export function isOwnTerm(term: number, c: number, channels: number): boolean {
  return term < 3 * channels && term % channels === c;
}
