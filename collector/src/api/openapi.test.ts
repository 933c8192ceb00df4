import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testApi } from '../testing/api.js';

interface Operation {
  readonly summary?: string;
  readonly parameters?: readonly { readonly name: string; readonly schema: Record<string, unknown> }[];
  readonly responses: Record<string, { readonly content?: Record<string, { readonly schema: unknown }> }>;
}

interface Document {
  readonly openapi: string;
  readonly paths: Record<string, Record<string, Operation>>;
}

test('the document names every route, and no other', async () => {
  await using api = testApi();
  const registered: string[] = [];
  api.app.addHook('onRoute', route => {
    for (const method of [route.method].flat()) {
      if (method !== 'HEAD') registered.push(`${method} ${route.url.replace(/:(\w+)/g, '{$1}')}`);
    }
  });
  const { openapi, paths } = (await api.get('/api/openapi.json')).json<Document>();
  assert.equal(openapi, '3.1.0');
  const documented = Object.entries(paths).flatMap(([path, operations]) =>
    Object.keys(operations).map(method => `${method.toUpperCase()} ${path}`),
  );
  assert.ok(registered.includes('POST /score') && registered.length > 15, registered.join());
  assert.deepEqual(documented.sort(), registered.sort());
});

test('it comes from the schemas that check the requests', async () => {
  await using api = testApi();
  const { paths } = (await api.get('/api/openapi.json')).json<Document>();
  const limit = paths['/api/incidents']?.get?.parameters?.find(one => one.name === 'limit');
  assert.equal(limit?.schema.type, 'integer');
  assert.equal(limit?.schema.maximum, 500);
  for (const [path, operations] of Object.entries(paths)) {
    for (const [method, operation] of Object.entries(operations)) {
      assert.ok(operation.summary, `${method} ${path} has no summary`);
      assert.ok(operation.responses['200']?.content, `${method} ${path} does not say what it answers`);
      assert.ok(operation.responses.default, `${method} ${path} does not say how it fails`);
    }
  }
});
