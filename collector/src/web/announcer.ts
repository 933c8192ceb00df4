import type { Incident } from '../alerts/incident.js';
import { byId, h, setText } from './dom.js';
import { severityMark } from './incident-parts.js';

const shownMs = 12_000;
const maxToasts = 3;

/** Says a new incident once: to screen readers, and as a note that goes away by itself and takes no focus. */
export function announceIncident(incident: Incident): void {
  const { device, gateway, severity, title } = incident;
  setText(byId('announce', HTMLElement), `New ${severity} incident: ${title}, ${device} on ${gateway}`);
  const toasts = byId('toasts', HTMLElement);
  const link = h('a', { href: `#/incident/${encodeURIComponent(incident.id)}` }, title);
  const toast = h('div', { class: `toast ${severity}` }, severityMark(incident), link);
  toasts.append(toast);
  while (toasts.children.length > maxToasts) toasts.firstElementChild?.remove();
  setTimeout(() => toast.remove(), shownMs);
}
