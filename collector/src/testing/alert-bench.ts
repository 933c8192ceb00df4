/** An incident engine with its mails over a folder of its own, for tests. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import type { Cursor, Delivery, Evidence } from '@edgeward/shared/contracts';
import { silentLogger } from '@edgeward/shared/log';
import { FakeClock } from '@edgeward/shared/testing/fake-clock';
import type { Tracer } from '@edgeward/shared/trace/span';
import { AlertStore } from '../alerts/alert-store.js';
import { type AlertsConfig, alertsConfig } from '../alerts/config.js';
import type { Diagnose } from '../alerts/diagnosing.js';
import { IncidentEngine } from '../alerts/engine.js';
import { type MailConfig, mailConfig } from '../notifiers/config.js';
import { MailQueue } from '../notifiers/mail-queue.js';
import type { Topology } from '../topology/topology.js';
import { IncidentSpans } from '../trace/incident-spans.js';
import { MailSpans } from '../trace/mail-spans.js';
import { cursorAfter, type RowSpec } from './deliveries.js';

export interface BenchOptions {
  readonly directory?: string;
  readonly clock?: FakeClock;
  readonly alerts?: Partial<AlertsConfig>;
  readonly mail?: Partial<MailConfig>;
  readonly store?: AlertStore;
  readonly tracer?: Tracer;
  readonly diagnose?: Diagnose;
  readonly topology?: Topology;
  readonly siteOf?: (gateway: string) => string | null;
}

const cleanups = new WeakMap<TestContext, (() => PromiseLike<unknown>)[]>();

/** Like `t.after`, but the last first: stores close before their folders go. */
export function afterwards(t: TestContext, cleanup: () => PromiseLike<unknown>): void {
  const known = cleanups.get(t);
  if (known) return void known.unshift(cleanup);
  const all = [cleanup];
  cleanups.set(t, all);
  t.after(async () => {
    for (const one of all) await one();
  });
}

export async function temporaryFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(path.join(tmpdir(), 'edgeward-alerts-'));
  afterwards(t, () => rm(folder, { recursive: true, force: true }));
  return folder;
}

const never = new AbortController().signal;

/** What one collector process has of incidents and mails. */
export class AlertBench implements AsyncDisposable {
  readonly clock: FakeClock;
  readonly engine: IncidentEngine;
  readonly mails: MailQueue;
  readonly store: AlertStore;
  #cursor: Cursor | undefined;

  private constructor(directory: string, options: BenchOptions) {
    const log = silentLogger;
    this.clock = options.clock ?? new FakeClock();
    this.store = options.store ?? new AlertStore({ directory: path.join(directory, 'incidents'), log });
    const mail = mailConfig.parse({
      from: 'Edgeward <edgeward@plant.example>',
      to: ['shift@plant.example'],
      ...options.mail,
    });
    const parts = { store: this.store, log, clock: this.clock };
    const { tracer } = options;
    const spans = tracer && new MailSpans(tracer, this.clock);
    this.mails = new MailQueue({ ...parts, config: mail, spans });
    this.engine = new IncidentEngine({
      ...parts,
      mails: this.mails,
      spans: tracer && new IncidentSpans(tracer, this.clock),
      config: alertsConfig.parse(options.alerts ?? {}),
      siteOf: options.siteOf ?? (() => 'north'),
      ...(options.topology && { topology: options.topology }),
      ...(options.diagnose && { diagnose: options.diagnose }),
    });
  }

  static async open(t: TestContext, options: BenchOptions = {}): Promise<AlertBench> {
    const bench = new AlertBench(options.directory ?? (await temporaryFolder(t)), options);
    bench.#cursor = await bench.engine.cursor();
    afterwards(t, () => bench[Symbol.asyncDispose]());
    return bench;
  }

  /** Last position it has stored. */
  get position(): number {
    return this.#cursor?.position ?? 0;
  }

  /** Writes them as one group, as the journal's consumer would, and retries never. */
  async feed(...deliveries: Delivery[]): Promise<void> {
    const after = cursorAfter(deliveries, 'journal-1', this.#cursor);
    await this.engine.write(deliveries, after, never);
    this.#cursor = after;
  }

  /** So much later, and without rows, with a tick a second: what waited for the clock is done. */
  async later(ms = 3000): Promise<void> {
    for (let left = ms; left > 0; left -= 1000) {
      await this.clock.advance(Math.min(left, 1000));
      await this.engine.tick(this.clock.now());
    }
  }

  /** Oldest first. */
  mailIds(): string[] {
    return this.mails
      .list(10_000)
      .map(mail => mail.id)
      .reverse();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine[Symbol.asyncDispose]();
    await this.store[Symbol.asyncDispose]();
  }

  /** Gone without a word, as after kill -9: what waits to be saved is lost. */
  async kill(): Promise<void> {
    await this.store[Symbol.asyncDispose]();
  }
}

/** A blocked valve as the forest sees it. */
export function forestFlag(score = 0.72): Omit<Evidence, 'at'> {
  return {
    detector: 'forest',
    source: 'pump-3',
    score,
    threshold: 0.62,
    channels: [
      { field: 'discharge_pressure', value: 8.4321, expected: [3.9, 5.1], direction: 'high', weight: 0.6 },
      { field: 'flow', value: 3.1, expected: [18, 32], direction: 'low', weight: 0.3 },
    ],
  };
}

export function ruleFlag(score = 1): Omit<Evidence, 'at'> {
  return {
    detector: 'rule',
    source: 'overpressure',
    score,
    threshold: 1,
    channels: [{ field: 'discharge_pressure', value: 9, direction: 'high', weight: 1 }],
  };
}

/** `.` is a quiet row, `x` a flagged one. */
export function pattern(device: string, marks: string, flag = forestFlag()): RowSpec[] {
  return [...marks].map(mark => (mark === 'x' ? { device, flag } : { device }));
}
