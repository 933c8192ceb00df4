import type { GatewayLedger, IncidentSummary, Ledger, MailSummary, SinkState } from './collector-client.js';

/** What a sink has, and what it lacks. */
export interface SinkSummary {
  readonly name: string;
  readonly rowsStored: number;
  readonly lagBlocks: number;
  readonly deadLetterRows: number;
  readonly lostRows: number;
  /** Why its last write failed. */
  readonly failure: string | null;
}

/** What a headless demo prints at its end. */
export interface DemoReport {
  readonly gateways: readonly Omit<GatewayLedger, 'balanced'>[];
  readonly incidents: number;
  readonly mails: number;
  /** From the command to the first journaled row. */
  readonly firstRowMs: number | null;
  readonly balanced: boolean;
  /** Kafka and InfluxDB, where they were asked for. */
  readonly sinks?: readonly SinkSummary[];
}

export function demoReport(
  ledger: Ledger | undefined,
  incidents: readonly IncidentSummary[],
  mails: readonly MailSummary[],
  firstRowMs: number | null,
  sinks: readonly SinkState[],
): DemoReport {
  const gateways = (ledger?.gateways ?? []).map(countsOf);
  // The equation once more, from the very numbers that are printed.
  const sums = gateways.every(
    g => g.read === g.stored + g.inFlight + g.rejected + g.thinned + g.dropped + g.damaged,
  );
  const balanced = gateways.length > 0 && sums && ledger?.balanced === true;
  const counts = { incidents: incidents.length, mails: mails.length };
  return {
    gateways,
    ...counts,
    firstRowMs,
    balanced,
    ...(sinks.length > 0 && { sinks: sinks.map(sinkSummary) }),
  };
}

function sinkSummary({ name, stored, lag, deadLetters, lostRows, failure }: SinkState): SinkSummary {
  const has = { name, rowsStored: stored.rows, lagBlocks: lag.blocks };
  return { ...has, deadLetterRows: deadLetters.rows, lostRows, failure: failure?.text ?? null };
}

/** All that was received is in every sink. */
export function sinksHaveAll({ sinks = [] }: Pick<DemoReport, 'sinks'>): boolean {
  return sinks.every(sink => sink.lagBlocks + sink.deadLetterRows + sink.lostRows === 0);
}

/** What is promised, and nothing that the API says besides. */
function countsOf({ id, read, stored, inFlight, rejected, thinned, dropped, damaged }: GatewayLedger) {
  return { id, read, stored, inFlight, rejected, thinned, dropped, damaged };
}

/** Did a fault we made become an incident of the device it was made in, after it was made? */
export function faultWasFound(
  injected: readonly { gateway: string; device: string; atMs: number }[],
  incidents: readonly IncidentSummary[],
): boolean {
  return injected.some(fault =>
    incidents.some(
      ({ gateway, device, openedMs }) =>
        gateway === fault.gateway && device === fault.device && openedMs >= fault.atMs,
    ),
  );
}
