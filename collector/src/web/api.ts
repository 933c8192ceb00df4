import type { Feedback } from '../alerts/handling.js';
import type { Incident } from '../alerts/incident.js';
import type {
  DemoAction,
  DemoState,
  DeviceView,
  NoticeBody,
  SeriesQuery,
  SeriesView,
  SinkLettersView,
  SinkPauseView,
  SinkReplayView,
} from '../views.js';

/** An answer that was not what was asked for, in the API's own words. */
export class ApiFailure extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

/** How far the collector's clock is ahead of this one, to about a second. */
let aheadMs = 0;

/** Now, by the collector's clock: ages stay right on a phone whose clock is wrong. */
export function collectorNow(): number {
  return Date.now() + aheadMs;
}

export const api = {
  devices: (of: { readonly gateway?: string; readonly device?: string } = {}) =>
    ask<readonly DeviceView[]>(`/api/devices?${new URLSearchParams(of)}`),
  incident: (id: string) => ask<Incident>(incidentAt(id)),
  notification: (notifier: string, id: string) =>
    ask<NoticeBody>(`/api/notifications/${encodeURIComponent(notifier)}/${encodeURIComponent(id)}`),
  acknowledge: (id: string) => ask<Incident>(`${incidentAt(id)}/acknowledge`, {}),
  mute: (id: string, minutes: number) => ask<Incident>(`${incidentAt(id)}/mute`, { minutes }),
  feedback: (id: string, verdict: Feedback) => ask<Incident>(`${incidentAt(id)}/feedback`, { verdict }),
  sinkLetters: (name: string, limit: number) =>
    ask<SinkLettersView>(`${sinkAt(name)}/dead-letters?limit=${limit}`),
  replaySink: (name: string) => ask<SinkReplayView>(`${sinkAt(name)}/dead-letters/replay`, {}),
  pauseSink: (name: string) => ask<SinkPauseView>(`${sinkAt(name)}/pause`, {}),
  resumeSink: (name: string) => ask<SinkPauseView>(`${sinkAt(name)}/resume`, {}),
  demo: () => ask<DemoState>('/api/demo'),
  act: (action: DemoAction) => ask<DemoState>('/api/demo', action),
  series: ({ gateway, device, fields, fromMs, toMs, maxPoints }: SeriesQuery) => {
    const query = new URLSearchParams({
      gateway,
      device,
      from: String(Math.max(1, Math.floor(fromMs))),
      to: String(Math.ceil(toMs)),
      points: String(maxPoints),
    });
    if (fields.length > 0) query.set('fields', fields.join(','));
    return ask<SeriesView>(`/api/series?${query}`);
  },
};

function incidentAt(id: string): string {
  return `/api/incidents/${encodeURIComponent(id)}`;
}

function sinkAt(name: string): string {
  return `/api/sinks/${encodeURIComponent(name)}`;
}

async function ask<Answer>(url: string, body?: unknown): Promise<Answer> {
  const response = await fetch(url, {
    headers: body === undefined ? {} : { 'content-type': 'application/json' },
    ...(body !== undefined && { method: 'POST', body: JSON.stringify(body) }),
  });
  const date = Date.parse(response.headers.get('date') ?? '');
  // The header has whole seconds: half a second is the best guess, and less than two is no news.
  if (!Number.isNaN(date)) {
    const ahead = date + 500 - Date.now();
    aheadMs = Math.abs(ahead) < 2000 ? 0 : ahead;
  }
  if (!response.ok) throw new ApiFailure(response.status, await messageOf(response));
  return response.json();
}

async function messageOf(response: Response): Promise<string> {
  try {
    const { error } = await response.json();
    return [error.message, error.remedy].filter(Boolean).join(' ');
  } catch {
    return `The collector answered ${response.status}.`;
  }
}
