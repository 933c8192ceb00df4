import type { Incident, IncidentChannel } from '../alerts/incident.js';
import type { MailBody, NoticeBody } from '../views.js';
import type { FakeDevice, FakeRow } from './fake-plant.js';

export function openIncident(device: FakeDevice, row: FakeRow, n: number): Incident {
  const { gateway, device: name, kind } = device;
  const channels = evidenceOf(device, row);
  return {
    id: `inc-${gateway}-${name}-${n}`,
    gateway,
    site: 'north-hall',
    device: name,
    deviceType: kind.type,
    state: 'open',
    severity: channels.length > 2 ? 'critical' : 'warning',
    title: `${channels[0]?.field ?? 'value'} ${channels[0]?.direction ?? 'unusual'} on ${name}`,
    firstMs: row.time,
    openedMs: row.time + 1500,
    lastMs: row.time,
    closedMs: null,
    rows: 1,
    explainedRows: 1,
    peakScore: row.score,
    threshold: kind.threshold,
    detector: 'forest',
    source: `${kind.type}-r1`,
    model: `${kind.type}-r1`,
    channels,
    detectors: [
      {
        detector: 'forest',
        source: `${kind.type}-r1`,
        score: row.score,
        threshold: kind.threshold,
        explainedRows: 1,
        channels,
      },
    ],
    recommendations: [
      'Listen to the bearing and feel its housing: a dry bearing is hot and loud.',
      'Compare with the sister machine at the same load.',
      'If vibration stays above 7.1 mm/s, stop the machine (ISO 10816-3, zone D).',
    ],
    timeline: [
      { atMs: row.time, text: 'First flagged row' },
      { atMs: row.time + 1500, text: 'Opened: 5 of the last 8 rows were flagged' },
    ],
  };
}

export function updateIncident(incident: Incident, row: FakeRow): Incident {
  return {
    ...incident,
    lastMs: row.time,
    rows: incident.rows + 1,
    peakScore: Math.max(incident.peakScore, row.score),
  };
}

export function closeIncident(incident: Incident, atMs: number): Incident {
  const note = { atMs, text: 'Closed: no flagged row for 20 s' };
  return { ...incident, state: 'closed', closedMs: atMs, timeline: [...incident.timeline, note] };
}

/** The channels that moved most against their usual span. */
function evidenceOf(device: FakeDevice, row: FakeRow): IncidentChannel[] {
  const moved = device.kind.channels.map((one, i) => {
    const value = row.values[i] ?? null;
    const span = one.swing + 3 * one.noise;
    const away = value === null || span === 0 ? 0 : (value - one.base) / span;
    return { one, value, span, away };
  });
  const strongest = moved.sort((a, b) => Math.abs(b.away) - Math.abs(a.away)).slice(0, 4);
  const total = strongest.reduce((sum, { away }) => sum + Math.abs(away), 0) || 1;
  return strongest.map(({ one, value, span, away }) => ({
    field: one.name,
    value,
    expected: [one.base - span, one.base + span],
    direction: away > 0 ? 'high' : 'low',
    weight: Math.abs(away) / total,
    unit: one.unit ?? null,
    rows: 1,
    firstMs: row.time,
  }));
}

export function mailAbout(incident: Incident): MailBody {
  const rows = incident.channels.map(
    one => `<tr><td>${one.field}</td><td align="right">${one.value?.toFixed(2)} ${one.unit ?? ''}</td></tr>`,
  );
  return {
    id: `mail-${incident.id}`,
    incidentId: incident.id,
    createdMs: incident.openedMs,
    sentMs: null,
    state: 'kept',
    reason: 'No SMTP server is configured.',
    from: 'edgeward@plant.example',
    to: ['maintenance@plant.example'],
    subject: `[${incident.severity}] ${incident.device}: ${incident.title}`,
    text: `${incident.title}\n\n${incident.recommendations.join('\n')}\n`,
    html:
      '<div style="font-family:Arial,sans-serif;max-width:600px;margin:auto;padding:16px;color:#222">' +
      `<h2 style="border-left:4px solid #c0322b;padding-left:10px">${incident.title}</h2>` +
      `<p>Peak score ${incident.peakScore.toFixed(2)}, threshold ${incident.threshold}.</p>` +
      `<table cellpadding="6" style="border-collapse:collapse">${rows.join('')}</table>` +
      `<h3>What to do</h3><ol>${incident.recommendations.map(text => `<li>${text}</li>`).join('')}</ol></div>`,
  };
}

/** A webhook that does not answer now. */
export function noticeAbout(incident: Incident): NoticeBody {
  return {
    id: `${incident.id}-opened`,
    notifier: 'pager',
    type: 'webhook',
    event: 'opened',
    incidentId: incident.id,
    severity: incident.severity,
    title: incident.title,
    createdMs: incident.openedMs,
    sentMs: null,
    state: 'queued',
    reason: 'the server answered with HTTP status 503',
    attempts: 2,
    text: JSON.stringify({ type: 'incident.opened', data: { title: incident.title } }, null, 2),
  };
}
