/** Mails as they would be sent, for `edgeward mail --preview`; no numbers of a real plant. */
import type { Incident, IncidentChannel } from '../alerts/incident.js';
import type { Diagnosis } from '../diagnosis/diagnosis.js';
import type { MailKind, Told } from './mail.js';
import type { Plot } from './plot.js';

export interface Sample {
  readonly name: string;
  readonly kind: MailKind;
  readonly incident: Incident;
  readonly told?: Told;
  readonly plot?: Plot;
}

const beganMs = Date.UTC(2026, 10, 21, 11, 36, 2);
const secondMs = 1000;

const channels: readonly IncidentChannel[] = [
  channel('dischargePressure', 'bar', 8.43, [3.9, 5.1], 'high', 0.55),
  channel('flow', 'm3/h', 3.1, [35.2, 40.8], 'low', 0.31),
  channel('motorCurrent', 'A', 9.87, [12.2, 14.9], 'low', 0.12),
];

const diagnosis: Diagnosis = {
  atMs: beganMs + 14 * secondMs,
  verdict: 'likely',
  causes: [
    {
      id: 'pump-blocked-discharge',
      cause: 'Blockage or closed valve behind the pump',
      component: 'discharge valve',
      severity: 'critical',
      probability: 0.81,
      evidence: ['E1', 'E2'],
      against: [],
      actions: [],
    },
    {
      id: 'pump-worn-impeller',
      cause: 'Worn impeller',
      component: 'impeller',
      severity: 'warning',
      probability: 0.09,
      evidence: ['E2', 'E3'],
      against: ['E1'],
      actions: [],
    },
  ],
  unknown: 0.1,
  agreed: 2,
  evidence: [
    item('E1', 'dischargePressure is high: 8.43 bar, 3.9 – 5.1 bar before, since 11:36:02 UTC'),
    item('E2', 'flow is low: 3.1 m³/h, 35.2 – 40.8 m³/h before, since 11:36:02 UTC'),
    item('E3', 'motorCurrent is low: 9.87 A, 12.2 – 14.9 A before, since 11:36:04 UTC'),
  ],
};

const blocked: Incident = {
  id: 'inc-0123456789abcdef',
  gateway: 'pump-station-1',
  site: 'north',
  device: 'pump-1',
  deviceType: 'pump',
  state: 'open',
  severity: 'critical',
  title: 'pump-1: dischargePressure high, flow low',
  firstMs: beganMs,
  openedMs: beganMs + 2 * secondMs,
  lastMs: beganMs + 14 * secondMs,
  closedMs: null,
  rows: 13,
  explainedRows: 13,
  peakScore: 0.78,
  threshold: 0.5,
  detector: 'forest',
  source: 'pump-5',
  model: 'pump-5',
  channels,
  detectors: [],
  recommendations: [
    'Look for a blockage downstream: is the discharge valve open, the filter or strainer clean?',
    'Reduce speed or stop the pump before it runs against a closed line for long: it overheats.',
  ],
  timeline: [
    { atMs: beganMs + 2 * secondMs, text: 'Opened: 3 flagged rows among the last 8' },
    {
      atMs: beganMs + 2 * secondMs,
      text: 'Most likely cause: Blockage or closed valve behind the pump (81 %)',
    },
  ],
  diagnosis,
};

const closed: Incident = {
  ...blocked,
  state: 'closed',
  rows: 410,
  lastMs: beganMs + 409 * secondMs,
  closedMs: beganMs + 430 * secondMs,
  timeline: [
    ...blocked.timeline,
    { atMs: beganMs + 430 * secondMs, text: 'Closed: no flagged row for 20 s' },
  ],
  wording: {
    text: 'The pump runs against a closed line: pressure behind it rose while flow fell in the same second (E1, E2).\n\nOpen the discharge valve before the pump overheats.',
    model: 'example-model',
  },
};

const { diagnosis: _, ...undiagnosed } = blocked;

/** What people and machines may put into names; all of it has to come out as plain words. */
const weird: Incident = {
  ...undiagnosed,
  id: 'inc-00000000000000aa',
  severity: 'warning',
  site: 'Halle „Süd“ <b>2</b>',
  gateway: "gw'; DROP TABLE\r\nBcc: all@example.com",
  device: 'Насос №3 \u202egnp.exe',
  deviceType: '{{constructor}} <%= 7*7 %>',
  title: '<img src=x onerror=alert(1)>: Druck & Temperatur high',
  rows: 3,
  channels: [
    channel('Druck <script>', 'm³/h" onload="x', 8.43, [3.9, 5.1], 'high', 0.6),
    channel('https://evil.example/?a=b&c=d', '‮rab', -3.1e-7, [0, 1e-9], 'low', 0.4),
  ],
  recommendations: ['Look at the plot of the named channels and compare with a sister machine.'],
  timeline: [
    { atMs: beganMs + 2 * secondMs, text: 'Opened by rule <a href="//evil.example">: 3 flagged rows' },
  ],
};

