/** How the demo ends: in order, with the count. */
import type { CommandIo } from '@edgeward/shared/command';
import type { SinkState } from './collector-client.js';
import type { Director } from './director.js';
import { type DemoReport, demoReport, faultWasFound, type SinkSummary, sinksHaveAll } from './report.js';
import type { StatusLine } from './terminal.js';

/** Agents first, so that all they hold is received; then the ledger is read; then the collector. */
export async function finish(
  director: Director,
  options: { readonly json: boolean; readonly sinks: readonly object[] },
  firstRowMs: number | null,
  screen: StatusLine,
  io: CommandIo,
): Promise<number> {
  screen.status(['Stopping: agents hand over what they hold …']);
  const codes = await director.stopAgents();
  const { client } = director;
  const ledger = await client.ledger();
  const incidents = (await client.incidents()) ?? [];
  const mails = (await client.mails()) ?? [];
  const sinks = options.sinks.length > 0 ? await caughtUp(director, screen) : [];
  codes.push(await director.stopCollector());
  screen.end();
  const report = demoReport(ledger, incidents, mails, firstRowMs, sinks);
  if (options.json) io.stdout.write(`${JSON.stringify(report)}\n`);
  else io.stdout.write(`${summary(report)}\n`);
  const ended = codes.every(code => code === 0) && sinksHaveAll(report);
  if (!options.json) return ended ? 0 : 1;
  return report.balanced && faultWasFound(director.injected, incidents) && ended ? 0 : 1;
}

/** Kafka and InfluxDB, once they have all that the journal has, or after a while. */
async function caughtUp({ client }: Director, screen: StatusLine): Promise<readonly SinkState[]> {
  screen.status(['Stopping: sinks store what they have not …']);
  const deadline = performance.now() + 20_000;
  for (;;) {
    const sinks = ((await client.sinks()) ?? []).filter(({ name }) => ['kafka', 'influxdb'].includes(name));
    if (performance.now() > deadline || sinks.every(({ lag }) => lag.blocks === 0)) return sinks;
    await new Promise(resolve => setTimeout(resolve, 100));
  }
}

function summary(report: DemoReport): string {
  const read = report.gateways.reduce((sum, gateway) => sum + gateway.read, 0);
  const stored = report.gateways.reduce((sum, gateway) => sum + gateway.stored, 0);
  const verdict = report.balanced ? 'the ledger balances' : 'THE LEDGER DOES NOT BALANCE';
  return `${read} rows read, ${stored} stored, ${report.incidents} incidents, ${report.mails} mails; ${verdict}.${(report.sinks ?? []).map(storedBy).join('')}`;
}

function storedBy({ name, rowsStored, lagBlocks, deadLetterRows, lostRows, failure }: SinkSummary): string {
  const lacks = [
    lagBlocks > 0 && `${lagBlocks} BLOCKS YET TO STORE`,
    deadLetterRows > 0 && `${deadLetterRows} ROWS REFUSED`,
    lostRows > 0 && `${lostRows} ROWS LOST`,
    failure,
  ].filter(Boolean);
  return `\n${[`${name}: ${rowsStored} rows stored`, ...lacks].join('; ')}.`;
}
