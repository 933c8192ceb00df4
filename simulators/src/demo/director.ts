/**
 * Directs the demo: starts a collector and an agent per gateway as processes of their own, stands between them as
 * the network, and does to them what the play, the keys or the page's buttons ask for.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import type { FaultKind } from '../faults.js';
import { agentConfig, type CastMember, cast, collectorConfig, injectionOf, type Stage } from './cast.js';
import { Child } from './child.js';
import { CollectorClient } from './collector-client.js';
import { Cable } from './proxy.js';
import { smallProcess } from './small-process.js';

const restartAfterMs = 2000;
const maxLog = 200;

/** The collector's DemoState, by shape: the two packages meet only in these messages. */
export interface DemoState {
  readonly gateways: readonly {
    readonly id: string;
    readonly linkCut: boolean;
    readonly running: boolean;
    readonly kills: number;
    readonly devices: readonly {
      readonly device: string;
      readonly faults: readonly string[];
      readonly active: string | null;
    }[];
  }[];
  readonly log: readonly { readonly atMs: number; readonly text: string }[];
}

interface Actor {
  readonly who: CastMember;
  readonly cable: Cable;
  readonly agent: Child;
  kills: number;
  readonly active: Map<string, { fault: FaultKind; untilMs: number }>;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const detail = `${folder} cannot be made: ${messageOf(error)}. Give --dir a folder that can be written to.`;
    throw new EdgewardError('EW_USAGE', detail, { cause: error });
  }
}

export class Director implements AsyncDisposable {
  /** Devices a fault was injected into, with the time. */
  readonly injected: { gateway: string; device: string; fault: FaultKind; atMs: number }[] = [];
  readonly #stage: Stage;
  readonly #onLine: (text: string) => void;
  readonly #actors = new Map<string, Actor>();
  readonly #log: { atMs: number; text: string }[] = [];
  #collector: Child | undefined;
  #collectorUp = false;
  #ending = false;

  constructor(stage: Stage, onLine: (text: string) => void) {
    this.#stage = stage;
    this.#onLine = onLine;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#stage.apiPort}`;
  }

  get client(): CollectorClient {
    return new CollectorClient(this.url);
  }

  get gateways(): string[] {
    return [...this.#actors.keys()];
  }

  /** Starts everything at once; agents keep trying until the collector is there. */
  async start(): Promise<void> {
    const { directory, brokerPort } = this.#stage;
    makeFolder(path.join(directory, 'logs'));
    this.#collector = this.#child('collector', collectorConfig(this.#stage), message =>
      this.#fromCollector(message),
    );
    this.#collector.start();
    for (const who of cast) {
      const cable = await Cable.open(() => brokerPort);
      const agent = this.#child('agent', agentConfig(who, this.#stage, cable.port), undefined, who.id);
      this.#actors.set(who.id, { who, cable, agent, kills: 0, active: new Map() });
      agent.start();
    }
  }

  /** @throws EW_LISTEN if the collector ended instead of listening */
  async collectorUp(signal: AbortSignal): Promise<void> {
    while (!this.#collectorUp && !signal.aborted) {
      if (!this.#collector?.running) {
        throw new EdgewardError(
          'EW_LISTEN',
          `The collector did not start; see ${path.join(this.#stage.directory, 'logs', 'collector.log')}.`,
        );
      }
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }

  inject(gateway: string, device: string, fault: FaultKind): void {
    const actor = this.#actor(gateway);
    if (!actor.who.faults[device]?.includes(fault)) {
      throw new EdgewardError('EW_USAGE', `${gateway}/${device} has no fault "${fault}".`);
    }
    const atMs = Date.now();
    actor.agent.send({ inject: injectionOf(device, fault) });
    actor.active.set(device, { fault, untilMs: atMs + 30_000 });
    this.injected.push({ gateway, device, fault, atMs });
    this.#say(`fault "${fault}" injected into ${gateway}/${device}`);
  }

  cut(gateway: string): void {
    this.#actor(gateway).cable.cut();
    this.#say(`network of ${gateway} is cut: its agent keeps reading`);
  }

  heal(gateway: string): void {
    this.#actor(gateway).cable.heal();
    this.#say(`network of ${gateway} is back`);
  }

  isCut(gateway: string): boolean {
    return this.#actor(gateway).cable.isCut;
  }

  killAgent(gateway: string): void {
    const actor = this.#actor(gateway);
    actor.kills += 1;
    this.#say(`agent of ${gateway} killed with -9; it starts again in ${restartAfterMs / 1000} s`);
    this.#killAndRestart(actor.agent, `agent of ${gateway} is back: a new epoch`);
  }

  killCollector(): void {
    if (!this.#collector) return;
    this.#collectorUp = false;
    this.#say(
      `collector killed with -9; it starts again in ${restartAfterMs / 1000} s, agents keep what they read`,
    );
    this.#killAndRestart(this.#collector, 'collector is starting again');
  }

  state(): DemoState {
    const gateways = [...this.#actors.values()].map(({ who, cable, agent, kills, active }) => ({
      id: who.id,
      linkCut: cable.isCut,
      running: agent.running,
      kills,
      devices: Object.entries(who.faults).map(([device, faults]) => {
        const now = active.get(device);
        return { device, faults, active: now && now.untilMs > Date.now() ? now.fault : null };
      }),
    }));
    return { gateways, log: this.#log };
  }

