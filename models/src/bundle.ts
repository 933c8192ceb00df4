/**
 * A model bundle is a directory: `model.onnx`, `card.json`, `golden.json`. It is used as a whole or not at all:
 * reading checks every part against the others, writing makes it appear at once.
 */
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { EdgewardError, messageOf } from '@edgeward/shared/errors';
import { isAbsent, syncFolder } from '@edgeward/shared/files';
import { modelLimits } from '@edgeward/shared/models/manifest';
import { z } from 'zod';
import {
  type Card,
  type ChannelCard,
  cardSchema,
  type ForestCard,
  forestColumns,
  type Golden,
  goldenSchema,
} from './card.js';
import { featureNames } from './feature-spec.js';
import type { Forest } from './isolation-forest.js';
import { maxModelBytes, readOnnx } from './onnx-reader.js';
import { writeOnnx } from './onnx-writer.js';
import { forestFeatures } from './stream/channel-model.js';
import { channelSettings } from './stream/settings.js';
import { columnsOf } from './stream/view.js';
import type { Switching } from './switching/switching-model.js';

export interface Bundle<Kind extends Card = Card> {
  readonly card: Kind;
  readonly golden: Golden;
  /** As in model.onnx. */
  readonly onnx: Uint8Array;
  readonly forest: Forest;
}

const maxJsonBytes = modelLimits.maxFileBytes;

/** A card before its model is written: `revision` and `modelSha256` are computed from that. */
type Draft<Kind extends Card> = Omit<Kind, 'format' | 'revision' | 'modelSha256'>;

/** A bundle of a forest over features, from its parts. */
export function createBundle(card: Draft<ForestCard>, forest: Forest, golden: Golden): Bundle<ForestCard> {
  const onnx = writeOnnx({ forest, features: featureNames(card.features) });
  const complete = { format: 1 as const, revision: '', ...card, modelSha256: sha256(onnx) };
  return { card: { ...complete, revision: revisionOf(complete) }, golden, onnx, forest };
}

/** A bundle of channels judged together, from its parts. */
export function createChannelBundle(
  card: Draft<ChannelCard>,
  forest: Forest,
  golden: Golden,
): Bundle<ChannelCard> {
  const onnx = writeOnnx({ forest, features: forestFeatures(card.channels.plan) });
  const complete = { format: 2 as const, revision: '', ...card, modelSha256: sha256(onnx) };
  return { card: { ...complete, revision: revisionOf(complete) }, golden, onnx, forest };
}

/** The same bundle, whose card also says what its machines are like on and off. */
export function withSwitching<Kind extends Card>(bundle: Bundle<Kind>, switching: Switching): Bundle<Kind> {
  const card = { ...bundle.card, switching };
  return { ...bundle, card: { ...card, revision: revisionOf(card) } };
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
  if (!same(features, forestColumns(card))) {
    throw refusal(directory, 'model.onnx has other features than card.json');
  }
  return { card, golden, onnx, forest };
}

/**
 * Replaces what is at `directory`: readers see the old bundle or the new one (between two renames none), never
 * a mixture. A crash leaves at most a hidden directory beside it.
 * @throws EW_MODEL_BUNDLE for one that `readBundle` would refuse; then what is there stays
 */
export async function writeBundle(directory: string, bundle: Bundle): Promise<void> {
  const target = resolve(directory);
  const hidden = (word: string) =>
    join(dirname(target), `.${basename(target)}.${word}-${randomBytes(4).toString('hex')}`);
  const fresh = hidden('new');
  const former = hidden('old');
  await checkReplaceable(target, directory);
  await mkdir(fresh, { recursive: true });
  for (const [name, data] of Object.entries(bundleFiles(bundle))) await writeSynced(join(fresh, name), data);
  await checkReadable(fresh, directory);
  const had = await moved(target, former);
  await rename(fresh, target);
  await syncFolder(dirname(target));
  if (had) await rm(former, { recursive: true });
}

/** What lies in its folder, by name. */
export function bundleFiles({ onnx, golden, card }: Bundle): Record<string, Uint8Array> {
  return {
    'model.onnx': onnx,
    'golden.json': Buffer.from(goldenText(golden)),
    'card.json': Buffer.from(`${JSON.stringify(card, null, 2)}\n`),
  };
}