const unknown: Incident = {
  ...blocked,
  id: 'inc-00000000000000bb',
  severity: 'warning',
  diagnosis: {
    ...diagnosis,
    verdict: 'unknown',
    unknown: 0.83,
    causes: diagnosis.causes.slice(0, 1).map(cause => ({ ...cause, probability: 0.1 })),
    evidence: diagnosis.evidence.slice(0, 2),
  },
  recommendations: ['Look at the plot of the named channels and compare with a sister machine.'],
  timeline: blocked.timeline.slice(0, 1),
};

/** Ten minutes on, with what came in beside the channels' own signs. */
const renamedCause: Incident = {
  ...blocked,
  rows: 41,
  lastMs: beganMs + 40 * secondMs,
  diagnosis: {
    ...diagnosis,
    atMs: beganMs + 40 * secondMs,
    likelyLooks: 2,
    causes: diagnosis.causes.map((cause, i) =>
      i === 0 ? { ...cause, evidence: ['E1', 'E2', 'E4'] } : cause,
    ),
    evidence: [
      ...diagnosis.evidence,
      {
        ...item(
          'E4',
          'Like an incident of this device of 3 Mar 2026: Blockage or closed valve behind the pump (likely then), ' +
            'called real, over after 12 min',
        ),
        kind: 'past',
        incident: 'inc-00000000000000cc',
      },
      {
        ...item('E5', 'The configuration of pump-station-1 changed 4 min before it began: sources'),
        kind: 'change',
      },
    ],
  },
};

/** One of each kind. */
export const samples: readonly Sample[] = [
  { name: 'opened', kind: 'opened', incident: blocked, plot: plotAfter(14) },
  { name: 'critical', kind: 'critical', incident: blocked, plot: plotAfter(40) },
  {
    name: 'update',
    kind: 'update',
    incident: renamedCause,
    told: { verdict: 'possible', id: 'pump-worn-impeller', cause: 'Worn impeller' },
    plot: plotAfter(40),
  },
  { name: 'closed', kind: 'closed', incident: closed, plot: plotAfter(430) },
  { name: 'unknown', kind: 'opened', incident: unknown, plot: plotAfter(14) },
  { name: 'weird-names', kind: 'opened', incident: weird, plot: renamed(plotAfter(14), weird) },
];

function channel(
  field: string,
  unit: string,
  value: number,
  expected: readonly [number, number],
  direction: 'high' | 'low',
  weight: number,
): IncidentChannel {
  return { field, unit, value, expected, direction, weight, rows: 13, firstMs: beganMs };
}

function item(id: string, text: string) {
  return { id, text, device: 'pump-1' };
}

/** Two minutes before the valve closes, and so many seconds after. */
function plotAfter(seconds: number): Plot {
  const offsets = Array.from({ length: 120 + seconds }, (_, i) => i - 120);
  const isOver = (s: number) => s > 409;
  const shapes: ((s: number) => number)[] = [
    s => (s < 0 || isOver(s) ? 4.5 : 8.4) + 0.2 * Math.sin(s / 7),
    s => (s < 0 || isOver(s) ? 38 : 3.2) + Math.sin(s / 5),
    s => (s < 2 || isOver(s) ? 13.5 : 9.9) + 0.4 * Math.sin(s / 9),
  ];
  return {
    firstMs: beganMs,
    time: offsets.map(s => beganMs + s * secondMs),
    flagged: offsets.map(s => s >= 0 && !isOver(s)),
    panels: channels.map(({ field, unit, expected }, i) => ({
      name: field,
      unit,
      expected,
      limit: undefined,
      // The last digits move like a sensor's noise, and the same in every run.
      values: offsets.map(s => shapes[i]!(s) * (1 + 0.004 * Math.sin(s * s))),
    })),
  };
}

function renamed(plot: Plot, incident: Incident): Plot {
  const panels = incident.channels.map(({ field, unit }, i) => ({ ...plot.panels[i]!, name: field, unit }));
  return { ...plot, panels };
}
