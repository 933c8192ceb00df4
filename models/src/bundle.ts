/**
 * A model bundle is a directory: `model.onnx`, `card.json`, `golden.json`. It is used as a whole or not at all:
 * reading checks every part against the others, writing makes it appear at once.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { syncFolder } from '@edgeward/shared/files';
import { z } from 'zod';
import { type Card, cardSchema, type Golden, goldenSchema } from './card.js';
import { featureNames } from './feature-spec.js';
import type { Forest } from './isolation-forest.js';
import { maxModelBytes, readOnnx } from './onnx-reader.js';
import { writeOnnx } from './onnx-writer.js';

export interface Bundle {
  readonly card: Card;
  readonly golden: Golden;
  /** As in model.onnx. */
  readonly onnx: Uint8Array;
  readonly forest: Forest;
}

const maxJsonBytes = 4 << 20;

/** A bundle from its parts. `revision` and `modelSha256` of the card are computed here. */
export function createBundle(
  card: Omit<Card, 'format' | 'revision' | 'modelSha256'>,
  forest: Forest,
  golden: Golden,
): Bundle {
  const onnx = writeOnnx({ forest, features: featureNames(card.features) });
  const complete = { format: 1 as const, revision: '', ...card, modelSha256: sha256(onnx) };
  return { card: { ...complete, revision: revisionOf(complete) }, golden, onnx, forest };
}

/** @throws EW_MODEL_BUNDLE naming the file and what is wrong with it */
export async function readBundle(directory: string): Promise<Bundle> {
  const [onnx, cardText, goldenText] = await Promise.all([
    readPart(directory, 'model.onnx', maxModelBytes),
    readPart(directory, 'card.json', maxJsonBytes),
    readPart(directory, 'golden.json', maxJsonBytes),
  ]);
  const card = parsePart(directory, 'card.json', cardSchema, cardText);
  const golden = parsePart(directory, 'golden.json', goldenSchema, goldenText);
  const problem = checkParts(card, golden, onnx);
  if (problem) throw refusal(directory, problem);
  const { forest, features } = readOnnx(onnx);
  if (features.join() !== featureNames(card.features).join()) {
    throw refusal(directory, 'model.onnx has other features than card.json');
  }
  return { card, golden, onnx, forest };
}

/**
 * Replaces what is at `directory`: readers see the old bundle or the new one (between two renames none), never
 * a mixture. A crash leaves at most a hidden directory beside it.
 */
export async function writeBundle(directory: string, bundle: Bundle): Promise<void> {
  const target = resolve(directory);
  const hidden = (word: string) =>
    join(dirname(target), `.${basename(target)}.${word}-${randomBytes(4).toString('hex')}`);
  const fresh = hidden('new');
  const former = hidden('old');
  await mkdir(fresh, { recursive: true });
  await writeSynced(join(fresh, 'model.onnx'), bundle.onnx);
  await writeSynced(join(fresh, 'golden.json'), goldenText(bundle.golden));
  await writeSynced(join(fresh, 'card.json'), `${JSON.stringify(bundle.card, null, 2)}\n`);
  const had = await moved(target, former);
  await rename(fresh, target);
  await syncFolder(dirname(target));
  if (had) await rm(former, { recursive: true });
}

async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

async function writeSynced(path: string, data: string | Uint8Array): Promise<void> {
  await writeFile(path, data);
  await using file = await open(path, 'r+');
  await file.sync();
}

/** One row a line, so that a change of one row is a change of one line. */
function goldenText({ format, features, rows, scores }: Golden): string {
  const lines = rows.map(row => `    ${JSON.stringify(row)}`).join(',\n');
  return `{\n  "format": ${format},\n  "features": ${JSON.stringify(features)},\n  "rows": [\n${lines}\n  ],\n  "scores": ${JSON.stringify(scores)}\n}\n`;
}

function checkParts(card: Card, golden: Golden, onnx: Uint8Array): string | undefined {
  const names = featureNames(card.features);
  const channels = card.features.channels.map(channel => channel.field);
  if (sha256(onnx) !== card.modelSha256) return 'model.onnx does not have the SHA-256 that card.json gives';
  if (revisionOf(card) !== card.revision) return 'card.json was altered: it does not match its revision';
  if (channels.join() !== card.fields.join()) return 'card.json: fields and feature channels differ';
  if (card.channelRanges.map(range => range.field).join() !== channels.join())
    return 'card.json: channelRanges and feature channels differ';
  if (card.featureRanges.map(range => range.feature).join() !== names.join())
    return 'card.json: featureRanges and features differ';
  if ([...golden.features].sort().join() !== [...names].sort().join())
    return 'golden.json and card.json name different features';
  if (golden.rows.length !== golden.scores.length) return 'golden.json: rows and scores differ in number';
  if (golden.rows.some(row => row.length !== names.length)) return 'golden.json: a row has a wrong length';
  return undefined;
}

/** Depends on the model and on all of the card that decides a score or an alarm, not on names and remarks. */
function revisionOf(card: Omit<Card, 'revision'>): string {
  const essentials = [
    card.format,
    card.modelSha256,
    card.deviceType,
    card.fields,
    card.features,
    card.smoothingRows,
    card.threshold,
    card.plainThreshold,
    card.channelRanges,
    card.featureRanges,
  ];
  return sha256(canonical(essentials)).slice(0, 12);
}

/** JSON with sorted keys: a card read back must hash like the one that was written. */
function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex');
}

async function readPart(directory: string, name: string, maxBytes: number): Promise<Uint8Array> {
  try {
    await using file = await open(join(directory, name));
    const { size } = await file.stat();
    if (size > maxBytes) throw new RangeError(`it has ${size} bytes, more than ${maxBytes}`);
    return await readFile(file);
  } catch (error) {
    throw refusal(directory, `${name} cannot be read: ${messageOf(error)}`, error);
  }
}

function parsePart<Schema extends z.ZodType>(
  directory: string,
  name: string,
  schema: Schema,
  bytes: Uint8Array,
): z.output<Schema> {
  let json: unknown;
  try {
    json = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw refusal(directory, `${name} is not JSON: ${messageOf(error)}`, error);
  }
  const result = schema.safeParse(json);
  if (!result.success) throw refusal(directory, `${name}: ${z.prettifyError(result.error)}`, result.error);
  return result.data;
}

function refusal(directory: string, what: string, cause?: unknown): EdgewardError {
  const remedy = 'Train or copy the bundle again.';
  return new EdgewardError('EW_MODEL_BUNDLE', `${directory}: ${what}. ${remedy}`, { cause });
}
