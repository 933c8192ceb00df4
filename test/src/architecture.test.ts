import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { root } from './support/root.js';

/** What each workspace may import of the others, in any way. */
const allowed: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  models: ['shared'],
  simulators: ['shared'],
  agent: ['shared', 'models'],
  collector: ['shared', 'models'],
};
/** Types only: erased when compiled, so the package stays optional. */
const typesOnly: Readonly<Record<string, readonly string[]>> = { agent: ['simulators'] };
/** Loaded when needed, by `import('…')`. */
const dynamicOnly: Readonly<Record<string, readonly string[]>> = { agent: ['simulators'] };

interface Import {
  readonly file: string;
  readonly target: string;
  readonly typeOnly: boolean;
  readonly dynamic: boolean;
}

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter(entry => entry.isFile() && entry.name.endsWith('.ts'))
    .map(entry => path.join(entry.parentPath ?? entry.path, entry.name));
}

function importsOf(file: string): Import[] {
  return importsIn(file, readFileSync(file, 'utf8'));
}

function importsIn(file: string, text: string): Import[] {
  const pattern = /^(import|export)\s+(type\s)?[^;]*?from\s+'([^']+)'|^import\s+'([^']+)'/gm;
  const still = [...text.matchAll(pattern)].map(match => ({
    file,
    target: match[3] ?? match[4]!,
    typeOnly: match[2] !== undefined,
    dynamic: false,
  }));
  const called = [...text.matchAll(/\b(typeof\s+)?import\(\s*['"`]([^'"`]+)['"`]/g)].map(match => ({
    file,
    target: match[2]!,
    typeOnly: match[1] !== undefined,
    dynamic: true,
  }));
  return [...still, ...called];
}

function workspaceImports(name: string): Import[] {
  return sources(path.join(root, name, 'src')).flatMap(importsOf);
}

test('the scan sees every way to import', () => {
  const text = `import type { A } from '@x/types';
import { b } from '@x/static';
import '@x/effect';
export { c } from '@x/again';
const d = await import('@x/dynamic');
const e = () => import(
  "@x/lazy"
);
type F = typeof import('@x/typeof');
`;
  assert.deepEqual(
    importsIn('f.ts', text).map(({ target, typeOnly, dynamic }) => [target, typeOnly, dynamic]),
    [
      ['@x/types', true, false],
      ['@x/static', false, false],
      ['@x/effect', false, false],
      ['@x/again', false, false],
      ['@x/dynamic', false, true],
      ['@x/lazy', false, true],
      ['@x/typeof', true, true],
    ],
  );
});

for (const name of Object.keys(allowed)) {
  test(`${name} imports only what its place allows`, () => {
    const imports = workspaceImports(name);
    assert.ok(imports.length > 10, 'the import scan finds imports');
    for (const { file, target, typeOnly, dynamic } of imports) {
      const other = /^@edgeward\/([a-z]+)/.exec(target)?.[1];
      if (other === undefined || other === name) continue;
      const fine =
        allowed[name]!.includes(other) ||
        (typeOnly && typesOnly[name]?.includes(other)) ||
        (dynamic && dynamicOnly[name]?.includes(other));
      assert.ok(fine, `${path.relative(root, file)} imports ${target}`);
    }
  });

  test(`${name} does not leave its folder by a relative import`, () => {
    const folder = path.join(root, name, 'src');
    for (const { file, target } of workspaceImports(name)) {
      if (!target.startsWith('.')) continue;
      const found = path.resolve(path.dirname(file), target);
      assert.ok(found.startsWith(folder + path.sep), `${path.relative(root, file)} imports ${target}`);
    }
  });

  test(`${name} declares every package it imports`, () => {
    const manifest = JSON.parse(readFileSync(path.join(root, name, 'package.json'), 'utf8')) as Record<
      string,
      object
    >;
    const declared = new Set(Object.keys({ ...manifest.dependencies, ...manifest.optionalDependencies }));
    for (const { file, target, typeOnly } of workspaceImports(name)) {
      if (/^(\.|node:)/.test(target) || typeOnly || /\.test\.ts$|[\\/]testing[\\/]/.test(file)) continue;
      const wanted = target
        .split('/')
        .slice(0, target.startsWith('@') ? 2 : 1)
        .join('/');
      assert.ok(
        declared.has(wanted) || wanted === `@edgeward/${name}`,
        `${path.relative(root, file)} imports ${target}`,
      );
    }
  });
}

test('only main.ts and the registries name concrete sources, sinks, outboxes and uplinks', () => {
  const concrete =
    /\/(level-outbox|uplinks\/mqtt|journal\/journal|sinks\/file|sources\/(replay|simulated))\.js$/;
  const wiring = /(^|\/)(main|command|tools|index|config)\.ts$|\.test\.ts$|(^|\/)testing\//;
  for (const name of ['agent', 'collector']) {
    for (const { file, target, typeOnly } of workspaceImports(name)) {
      const from = path
        .relative(path.join(root, name, 'src'), file)
        .split(path.sep)
        .join('/');
      if (typeOnly || wiring.test(from)) continue;
      assert.ok(!concrete.test(target), `${name}/src/${from} imports ${target}`);
    }
  }
});

test('there is no cycle among the files of a workspace', () => {
  for (const name of Object.keys(allowed)) {
    const graph = new Map<string, string[]>();
    for (const file of sources(path.join(root, name, 'src'))) {
      const local = importsOf(file).filter(({ target, typeOnly }) => target.startsWith('.') && !typeOnly);
      graph.set(
        file,
        local.map(({ target }) => path.resolve(path.dirname(file), target).replace(/\.js$/, '.ts')),
      );
    }
    const cycle = findCycle(graph);
    assert.equal(cycle, undefined, cycle?.map(file => path.relative(root, file)).join(' → '));
  }
});

function findCycle(graph: ReadonlyMap<string, readonly string[]>): string[] | undefined {
  const state = new Map<string, 'open' | 'done'>();
  const visit = (file: string, trail: string[]): string[] | undefined => {
    if (state.get(file) === 'open') return [...trail.slice(trail.indexOf(file)), file];
    if (state.get(file) === 'done') return undefined;
    state.set(file, 'open');
    for (const next of graph.get(file) ?? []) {
      const cycle = visit(next, [...trail, file]);
      if (cycle) return cycle;
    }
    state.set(file, 'done');
    return undefined;
  };
  for (const file of graph.keys()) {
    const cycle = visit(file, []);
    if (cycle) return cycle;
  }
  return undefined;
}
