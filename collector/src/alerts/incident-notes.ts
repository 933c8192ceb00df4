/**
 * Changes of incidents as notes for sinks: numbered in the store of the incidents, and committed with them, so that
 * each change is a note once, whatever is killed when. Mere growth of an incident is none.
 */
import type { Note } from '@edgeward/shared/contracts';
import { Kept, type NoteFeed } from '../notes/feed.js';
import type { AlertStore, Operation } from './alert-store.js';
import type { Draft } from './board.js';
import type { Incident } from './incident.js';

const prefix = 'note/';
const keyOf = (number: number) => prefix + String(number).padStart(15, '0');
const newest = 1000;

export interface PreparedNotes {
  readonly operations: readonly Operation[];
  committed(): void;
}

type Stored = Omit<Note, 'feed' | 'store' | 'number'>;

export class IncidentNotes implements NoteFeed {
  readonly feed = 'incident';
  readonly #alerts: AlertStore;
  readonly #followers = new Set<() => void>();
  #store = '';
  #last = 0;
  #kept = new Kept(1, newest);

  constructor(alerts: AlertStore) {
    this.#alerts = alerts;
  }

  /** Once, before anything else. */
  async open(): Promise<void> {
    const [first, last] = await this.#alerts.ends(prefix);
    this.#store = await this.#alerts.id();
    this.#last = last === undefined ? 0 : Number(last);
    this.#kept = new Kept(first === undefined ? 1 : Number(first), newest);
  }

  get store(): string {
    return this.#store;
  }

  get last(): number {
    return this.#last;
  }

  passed(through: number): void {
    this.#kept.passed(through);
  }

  /** Notes the draft's changes on their incidents, so that each is told once. @param atMs  by the wall clock */
  prepare(draft: Draft, atMs: number): PreparedNotes {
    let last = this.#last;
    const operations: Operation[] = [];
    for (const record of draft.touched()) {
      const noted = signOf(record.incident);
      if (record.noted === noted) continue;
      draft.setRecord({ ...record, noted });
      last += 1;
      operations.push({ key: keyOf(last), value: noteOf(record.incident, atMs) });
    }
    if (last === this.#last) return { operations, committed: () => undefined };
    for (const old of this.#kept.leaving(last)) operations.push({ key: keyOf(old), value: undefined });
    return { operations, committed: () => this.#committed(last) };
  }

  async read(after: number, most: number): Promise<Note[]> {
    const found = await this.#alerts.between(keyOf(after + 1), keyOf(this.#last), most);
    return found.map(([key, value]) => ({
      feed: this.feed,
      store: this.#store,
      number: Number(key.slice(prefix.length)),
      ...(value as Stored),
    }));
  }

  onMore(follower: () => void): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  #committed(last: number): void {
    this.#last = last;
    for (const follower of this.#followers) follower();
  }
}

function signOf({ state, severity, title, handling }: Incident): string {
  return `${state} ${severity} ${title}${handling ? ` ${JSON.stringify(handling)}` : ''}`;
}

function noteOf(incident: Incident, atMs: number): Stored {
  const { gateway, device } = incident;
  return { gateway, device, atMs, value: { ...incident } };
}
