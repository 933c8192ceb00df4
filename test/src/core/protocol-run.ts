/** Plays one plan from the first read to the last receipt. @see protocol-oracle.ts for what must hold at the end */
import { mock } from 'node:test';
import type { Rng } from '@edgeward/shared/contracts';
import { seededRng, subSeed } from '@edgeward/shared/rng';
import type { Fate, MemoryCall } from '@edgeward/shared/testing/memory-disk';
import { AgentModel, type Death } from './protocol-agent.js';
import { CollectorModel } from './protocol-collector.js';
import { Network } from './protocol-network.js';
import { type Found, Oracle } from './protocol-oracle.js';
import type { Event, Plan, Step } from './protocol-schedule.js';
import { takeTimers, turn, VirtualClock } from './protocol-time.js';

export interface Trouble {
  readonly whose: 'agent' | 'collector';
  /** Number of the call that goes wrong. */
  readonly call: number;
  readonly fate: Fate;
  readonly death: Death;
}

export interface Outcome {
  /** What went wrong, in sentences; empty = nothing. */
  readonly wrong: readonly string[];
  /** Calls to the disks of the first agent and of the collector. */
  readonly calls: { readonly agent: number; readonly collector: number };
  readonly readings: number;
}

const stepMs = 250;
const stepsAReport = 120;
/** Receipts time out after 2 s to 60 s, links are tried again after up to 15 s. */
const maxHealMs = 400_000;

let clockOfNow: VirtualClock | undefined;

/** Timers and chance belong to the run: call it once before all runs. @returns what takes it back */
export function takeOver(): () => void {
  const giveBack = takeTimers(() => clockOfNow!);
  return () => {
    giveBack();
    mock.restoreAll();
  };
}

export async function run(plan: Plan, trouble?: Trouble): Promise<Outcome> {
  const chance = mock.method(Math, 'random', seededRng(subSeed(plan.seed, 'chance')));
  try {
    return await new World(plan, trouble).play();
  } finally {
    chance.mock.restore();
  }
}

class World {
  readonly #plan: Plan;
  readonly #clock = new VirtualClock();
  readonly #oracle = new Oracle(this.#clock);
  readonly #network: Network;
  readonly #agents: readonly AgentModel[];
  readonly #collector: CollectorModel;
  /** Calls that are still to fail, by whose. */
  readonly #failing = new Map<number | 'collector', { calls: number; late: boolean }>();
  readonly #trouble: Trouble | undefined;
  #healed = false;

