/**
 * Names as line protocol can carry them. It has no way to write a newline, a backslash before a delimiter or a comment
 * sign at the front, so these characters, and other control characters, become %XX of their bytes; a `%` is %25 where
 * it would be read as one of these. Two different names never become the same.
 */

/** Written for every row; what a channel of this name is called instead, see `fieldName`. */
const ours = new Set(['gateway', 'site', 'device', 'score', 'anomaly', 'quality', 'late', 'time']);
const prefix = 'channel:';

/** The field that a channel is written to. InfluxDB keeps `time` and names with `_` in front for itself. */
export function fieldName(channel: string): string {
  const clashes = ours.has(channel) || channel.startsWith('_') || channel.startsWith(prefix);
  return clashes ? `${prefix}${channel}` : channel;
}

/** Tag keys, tag values and field keys. */
export function escapeKey(name: string): string {
  return writable(name).replaceAll(/[,= ]/g, '\\$&');
}

export function escapeMeasurement(name: string): string {
  return writable(name).replaceAll(/[, ]/g, '\\$&').replace(/^#/, '%23');
}

/** The quoted text of a string field. */
export function quoted(text: string): string {
  return `"${text.replaceAll(/["\\]/g, '\\$&')}"`;
}

// A lone surrogate has no UTF-8: any two would become the same replacement character.
const unwritable = /[\p{Cc}\p{Surrogate}\\]|%(?=[0-9A-F]{2})/gu;

function writable(name: string): string {
  return name.replaceAll(unwritable, character => bytesOf(character.codePointAt(0)!).map(percent).join(''));
}

function bytesOf(code: number): number[] {
  if (code < 0x80) return [code];
  if (code < 0x800) return [0xc0 | (code >> 6), 0x80 | (code & 0x3f)];
  return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)];
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
}
