import { EdgewardError } from '@edgeward/shared/errors';
import { HttpError } from '@influxdata/influxdb-client';
import { z } from 'zod';
import type { InfluxdbConfig } from './config.js';
import type { AskServer } from './server.js';

const orgList = z.object({ orgs: z.array(z.object({ id: z.string(), name: z.string() })) });

/** @throws EW_SINK_DENIED if the token may not, HttpError for whatever else the server says */
export async function createBucket(
  { org, bucket, createBucket: { retentionS } }: InfluxdbConfig,
  ask: AskServer,
): Promise<void> {
  const retentionRules = retentionS > 0 ? [{ type: 'expire', everySeconds: retentionS }] : [];
  try {
    const body = JSON.stringify({ orgID: await orgId(org, ask), name: bucket, retentionRules });
    await ask('/api/v2/buckets', { method: 'POST', body });
  } catch (error) {
    if (!(error instanceof HttpError)) throw error;
    // Somebody else was quicker.
    if (error.statusCode === 422 && /already exists/.test(error.message)) return;
    if (error.statusCode !== 401 && error.statusCode !== 403 && error.statusCode !== 404) throw error;
    throw new EdgewardError(
      'EW_SINK_DENIED',
      `Bucket ${bucket} is missing and this token may not create it (${error.statusCode}: ${error.message}). ` +
        `Remedy: create the bucket, or give a token that may write buckets of org ${org}.`,
      { cause: error },
    );
  }
}

async function orgId(org: string, ask: AskServer): Promise<string> {
  const answer = await ask(`/api/v2/orgs?org=${encodeURIComponent(org)}`, { method: 'GET', body: '' });
  const found = orgList.parse(JSON.parse(answer)).orgs.find(({ name }) => name === org);
  return found?.id ?? org;
}
