/**
 * Deliberate faults in the built code, each with the tests that must notice it. Patterns are loose, because the code
 * around them moves; one that fits nowhere is an error, never a pass.
 */
export interface Patch {
  /** Folder or file below the repository; of a folder, every compiled file that is no test. */
  readonly where: string;
  readonly find: RegExp;
  readonly put: string;
}

export interface Mutation {
  readonly name: string;
  readonly patches: readonly Patch[];
  /** A part of the rig's file names, and of its tests' names. */
  readonly file: string;
  readonly tests: string;
  readonly times: number;
}

const outbox = 'agent/dist/outbox';
const journal = 'collector/dist/journal';
const kafka = 'collector/dist/sinks/kafka';

export const mutations: readonly Mutation[] = [
  {
    name: 'sync: false in the outbox',
    patches: [{ where: outbox, find: /sync: true/g, put: 'sync: false' }],
    file: 'power-cuts',
    tests: 'power cut of the agent',
    times: 3,
  },
  {
    name: 'sync: false in the journal',
    patches: [{ where: journal, find: /\{ sync(: true)? \}/g, put: '{ sync: false }' }],
    file: 'power-cuts',
    tests: 'power cut of the collector',
    times: 3,
  },
  {
    name: 'receipt before commit',
    patches: [
      {
        where: 'collector/dist/ingest.js',
        find: /const stored = await journal\.append\(/g,
        put: 'await this.#sendReceipts(arguments[0].claims); $&',
      },
    ],
    file: 'kills',
    tests: 'journal.before-commit',
    times: 3,
  },
  {
    name: 'skipped dedupe',
    patches: [{ where: journal, find: /known \? hasSeq\(known, seq, again\)/g, put: 'known ? false' }],
    file: 'messages',
    tests: 'replayed adds nothing',
    times: 1,
  },
  {
    name: 'epoch kept across a restart',
    patches: [
      {
        where: outbox,
        find: /const name = `[^`]*\$\{randomBytes\(8\)[^`]*`/g,
        put: "const name = '000000001-' + store.id",
      },
    ],
    file: 'kills',
    tests: 'agent at random',
    times: 1,
  },
  {
    name: 'position saved apart from the block',
    patches: [
      {
        where: outbox,
        find: /if \(pure && position\)\s*notes\.push\([^;]*;/g,
        put: 'if (position) (globalThis.late ??= []).push(position);',
      },
      {
        where: outbox,
        find: /\.\.\.\[\.\.\.positions\]\.map\(.*\),\n(?=\s*timePut)/g,
        put: '...[...positions].flatMap(position => { (globalThis.late ??= []).push(position); return []; }),\n',
      },
      {
        where: outbox,
        find: /failpoint\('outbox\.after-commit'\);/g,
        put: `$&
        setTimeout(() => {
            const { store, records } = this.#core;
            const puts = (globalThis.late ?? []).map(position => ({ type: 'put', ...records.positionPut(...position) }));
            globalThis.late = [];
            if (puts.length) store.db.batch(puts, { sync: true });
        }, 100);`,
      },
    ],
    file: 'kills',
    tests: 'agent at random',
    times: 2,
  },
  {
    name: 'CRC check removed',
    patches: [
      {
        where: 'shared/dist/wire',
        find: /if \(crc32c\([^;]*?!== checksumAt\([^)]*\)\)/g,
        put: 'if (false)',
      },
    ],
    file: 'damage',
    tests: 'outbox: bits flipped',
    times: 3,
  },
  {
    name: 'Kafka rows not compared with what is stored',
    patches: [
      {
        where: kafka,
        find: /position <= passed \|\| this\.#received\.get\(key\)\?\.has\(seq\)/g,
        put: 'false',
      },
    ],
    file: 'kafka',
    tests: 'answers never arrive',
    times: 8000,
  },
  {
    name: 'Kafka transaction committed before its rows are answered',
    patches: [
      { where: kafka, find: /await load\.end\(\);/g, put: 'void load.end().catch(() => undefined);' },
    ],
    file: 'kafka',
    tests: 'answers never arrive',
    times: 1200,
  },
];
