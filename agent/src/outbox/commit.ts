/** One commit: what goes down together, and what is true once it has. */
import type { Described, SourcePosition } from '@edgeward/shared/contracts';
import type { Core } from './core.js';
import type { FreshBlock } from './fresh.js';
import { blockKey, type Put, timePut } from './layout.js';
import type { Unsaved } from './ledger.js';
import { Flag, packValue, traceNotes } from './stored-value.js';

/** What somebody wants to be durable. */
export interface Item {
  readonly block?: FreshBlock;
  readonly source?: string;
  readonly position?: SourcePosition | undefined;
  /** Rows refused on the way to the position, by device. */
  readonly rejected?: ReadonlyMap<string, number> | undefined;
  readonly puts?: readonly Put[];
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

export interface CommitRequest {
  readonly items: readonly Item[];
  readonly spills: readonly FreshBlock[];
  /** Rejected rows that wait for their source's next position. */
  readonly rejected: Unsaved['rejected'];
  readonly saveAll: (pure: boolean) => boolean;
}

export interface Commit {
  readonly puts: readonly Put[];
  readonly deletes: readonly Buffer[];
  readonly blockBytes: number;
  readonly savedBytes: number;
  readonly savedAll: boolean;
  readonly done: () => void;
  readonly failed: () => void;
}

const maxDeletes = 4096;
/** Bytes of blocks that wait in the live lane though they are on disk. */
const maxCachedBytes = 4 * 1024 * 1024;

interface Write {
  readonly block: FreshBlock;
  readonly position: readonly [source: string, position: SourcePosition] | undefined;
  readonly flags: number;
  readonly wasQueued: boolean;
}

export function buildCommit(core: Core, request: CommitRequest): Commit {
  const { records } = core;
  records.nextCommit();
  const writes = writesOf(core, request);
  const written = new Set(writes.map(({ block }) => block));
  const elsewhere = positionsBeside(request.items, written);
  const puts = request.items.flatMap(item => item.puts ?? []);
  const schemas = core.schemas.puts(writes.map(({ block }): Described => block.described));
  const deletes = takeDeletes(core);
  const pure =
    writes.length > 0 &&
    !core.closing && // the next start is to find everything in its place
    !deletes.keys.length &&
    !puts.length &&
    !elsewhere.size &&
    !records.pressing;
  const all = request.saveAll(pure);
  const save = records.save({
    all,
    withNoted: !pure,
    unsaved: unsavedOf(core, written, request.rejected),
    storing: writes.map(({ block }) => block.id.seq),
  });
  const blockPuts = putsOf(core, writes, pure, save.puts);
  const beside = pure ? [] : besidePuts(core, writes, elsewhere, save.puts);
  return {
    puts: [...blockPuts, ...puts, ...schemas.puts, ...beside],
    deletes: deletes.keys,
    blockBytes: blockPuts.reduce((sum, { value }) => sum + value.length, 0),
    savedBytes: save.puts.reduce((sum, { value }) => sum + value.length, 0),
    savedAll: all,
    done: () => {
      save.done(pure);
      schemas.saved();
      for (const { position } of writes) if (position) records.positioned(...position, pure);
      for (const [source, position] of elsewhere) records.positioned(source, position, false);
      for (const write of writes) stored(core, write);
      evictCached(core);
    },
    failed: () => {
      save.undo();
      deletes.undo();
      for (const { block } of writes) block.writing = false;
      core.fresh.requeue(writes.flatMap(({ block, wasQueued }) => (wasQueued ? [block] : [])));
    },
  };
}

function writesOf(core: Core, { items, spills }: CommitRequest): Write[] {
  const writes: Write[] = [];
  for (const { block, source, position } of items) {
    if (!block || block.place === 'gone') continue;
    const own = position && source !== undefined ? ([source, position] as const) : undefined;
    writes.push(writeOf(core, block, own));
  }
  for (const block of spills) writes.push(writeOf(core, block, undefined));
  return writes;
}

/** What is marked unsent must not be sent until that mark has changed: it leaves the live lane. */
function writeOf(core: Core, block: FreshBlock, position: Write['position']): Write {
  const wasQueued = block.queued;
  const offered = block.sent || (core.spill.up && !block.id.clock);
  if (!offered) {
    core.fresh.take(block);
    block.writing = true;
  }
  const flags = (offered ? Flag.sent : 0) | (block.anomalous ? Flag.anomalous : 0);
  return { block, position, flags, wasQueued };
}

function positionsBeside(
  items: readonly Item[],
  written: ReadonlySet<FreshBlock>,
): Map<string, SourcePosition> {
  const positions = new Map<string, SourcePosition>();
  for (const { block, source, position } of items) {
    if (source === undefined || !position) continue;
    if (block && written.has(block)) positions.delete(source);
    else positions.set(source, position);
  }
  return positions;
}

function takeDeletes({ epochs }: Core) {
  const keys: Buffer[] = [];
  const undo: (() => void)[] = [];
  for (const { counter, gone } of epochs.all()) {
    for (const [from, through] of gone.toJSON()) {
      const last = Math.min(through, from + maxDeletes - keys.length - 1);
      if (last < from) break;
      for (let seq = from; seq <= last; seq++) keys.push(blockKey(counter, seq));
      gone.remove(from, last);
      undo.push(() => gone.add(from, last));
    }
  }
  return { keys, undo: () => undo.forEach(again => void again()) };
}

function unsavedOf(core: Core, written: ReadonlySet<FreshBlock>, rejected: Unsaved['rejected']): Unsaved {
  const rows = [];
  for (const block of core.fresh.volatile()) if (!written.has(block)) rows.push(...block.devices);
  return { rows, rejected };
}

/** In a pure commit, records travel as notes: a position with its own block, all else with the last one. A trace always does. */
function putsOf(core: Core, writes: readonly Write[], pure: boolean, saved: readonly Put[]): Put[] {
  return writes.map(({ block, position, flags }, i) => {
    const notes = traceNotes(block.trace);
    if (pure && position) notes.push(core.records.positionPut(...position));
    if (pure && i === writes.length - 1) notes.push(...saved);
    return {
      key: blockKey(core.live.counter, block.id.seq),
      value: packValue(flags, block.bytes, notes),
    };
  });
}

function besidePuts(
  core: Core,
  writes: readonly Write[],
  elsewhere: ReadonlyMap<string, SourcePosition>,
  saved: readonly Put[],
): Put[] {
  const positions = new Map(elsewhere);
  for (const { position } of writes) if (position && !elsewhere.has(position[0])) positions.set(...position);
  return [
    ...saved,
    ...[...positions].map(([source, position]) => core.records.positionPut(source, position)),
    timePut(core.options.clock.now()),
  ];
}

/** A block has reached the disk. What happened to it meanwhile is made up for. */
function stored(core: Core, { block, flags }: Write): void {
  const { fresh, live, ledger } = core;
  const { seq, clock } = block.id;
  const size = block.bytes.length + 1;
  const { place } = block;
  block.writing = false;
  live.store(seq, size);
  if (flags & Flag.sent) live.flagged.add(seq);
  if (block.sent) live.sent.add(seq);
  if (flags & Flag.anomalous) live.anomalous.add(seq);
  if (clock) live.stamped.add(seq);
  if (place === 'gone') {
    live.delete(seq, size);
    for (const { device } of block.devices) ledger.pressing.add(device);
  } else if (place === 'kept') {
    live.journal(seq, size);
    for (const { device } of block.devices) ledger.pressing.add(device);
    fresh.move(block, 'gone');
  } else if (block.queued || (flags & Flag.sent && !block.sent)) {
    fresh.move(block, 'cached');
    fresh.enqueue(block);
  } else {
    if (!block.sent && !clock) live.due.add(seq);
    fresh.move(block, 'gone');
  }
  block.resolve('disk');
}

/** The live lane does not keep up: what is on disk anyway goes with the backlog. */
function evictCached({ fresh, live }: Core): void {
  for (const block of fresh.cached()) {
    if (fresh.bytes('cached') <= maxCachedBytes) return;
    fresh.move(block, 'gone');
    live.due.add(block.id.seq);
  }
}
