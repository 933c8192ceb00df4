/** What `edgeward audit` and `edgeward fsck` ask of agent and collector; neither package needs the other. */
import { importPackage } from '../config/modules.js';
import type { DeviceReport, LedgerCounts } from '../contracts.js';
import type { Finding, Findings } from './finding.js';

/** An agent's side of the ledger as its store has it. */
export interface StoredOutbox {
  readonly id: string;
  /** One that is newer than all it has made: none of its starts is alive. */
  readonly epoch: string;
  /** Id of the journal it delivered to, if it knows. */
  readonly journal?: string;
  readonly condensedThrough: number;
  readonly devices: readonly DeviceReport[];
  /** It did not end by a kill or a crash. */
  readonly endedCleanly: boolean;
  /** When it last wrote, ms since Unix epoch, if that is known. */
  readonly lastCommitMs?: number;
}

export interface AgentSide extends Findings {
  readonly gateway: string;
  /** Absent while the agent runs, or if it never ran: then its last report to the collector counts. */
  readonly stored?: StoredOutbox;
  /** Where its numbers come from, in a sentence. */
  readonly source: string;
}

export interface SinkSide {
  readonly sink: string;
  /** Last journal position it has stored. */
  readonly position: number;
  /** Blocks it has yet to store. */
  readonly waiting: number;
  /** Rows its own store has; null = this kind of sink cannot be read back. */
  readonly rows: number | null;
  /** Rows it will never get, because it lagged until the journal gave its blocks up. */
  readonly lost: number;
  /** Rows that its server has refused; they are in its dead letters. */
  readonly refused: number;
}

export interface DeviceSide extends LedgerCounts {
  readonly gateway: string;
  readonly outbox: string;
  readonly device: string;
  readonly recovered: number;
  readonly earlier: number;
  readonly balanced: boolean;
}

export interface CollectorSide extends Findings {
  readonly journal: string;
  readonly position: number;
  readonly devices: readonly DeviceSide[];
  readonly sinks: readonly SinkSide[];
  readonly source: string;
}

/** What a check of the stores of one configuration has found. */
export interface StoreCheck {
  readonly problems: readonly Finding[];
  /** What has been looked at, in words. */
  readonly seen: readonly string[];
}

/** What a repair did, in sentences. */
export type Repair = readonly string[];

export interface AgentTools {
  auditOutbox(config: unknown): Promise<AgentSide>;
  checkStores(config: unknown): Promise<StoreCheck>;
  repairStores(config: unknown): Promise<Repair>;
}

export interface CollectorTools {
  auditCollector(config: unknown, agents: readonly AgentSide[]): Promise<CollectorSide>;
  checkStores(config: unknown): Promise<StoreCheck>;
  repairStores(config: unknown): Promise<Repair>;
}

export interface Tools {
  agent(): Promise<AgentTools>;
  collector(): Promise<CollectorTools>;
}

/** @throws EW_PACKAGE_MISSING */
export const installedTools: Tools = {
  agent: async () => (await importPackage('@edgeward/agent/tools')) as unknown as AgentTools,
  collector: async () => (await importPackage('@edgeward/collector/tools')) as unknown as CollectorTools,
};