  constructor(plan: Plan, trouble: Trouble | undefined) {
    clockOfNow = this.#clock;
    this.#plan = plan;
    this.#trouble = trouble;
    const [clock, oracle] = [this.#clock, this.#oracle];
    const network = new Network(clock, this.#rng('network'), plan.network);
    this.#network = network;
    const collector = { traits: plan.collector, network, oracle, clock, rng: this.#rng('collector') };
    this.#collector = new CollectorModel({
      ...collector,
      fateOf: (n, call) => this.#fate('collector', n, call),
    });
    this.#agents = plan.agents.map((traits, i) => {
      const fateOf = (n: number, call: MemoryCall) => this.#fate(i, n, call);
      return new AgentModel({
        gateway: `gw-${i + 1}`,
        traits,
        network,
        oracle,
        clock,
        rng: this.#rng(`agent${i}`),
        fateOf,
      });
    });
    if (trouble?.whose === 'agent') this.#agents[0]!.nextDeath = trouble.death;
    if (trouble?.whose === 'collector') this.#collector.nextDeath = trouble.death;
  }

  async play(): Promise<Outcome> {
    await this.#start();
    for (const { event, thenMs } of this.#plan.steps) {
      if (event.is === 'check') await this.#heal();
      else this.#happen(event);
      await this.#pass(thenMs);
      if (this.#oracle.wrong.length) break;
    }
    await this.#heal();
    const calls = { agent: this.#agents[0]!.disk.calls, collector: this.#collector.disk.calls };
    return { wrong: this.#oracle.wrong, calls, readings: this.#oracle.readings.size };
  }

  #rng(name: string): Rng {
    return seededRng(subSeed(this.#plan.seed, name));
  }

  async #start(): Promise<void> {
    void this.#collector.start();
    for (const agent of this.#agents) void agent.start();
    await this.#pass(100);
  }

  #happen(event: Event): void {
    const agent = 'agent' in event ? this.#agents[event.agent]! : undefined;
    if (event.is === 'poll') agent!.poll(event.rows);
    else if (event.is === 'push') agent!.push(event.rows, event.anomalous);
    else if (event.is === 'file') agent!.file(event.rows);
    else if (event.is === 'reject') agent!.reject(event.rows);
    else if (event.is === 'report') agent!.report();
    else if (event.is === 'break') this.#network.break(`gw-${event.agent + 1}`);
    else if (event.is === 'stall') this.#network.stall(`gw-${event.agent + 1}`, event.forMs);
    else if (event.is === 'part') this.#network.part(event.forMs);
    else if (event.is === 'replay') this.#network.replay(event.blocks);
    else if (event.is === 'sink') this.#collector.sink.failing = event.failing;
    else if (event.is === 'fail') this.#failing.set(event.whose, { calls: event.calls, late: event.late });
    else this.#end(event);
  }

  #end(event: Event): void {
    if (event.is === 'agent') {
      const agent = this.#agents[event.agent]!;
      if (event.how === 'stop') void agent.stop(event.downMs);
      else agent.die(event.how, event.downMs);
    }
    if (event.is !== 'collector') return;
    if (event.how === 'stop') void this.#collector.stop(event.downMs);
    else if (event.how === 'forget') this.#collector.forget(event.downMs);
    else this.#collector.die(event.how, event.downMs);
  }

  #fate(whose: number | 'collector', n: number, call: MemoryCall): Fate {
    const trouble = this.#trouble;
    const isTroubled = trouble?.whose === 'collector' ? whose === 'collector' : whose === 0;
    if (trouble && isTroubled && trouble.call === n) return trouble.fate;
    const failing = this.#failing.get(whose);
    if (this.#healed || !failing || failing.calls === 0 || call === 'close') return 'ok';
    failing.calls -= 1;
    return failing.late ? 'fail-late' : 'fail';
  }

  /** A journal whose write failed looks for its ballast on the real disk before it opens again. */
  async #pass(ms: number): Promise<void> {
    await this.#clock.advance(ms);
    for (let i = 0; this.#collector.disk.broken && i < 1000; i++) await turn();
  }

  /** All faults end; then everything must come to rest, and the books must balance. */
  async #heal(): Promise<void> {
    this.#healed = true;
    const { traits } = this.#network;
    this.#network.heal();
    this.#collector.sink.failing = 0;
    await this.#rest();
    for (const agent of this.#agents) agent.report();
    await this.#heard(this.#clock.now());
    await this.#pass(2 * this.#plan.network.maxDelayMs + 500);
    await this.#rest();
    this.#check();
    this.#network.traits = traits;
    this.#collector.sink.failing = this.#plan.collector.sinkFailing;
    this.#healed = false;
    this.#failing.clear();
  }

  async #rest(): Promise<void> {
    const fromMs = this.#clock.monotonic();
    while (!this.#isIdle() && this.#clock.monotonic() - fromMs < maxHealMs) await this.#pass(stepMs);
    if (!this.#isIdle()) this.#oracle.say(`does not come to rest: ${this.#unrest()}`);
  }

  /** Until every report since then is taken: a link that has stalled still holds some up. */
  async #heard(sinceMs: number): Promise<void> {
    const fromMs = this.#clock.monotonic();
    const missing = () =>
      this.#agents.filter(({ gateway }) => !(this.#collector.heardMs(gateway) >= sinceMs));
    while (missing().length && this.#clock.monotonic() - fromMs < maxHealMs) {
      for (let i = 0; i < stepsAReport && missing().length; i++) await this.#pass(stepMs);
      // As agents do: one report may go down with a collector that had just taken it from the broker.
      for (const agent of missing()) agent.report();
    }
    for (const { gateway } of missing()) this.#oracle.say(`the report of ${gateway} is not taken`);
  }

  #isIdle(): boolean {
    return this.#collector.isIdle && this.#agents.every(agent => agent.isIdle);
  }

  #unrest(): string {
    const agents = this.#agents.map(({ outbox }) => {
      const report = outbox?.report();
      return report
        ? `${report.outbox.blocks} blocks, held ${JSON.stringify(report.devices.flatMap(({ held }) => held))}`
        : 'down';
    });
    return `collector ${this.#collector.isIdle ? 'idle' : 'busy'}, agents ${agents.join('; ')}`;
  }

  #check(): void {
    const { collector } = this.#plan;
    const { sink } = this.#collector;
    // A sink that receipts wait for must have all by itself; what a journal had that is lost, the sink may have.
    const found = collector.receiptAfter === 'sink' ? sink.found : this.#collector.found();
    const ids = new Set([...found, ...sink.found].map(({ id }) => id));
    this.#oracle.settle(found, this.#counted(), ids);
    this.#checkOrder(found);
    for (const [i, agent] of this.#agents.entries()) {
      const missing = agent.linesRead().filter(id => !ids.has(id));
      if (missing.length > this.#countedOf(agent) + this.#earlierOf(agent.gateway))
        this.#oracle.say(
          `gw-${i + 1}: the saved position is past lines that are nowhere: ${missing.slice(0, 8)}`,
        );
    }
    this.#checkLedger();
    for (const { outbox, gateway } of this.#agents) {
      const { blocks, bytes } = outbox?.report().outbox ?? { blocks: 0, bytes: 0 };
      if (bytes !== 0) this.#oracle.say(`${gateway}: ${bytes} bytes in ${blocks} blocks at rest`);
    }
  }

  /** Where old blocks come again, or a journal begins anew, no order is promised; nor behind what a broker dropped. */
  #checkOrder(found: readonly Found[]): void {
    const isStirred = ({ event }: Step) =>
      event.is === 'replay' || (event.is === 'collector' && event.how === 'forget');
    if (this.#plan.network.duplicates > 0 || this.#plan.steps.some(isStirred)) return;
    for (const [i, { replay }] of this.#plan.agents.entries()) {
      const { gateway } = this.#agents[i]!;
      if (replay === 'inOrder' && !this.#network.dropped.has(gateway))
        this.#oracle.inOrder(found.filter(one => one.gateway === gateway));
    }
  }

  #checkLedger(): void {
    const ledger = this.#collector.ledger;
    for (const row of ledger?.devices ?? [])
      if (!row.balanced) this.#oracle.say(`the ledger does not balance: ${JSON.stringify(row)}`);
    if (ledger) {
      const stored = ledger.devices.reduce((sum, row) => sum + row.stored, 0);
      const rows = this.#collector.found().length;
      if (stored !== rows)
        this.#oracle.say(`the ledger says ${stored} rows are stored, the disk has ${rows}`);
    }
  }

  /** Rows given up by their agents, by gateway and device. */
  #counted(): Map<string, number> {
    const counted = new Map<string, number>();
    for (const [i, { outbox }] of this.#agents.entries())
      for (const { device, thinned, dropped, damaged } of outbox?.report().devices ?? [])
        counted.set(`gw-${i + 1}/${device}`, thinned + dropped + damaged);
    for (const { gateway, device, earlier } of this.#collector.ledger?.devices ?? []) {
      const key = `${gateway}/${device}`;
      if (this.#mayLoseJournal) counted.set(key, (counted.get(key) ?? 0) + earlier);
    }
    return counted;
  }

  /** What only a lost journal had: agents know that they delivered it. */
  #earlierOf(gateway: string): number {
    if (!this.#mayLoseJournal) return 0;
    const own = this.#collector.ledger?.devices.filter(row => row.gateway === gateway) ?? [];
    return own.reduce((sum, { earlier }) => sum + earlier, 0);
  }

  /** Receipts say `released` once the journal has it: then its disk is the only place. */
  get #mayLoseJournal(): boolean {
    return this.#plan.collector.receiptAfter === 'journal';
  }

  #countedOf({ outbox }: AgentModel): number {
    return (outbox?.report().devices ?? []).reduce((sum, { thinned, dropped }) => sum + thinned + dropped, 0);
  }
}
