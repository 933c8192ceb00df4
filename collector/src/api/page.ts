import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import { errorBody, notFound } from './errors.js';
import { noQuery, plainText } from './schemas.js';
import type { Api } from './zod.js';

interface Asset {
  readonly text: string;
  readonly headers: Readonly<Record<'content-type' | 'etag' | 'cache-control', string>>;
}

const types: Readonly<Record<string, string>> = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const schema = {
  tags: ['page'],
  querystring: noQuery,
  produces: ['text/html'],
  response: { 200: plainText, default: errorBody },
};

/** The live page, read once and served from memory: no path of a request ever reaches the file system. */
export function page(app: Api): void {
  const assets = loadAssets();
  if (!assets.has('index.html')) app.log.warn('the page is not built; only the API is served');

  app.get('/', { schema: { ...schema, summary: 'The live page' } }, async (request, reply) => {
    const asset = find(assets, 'index.html');
    reply.headers(asset.headers);
    if (request.headers['if-none-match'] === asset.headers.etag) return reply.code(304).send('');
    return asset.text;
  });
  app.get(
    '/assets/:file',
    {
      schema: {
        ...schema,
        summary: 'Scripts and styles of the page',
        produces: ['text/javascript', 'text/css'],
        params: z.strictObject({ file: z.string().max(100) }),
      },
    },
    async (request, reply) => {
      const asset = find(assets, request.params.file);
      reply.headers(asset.headers);
      if (request.headers['if-none-match'] === asset.headers.etag) return reply.code(304).send('');
      return asset.text;
    },
  );
}

function find(assets: Map<string, Asset>, file: string): Asset {
  const asset = assets.get(file);
  if (!asset) throw notFound('The page has no such file.', 'Build the collector again.', 'file', file);
  return asset;
}

function loadAssets(): Map<string, Asset> {
  const web = fileURLToPath(new URL('../web/', import.meta.url));
  const uplot = dirname(createRequire(import.meta.url).resolve('uplot'));
  const files = [
    ...listed(web).map(file => join(web, file)),
    join(uplot, 'uPlot.esm.js'),
    join(uplot, 'uPlot.min.css'),
  ];
  return new Map(files.map(path => [basename(path), load(path)]));
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).filter(file => extname(file) in types && !file.endsWith('.test.js'));
  } catch {
    return []; // not built
  }
}

function load(path: string): Asset {
  const text = readFileSync(path, 'utf8');
  const etag = `"${createHash('sha256').update(text).digest('base64url').slice(0, 22)}"`;
  const type = types[extname(path)] ?? 'text/plain; charset=utf-8';
  return { text, headers: { 'content-type': type, etag, 'cache-control': 'no-cache' } };
}
