/**
 * Notes to line protocol:
 *
 *   edgeward_incident,device=…,gateway=…,severity=…[,site=…],state=… id=…,title=…,score=…,… <µs>
 *   edgeward_event,gateway=…,kind=… text=…,details=… <µs>
 *
 * Changes of one millisecond must not overwrite each other: a note's number, modulo 1000, is its µs.
 */
import type { Note } from '@edgeward/shared/contracts';
import { tagText } from './heads.js';
import { quoted } from './names.js';
import { type Points, Request } from './points.js';

export function* noteRequests(notes: readonly Note[], maxBytes: number): Generator<Points> {
  const request = new Request(maxBytes);
  for (const note of notes) {
    const text = encodeNote(note);
    request.out.reserve(3 * text.length);
    request.begin(note);
    request.out.utf8(text);
    request.end(0);
    if (request.isFull) yield request.take();
  }
  if (request.size > 0) yield request.take();
}

/** With its newline. */
export function encodeNote(note: Note): string {
  const [tags, fields] = note.feed === 'incident' ? incident(note) : event(note);
  const given = Object.entries(fields).filter(([, value]) => value !== undefined);
  const text = given.map(([name, value]) => `${name}=${value}`).join(',');
  const us = Math.floor(note.atMs) * 1000 + (note.number % 1000);
  return `edgeward_${note.feed}${tagText(tags)} ${text} ${us}\n`;
}

type Tags = Readonly<Record<string, string>>;
/** As they are written. */
type Fields = Readonly<Record<string, string | undefined>>;

function incident({ gateway, device = '', value }: Note): [Tags, Fields] {
  const tags = {
    gateway,
    site: textOf(value.site) ?? '',
    device,
    severity: textOf(value.severity) ?? '',
    state: textOf(value.state) ?? '',
  };
  const fields = {
    id: string(value.id ?? ''),
    title: string(value.title),
    score: float(value.peakScore ?? value.score),
    threshold: float(value.threshold),
    rows: integer(value.rows),
    channels: string(channelsOf(value.channels)),
    detector: string(value.detector),
    source: string(value.source),
    type: string(value.deviceType),
    opened: integer(value.openedMs),
    closed: integer(value.closedMs),
  };
  return [tags, fields];
}

function event({ gateway, device, value }: Note): [Tags, Fields] {
  const tags = { gateway, kind: textOf(value.kind) ?? '' };
  const fields = {
    text: string(value.text ?? ''),
    details: string(value.details === undefined ? undefined : JSON.stringify(value.details)),
    device: string(device),
  };
  return [tags, fields];
}

/** Largest part first, as the incident has them. */
function channelsOf(channels: unknown): string | undefined {
  if (!Array.isArray(channels)) return undefined;
  const names = channels.map((channel: unknown) =>
    typeof channel === 'object' && channel !== null && 'field' in channel ? channel.field : channel,
  );
  return names.filter(name => typeof name === 'string').join(', ');
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

function string(value: unknown): string | undefined {
  return typeof value === 'string' ? quoted(value) : undefined;
}

function float(value: unknown): string | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined;
}

function integer(value: unknown): string | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? `${Math.round(value)}i` : undefined;
}
