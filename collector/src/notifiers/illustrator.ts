/**
 * Draws the charts of queued mails, one after the other. A mail waits for its chart, but not long: it goes without one
 * rather than late. The chart is stored beside the mail, so that a second try sends the same picture.
 */
import type { Clock } from '@edgeward/shared/contracts';
import type { ChartMaker } from './charts.js';
import type { MailQueue } from './mail-queue.js';

/** For one chart. */
const withinMs = 2000;
/** A mail that is to be sent waits so long altogether, also behind others in a storm. */
const mailWaitsMs = 3500;

export interface IllustratorOptions {
  readonly queue: MailQueue;
  readonly charts: ChartMaker;
  readonly clock: Clock;
}

/** Until `stop`. */
export async function illustrate(
  { queue, charts, clock }: IllustratorOptions,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    const mail = queue.undrawn();
    if (!mail?.plot) {
      await queue.queued.wait(stop);
      continue;
    }
    const { state, createdMs } = mail.view;
    const left = state === 'queued' ? createdMs + mailWaitsMs - clock.now() : withinMs;
    const chart = left > 0 ? await charts.chartOf(mail.plot, Math.min(withinMs, left)) : undefined;
    await queue.drawn(mail.view.id, chart);
  }
}
