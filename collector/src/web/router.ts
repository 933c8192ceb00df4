import { deviceView } from './device-view.js';
import { eventsView } from './events-view.js';
import { fleetView } from './fleet-view.js';
import { incidentView } from './incident-view.js';
import { incidentsView } from './incidents-view.js';
import { ledgerView } from './ledger-view.js';
import { mailsView } from './mails-view.js';
import { pipelineDeviceView } from './pipeline-device-view.js';
import { pipelineView } from './pipeline-view.js';
import { sinksView } from './sinks-view.js';
import type { OpenView } from './view.js';

/** First part of the address → view, and the entry of the navigation it belongs to. */
const routes: Readonly<Record<string, { readonly open: OpenView; readonly entry: string }>> = {
  fleet: { open: fleetView, entry: 'fleet' },
  device: { open: deviceView, entry: 'fleet' },
  incidents: { open: incidentsView, entry: 'incidents' },
  incident: { open: incidentView, entry: 'incidents' },
  mails: { open: mailsView, entry: 'mails' },
  mail: { open: mailsView, entry: 'mails' },
  ledger: { open: ledgerView, entry: 'ledger' },
  sinks: { open: sinksView, entry: 'sinks' },
  pipeline: {
    open: (store, parts) => (parts[0] ? pipelineDeviceView : pipelineView)(store, parts),
    entry: 'pipeline',
  },
  events: { open: eventsView, entry: 'events' },
};

export interface Route {
  readonly open: OpenView;
  readonly entry: string;
  readonly parameters: readonly string[];
}

/** `#/device/gw-1/pump-1`; anything unknown is the fleet. */
export function routeOf(hash: string): Route {
  const [first = '', ...rest] = hash.replace(/^#\/?/, '').split('/');
  const { open, entry } = (Object.hasOwn(routes, first) ? routes[first] : undefined) ?? {
    open: fleetView,
    entry: 'fleet',
  };
  return { open, entry, parameters: rest.map(decode) };
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
