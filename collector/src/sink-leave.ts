/** What is told, and kept, of a sink that comes or goes while others do not. */
import type { Logger } from '@edgeward/shared/log';
import type { Journal } from './journal/journal.js';

interface Place {
  readonly journal: Journal;
  readonly log: Logger;
}

/** Nothing is left of it but what it had skipped. @throws what the journal throws; all is left then */
export async function forgetSink({ journal, log }: Place, name: string, why: string): Promise<void> {
  const position = journal.cursor(name) ?? 0;
  const behind = Math.max(0, journal.position - position);
  const waiting = behind - journal.gone.countWithin(position + 1, journal.position);
  const rest = waiting > 0 ? ` It had not stored the last ${waiting} blocks.` : '';
  await journal.tell('journal', `Sink ${name} ${why}: it stood at position ${position}.${rest}`, {
    sink: name,
    position,
    waiting,
  });
  await forgetPlace(journal, name);
  log.info({ sink: name, position, waiting }, `sink ${why}`);
}

/** The same without a word. @throws as above */
export function forgetPlace({ losses, sinkBook }: Journal, name: string): Promise<void> {
  return losses.forget(name, writes => sinkBook.forget(name, writes));
}

export async function tellStart({ journal, log }: Place, name: string): Promise<void> {
  const start = journal.sinkBook.get(name)?.start;
  if (!start) return;
  const { asked, position } = start;
  const from = asked === 'beginning' ? 'with what the journal has' : `at ${asked}`;
  await journal.tell('journal', `Sink ${name} was added: it starts ${from}, behind position ${position}.`, {
    sink: name,
    position,
  });
  log.info({ sink: name, asked, position }, 'sink added');
}
