import { type Findings, noFindings, together } from '@edgeward/shared/audit/finding';
import type { AgentSide, CollectorSide } from '@edgeward/shared/audit/sides';
import { systemClock } from '@edgeward/shared/clock';
import { secret } from '@edgeward/shared/config';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { silentLogger } from '@edgeward/shared/log';
import { z } from 'zod';
import { auditSink, type SinkConfig } from '../sinks/index.js';
import { checkGaps } from './gap-check.js';
import { type JournalReader, openJournalReader } from './journal-reader.js';
import { checkLedger, takeStored } from './ledger-check.js';
import { checkSink, markOf, type ReadSink, readSink } from './sink-check.js';
import { Walk } from './walk.js';

/** Of a checked configuration. */
export const placeOfConfig = z.object({
  name: z.string(),
  dataDir: z.string(),
  api: z.object({ host: z.string(), port: z.number(), password: secret().optional() }),
  sinks: z.array(z.custom<SinkConfig>()),
});

/**
 * Reconciles agents, journal and sinks. Sinks are read before the journal: so it has all that they have, however busy
 * the collector is.
 */
export async function auditCollector(config: unknown, agents: readonly AgentSide[]): Promise<CollectorSide> {
  const place = placeOfConfig.parse(config);
  const sinks = await readSinks(place);
  try {
    await using reader = await openJournalReader(place);
    if (reader) return await audit(reader, agents, sinks.read, sinks.unknown);
    return nothing(`there is no journal in ${place.dataDir} yet`, agentsWithRows(agents));
  } catch (error) {
    if (!(error instanceof EdgewardError)) throw error;
    return nothing('collector: could not be looked into', [
      { kind: 'journal-unreadable', reason: messageOf(error) },
    ]);
  }
}

function nothing(source: string, unknown: Findings['unknown']): CollectorSide {
  return { ...noFindings, unknown, journal: '', position: 0, devices: [], sinks: [], source };
}

/** Without a journal nothing can be said of what they have delivered. */
function agentsWithRows(agents: readonly AgentSide[]): Findings['unknown'] {
  return agents
    .filter(({ stored }) => stored?.devices.some(({ read }) => read > 0))
    .map(({ gateway }) => ({
      kind: 'no-journal',
      gateway,
      reason: 'it has read rows, and there is no journal to ask for them',
    }));
}

async function readSinks({ name: collector, sinks }: z.output<typeof placeOfConfig>) {
  const read: ReadSink[] = [];
  const unknown: { kind: string; sink: string; reason: string }[] = [];
  for (const config of sinks) {
    const { name } = config;
    try {
      const audit = await auditSink(config, { name, collector, log: silentLogger, clock: systemClock });
      read.push(await readSink(name, audit));
    } catch (error) {
      unknown.push({ kind: 'sink-unreadable', sink: name, reason: messageOf(error) });
    }
  }
  return { read, unknown };
}

async function audit(
  { books, damage, source, blocks }: JournalReader,
  agents: readonly AgentSide[],
  sinks: readonly ReadSink[],
  unreadable: Findings['unknown'],
): Promise<CollectorSide> {
  const taken = takeStored(books, agents);
  const { devices, ...ledger } = checkLedger(books);
  const gaps = { unknown: [], ...checkGaps(books, agents) };
  const marks = sinks.map(read => markOf(books, read));
  const found = await new Walk(books, marks).run(blocks(0));
  const checked = sinks.map((read, i) => checkSink(books, read, marks[i]!));
  const broken = damage.map(reason => ({ kind: 'journal-damaged', reason: `journal: ${reason}` }));
  const journal = { ...noFindings, discrepancies: [...broken, ...found], unknown: unreadable };
  return {
    ...together(taken, ledger, gaps, journal, ...checked),
    journal: books.journal,
    position: books.position,
    devices: devices.map(({ closed: _, asOfMs: __, ...row }) => row),
    sinks: checked.map(({ side }) => side),
    source,
  };
}