  /** Heals everything, lets agents hand over and receive, and waits for their end. @returns their exit codes */
  async stopAgents(): Promise<(number | null)[]> {
    this.#ending = true;
    for (const { cable } of this.#actors.values()) cable.heal();
    return Promise.all([...this.#actors.values()].map(({ agent }) => agent.kill('SIGTERM')));
  }

  async stopCollector(): Promise<number | null> {
    this.#ending = true;
    return (await this.#collector?.kill('SIGTERM')) ?? null;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#ending = true;
    await Promise.all([...this.#actors.values()].map(({ agent }) => agent.kill('SIGKILL')));
    await this.#collector?.kill('SIGKILL');
    for (const { cable } of this.#actors.values()) await cable[Symbol.asyncDispose]();
  }

  #actor(gateway: string): Actor {
    const actor = this.#actors.get(gateway);
    if (!actor) throw new EdgewardError('EW_USAGE', `There is no gateway "${gateway}".`);
    return actor;
  }

  #child(
    role: 'agent' | 'collector',
    config: string,
    onMessage?: (message: unknown) => void,
    name: string = role,
  ): Child {
    const { directory } = this.#stage;
    const file = path.join(directory, `${name}.yaml`);
    writeFileSync(file, `${config}\n`);
    return new Child({
      args: [role, '-c', file],
      nodeFlags: role === 'agent' ? smallProcess.nodeFlags : [],
      env: role === 'agent' ? smallProcess.env : {},
      logFile: path.join(directory, 'logs', `${name}.log`),
      ...(onMessage && { onMessage }),
    });
  }

  #killAndRestart(child: Child, text: string): void {
    void child.kill('SIGKILL').then(() => {
      setTimeout(() => {
        if (this.#ending) return;
        child.start();
        this.#say(text);
      }, restartAfterMs);
    });
  }

  #fromCollector(message: unknown): void {
    const { listening, demo } = message as { listening?: unknown; demo?: { id: number; act?: DemoAction } };
    if (listening) this.#collectorUp = true;
    if (!demo) return;
    try {
      if (demo.act) this.#act(demo.act);
      this.#collector?.send({ demo: { id: demo.id, state: this.state() } });
    } catch (error) {
      this.#collector?.send({ demo: { id: demo.id, error: (error as Error).message } });
    }
  }

  #act(act: DemoAction): void {
    if (act.action === 'inject') this.inject(act.gateway, act.device ?? '', act.fault as FaultKind);
    else if (act.action === 'cut') this.cut(act.gateway);
    else if (act.action === 'heal') this.heal(act.gateway);
    else if (act.action === 'kill') this.killAgent(act.gateway);
  }

  #say(text: string): void {
    this.#log.push({ atMs: Date.now(), text });
    if (this.#log.length > maxLog) this.#log.shift();
    this.#onLine(text);
  }
}

interface DemoAction {
  readonly action: string;
  readonly gateway: string;
  readonly device?: string;
  readonly fault?: string;
}