/** What is replaced is deleted. */
async function checkReplaceable(target: string, directory: string): Promise<void> {
  const names = await readdir(target).catch((error: unknown): string[] => {
    if (isAbsent(error)) return [];
    throw error;
  });
  if (names.length === 0 || names.includes('card.json')) return;
  const detail = `${directory} is there and is no model bundle (it holds ${names[0]}): name another folder.`;
  throw new EdgewardError('EW_USAGE', detail);
}

async function checkReadable(fresh: string, directory: string): Promise<void> {
  try {
    await readBundle(fresh);
  } catch (error) {
    await rm(fresh, { recursive: true });
    const detail = `${directory} was not written, agents would refuse it: ${messageOf(error)} Train on fewer channels, or with fewer trees or samples.`;
    throw new EdgewardError('EW_MODEL_BUNDLE', detail, { cause: error });
  }
}

async function moved(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (error) {
    if (isAbsent(error)) return false;
    throw error;
  }
}

async function writeSynced(path: string, data: Uint8Array): Promise<void> {
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
  const names = forestColumns(card);
  if (sha256(onnx) !== card.modelSha256) return 'model.onnx does not have the SHA-256 that card.json gives';
  if (revisionOf(card) !== card.revision) return 'card.json was altered: it does not match its revision';
  const problem = card.format === 1 ? checkForestCard(card) : checkChannelCard(card);
  if (problem) return `card.json: ${problem}`;
  const unknown = card.switching?.fields.find(field => !card.fields.includes(field));
  if (unknown !== undefined) return `card.json: switching has a field that the model has not: ${unknown}`;
  if (!same([...golden.features].sort(), [...names].sort()))
    return 'golden.json and card.json name different features';
  if (golden.rows.length !== golden.scores.length) return 'golden.json: rows and scores differ in number';
  if (golden.rows.some(row => row.length !== names.length)) return 'golden.json: a row has a wrong length';
  return undefined;
}

function checkForestCard({ fields, features, channelRanges, featureRanges }: ForestCard): string | undefined {
  const channels = features.channels.map(channel => channel.field);
  if (!same(channels, fields)) return 'fields and feature channels differ';
  if (
    !same(
      channelRanges.map(range => range.field),
      channels,
    )
  )
    return 'channelRanges and feature channels differ';
  const ranges = featureRanges.map(range => range.feature);
  if (!same(ranges, featureNames(features))) return 'featureRanges and features differ';
  return undefined;
}

function checkChannelCard({ fields, channels: { plan, views } }: ChannelCard): string | undefined {
  const planned = plan.map(({ field }) => field);
  if (!same(planned, fields)) return 'fields and planned channels differ';
  if (views.length !== channelSettings.views.length)
    return `${views.length} views are not what this version knows`;
  const wrong = views.findIndex(({ means, changes, center, whitening }, v) => {
    const expected = columnsOf(plan, v);
    const size = expected.means.length + expected.changes.length;
    const sameColumns = same(means, expected.means) && same(changes, expected.changes);
    return !sameColumns || center.length !== size || whitening.length !== (size * (size + 1)) / 2;
  });
  return wrong < 0 ? undefined : `view ${wrong} has other columns than planned`;
}

/** Depends on the model and on all of the card that decides a score or an alarm, not on names and remarks. */
export function revisionOf(card: Omit<ForestCard, 'revision'> | Omit<ChannelCard, 'revision'>): string {
  const { format, modelSha256, deviceType, fields, plainThreshold } = card;
  const model = [format, modelSha256, deviceType, fields];
  const essentials: unknown[] =
    card.format === 1
      ? [
          ...model,
          card.features,
          card.smoothingRows,
          card.threshold,
          plainThreshold,
          card.channelRanges,
          card.featureRanges,
        ]
      : [...model, card.channels, plainThreshold];
  // Of cards without, the revision stays what it always was.
  if (card.switching) essentials.push(card.switching);
  return sha256(canonical(essentials)).slice(0, 12);
}

function same<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((one, i) => one === b[i]);
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
