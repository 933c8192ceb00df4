/** What happens in a run, drawn from its seed before it begins, so that a run can be cut short to what matters. */
import type { Rng } from '@edgeward/shared/contracts';
import type { AgentTraits, Death } from './protocol-agent.js';
import type { CollectorTraits } from './protocol-collector.js';
import type { NetworkTraits } from './protocol-network.js';

export type Event =
  | { readonly is: 'poll' | 'file' | 'reject'; readonly agent: number; readonly rows: number }
  | { readonly is: 'push'; readonly agent: number; readonly rows: number; readonly anomalous: boolean }
  | { readonly is: 'break' | 'report'; readonly agent: number }
  | { readonly is: 'stall'; readonly agent: number; readonly forMs: number }
  | { readonly is: 'part'; readonly forMs: number }
  | { readonly is: 'replay'; readonly blocks: number }
  | { readonly is: 'agent'; readonly agent: number; readonly how: Death | 'stop'; readonly downMs: number }
  | { readonly is: 'collector'; readonly how: Death | 'stop' | 'forget'; readonly downMs: number }
  | {
      readonly is: 'fail';
      readonly whose: number | 'collector';
      readonly calls: number;
      readonly late: boolean;
    }
  | { readonly is: 'sink'; readonly failing: number }
  | { readonly is: 'check' };

export interface Step {
  readonly event: Event;
  /** Time before the next. */
  readonly thenMs: number;
}

export interface Plan {
  readonly seed: number;
  readonly agents: readonly AgentTraits[];
  readonly collector: CollectorTraits;
  readonly network: NetworkTraits;
  readonly steps: readonly Step[];
}

export interface Weights {
  readonly [kind: string]: number;
}

const usual: Weights = {
  poll: 30,
  push: 20,
  file: 10,
  reject: 1,
  break: 4,
  report: 4,
  stall: 2,
  part: 1.5,
  replay: 2,
  agent: 3,
  collector: 2,
  fail: 2,
  sink: 1,
  check: 0.3,
};

export function planOf(seed: number, rng: Rng, steps: number): Plan {
  const agents = Array.from({ length: rng() < 0.2 ? 2 : 1 }, () => agentTraits(rng));
  const receiptAfter = rng() < 0.4 ? 'sink' : 'journal';
  const one = <T>(...choices: readonly T[]): T => choices[Math.floor(rng() * choices.length)]!;
  return {
    seed,
    agents,
    collector: { receiptAfter, maxLatencyMs: one(0, 5, 20), sinkFailing: seed % 2 ? 0 : 0.95 },
    network: {
      broker: one('embedded', 'external'),
      maxDelayMs: one(2, 20, 200, 1500),
      duplicates: one(0, 0, 0.1),
      stragglers: one(0, 0.3),
    },
    steps: Array.from({ length: steps }, () => ({
      event: eventOf(rng, usual, agents.length, receiptAfter === 'sink' || seed % 4 === 2),
      thenMs: rng() < 0.1 ? rng() * 3000 : rng() * 120,
    })),
  };
}

function agentTraits(rng: Rng): AgentTraits {
  const small = rng() < 0.15;
  return {
    maxBytes: small ? 3000 + Math.floor(rng() * 6000) : 1 << 26,
    whenFull: (['thin', 'dropOldest', 'block'] as const)[Math.floor(rng() * 3)]!,
    replay: rng() < 0.2 ? 'inOrder' : 'liveFirst',
    durability: rng() < 0.15 ? 'always' : 'deferred',
    maxLossMs: 200 + Math.floor(rng() * 800),
    maxLatencyMs: rng() < 0.5 ? 2 : 20,
  };
}

function eventOf(rng: Rng, weights: Weights, agents: number, mayForget: boolean): Event {
  let at = rng() * Object.values(weights).reduce((a, b) => a + b, 0);
  const [is] = Object.entries(weights).find(([, weight]) => {
    at -= weight;
    return at < 0;
  })!;
  const agent = Math.floor(rng() * agents);
  const rows = 1 + Math.floor(rng() * 4);
  switch (is as Event['is']) {
    case 'push':
      return { is: 'push', agent, rows, anomalous: rng() < 0.1 };
    case 'stall':
      return { is: 'stall', agent, forMs: rng() * 4000 };
    case 'part':
      return { is: 'part', forMs: rng() * 8000 };
    case 'replay':
      return { is: 'replay', blocks: 1 + Math.floor(rng() * 5) };
    case 'agent':
      return { is: 'agent', agent, how: death(rng), downMs: rng() * 3000 };
    case 'collector': {
      const how = mayForget && rng() < 0.3 ? 'forget' : death(rng);
      return { is: 'collector', how, downMs: rng() * 5000 };
    }
    case 'fail': {
      const whose = rng() < 0.5 ? 'collector' : agent;
      return { is: 'fail', whose, calls: 1 + Math.floor(rng() * 3), late: rng() < 0.5 };
    }
    case 'sink':
      return { is: 'sink', failing: rng() < 0.5 ? 0 : rng() };
    case 'check':
      return { is: 'check' };
    case 'break':
    case 'report':
      return { is: is as 'break', agent };
    default:
      return { is: is as 'poll', agent, rows };
  }
}

function death(rng: Rng): Death | 'stop' {
  const at = rng();
  if (at < 0.4) return 'kill';
  return at < 0.8 ? 'power' : 'stop';
}
