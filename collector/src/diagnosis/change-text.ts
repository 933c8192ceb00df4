import type { Change } from '../changes/change.js';
import { clean, formatDuration } from '../notifiers/format.js';

/** `The configuration of gateway-1 changed 3 min before it began: sources` */
export function changeText(change: Change, gateway: string, beganMs: number): string {
  return `${sentence(change, clean(gateway, 60), beganMs)}${detailOf(change)}`;
}

/** The same without a word that a configuration, a device or somebody chose. */
export function plainChangeText(change: Change, beganMs: number): string {
  return sentence(change, 'the gateway', beganMs);
}

function sentence({ kind, atMs }: Change, gateway: string, beganMs: number): string {
  const when = `${formatDuration(Math.max(0, beganMs - atMs))} before it began`;
  switch (kind) {
    case 'configuration':
      return `The configuration of ${gateway} changed ${when}`;
    case 'model':
      return `The model of this device type on ${gateway} changed ${when}`;
    case 'agent':
      return `The agent of ${gateway} was replaced by another version ${when}`;
    case 'restart':
      return `The agent of ${gateway} was restarted ${when}`;
    case 'schema':
      return `The fields of the device changed ${when}`;
    case 'maintenance':
      return `Maintenance began or ended ${when}`;
    case 'threshold':
      return `Somebody's word on an alarm of the device moved its threshold ${when}`;
  }
}

function detailOf({ kind, what }: Change): string {
  const words = clean(what, 160);
  if (words === '') return '';
  return kind === 'threshold' ? `: called ${words}` : `: ${words}`;
}
