/** Buttons of an incident: take it on, ask for quiet, say whether it was real. */
import type { Incident } from '../alerts/incident.js';
import { api, collectorNow } from './api.js';
import { h, type Part, setAttribute, setText } from './dom.js';
import { clock } from './format.js';

const muteMinutes = 60;

/** @param changed  what the collector answered */
export function handlingBar(id: string, changed: (incident: Incident) => void): Part<Incident> {
  const said = h('span', { class: 'said', role: 'status' });
  const button = (act: () => Promise<Incident>) => {
    const node = h('button', { type: 'button' });
    node.addEventListener('click', () => {
      node.disabled = true;
      setText(said, '');
      act()
        .then(changed)
        .catch((error: unknown) => setText(said, error instanceof Error ? error.message : String(error)))
        .finally(() => {
          node.disabled = false;
        });
    });
    return node;
  };
  let isMuted = false;
  const acknowledge = button(() => api.acknowledge(id));
  const mute = button(() => api.mute(id, isMuted ? 0 : muteMinutes));
  const [real, wrong] = [
    button(() => api.feedback(id, 'real')),
    button(() => api.feedback(id, 'false-alarm')),
  ];
  setText(real, 'It was real');
  setText(wrong, 'False alarm');
  setAttribute(
    wrong,
    'title',
    'Readings of this device must then be more unusual than these to raise an alarm',
  );
  return {
    node: h('div', { class: 'handling' }, acknowledge, mute, real, wrong, said),
    update: ({ handling = {} }) => {
      const { acknowledged, mutedUntilMs = 0, feedback } = handling;
      isMuted = mutedUntilMs > collectorNow();
      setText(acknowledge, acknowledged ? `Acknowledged by ${acknowledged.by}` : 'Acknowledge');
      setAttribute(acknowledge, 'aria-pressed', String(acknowledged !== undefined));
      setText(mute, isMuted ? `Muted until ${clock(mutedUntilMs)}: mail again` : 'No mails for an hour');
      setAttribute(mute, 'aria-pressed', String(isMuted));
      setAttribute(real, 'aria-pressed', String(feedback?.verdict === 'real'));
      setAttribute(wrong, 'aria-pressed', String(feedback?.verdict === 'false-alarm'));
    },
  };
}
