import { EdgewardError } from '@edgeward/shared/errors';
import { HttpError } from '@influxdata/influxdb-client';
import { z } from 'zod';
import type { InfluxdbConfig } from './config.js';
import type { AskServer } from './server.js';

const orgList = z.object({ orgs: z.array(z.object({ id: z.string(), name: z.string() })) });

/**
 * @throws EW_SINK_DENIED if the server will not have it so; never an HttpError of 4xx, which would be taken for a word
 *   about points
 */
export async function createBucket(config: InfluxdbConfig, ask: AskServer): Promise<void> {
  const { org, bucket, createBucket: wish } = config;
  const retentionRules = wish.retentionS > 0 ? [{ type: 'expire', everySeconds: wish.retentionS }] : [];
  try {
    const body = JSON.stringify({ orgID: await orgId(org, ask), name: bucket, retentionRules });
    await ask('/api/v2/buckets', { method: 'POST', body });
  } catch (error) {
    if (!(error instanceof HttpError) || error.statusCode >= 500 || error.statusCode === 429) throw error;
    // Somebody else was quicker.
    if (error.statusCode === 422 && /already exists/.test(error.message)) return;
    throw new EdgewardError(
      'EW_SINK_DENIED',
      `Bucket ${bucket} is missing and this token may not create it (${error.statusCode}: ${error.message}). ` +
        `Remedy: create the bucket, or give a token that may write the buckets of org ${org} and read that org.`,
      { cause: error },
    );
  }
}

/** What a token may not read the server leaves out: then the name is all there is, and the server will say so. */
async function orgId(org: string, ask: AskServer): Promise<string> {
  const answer = await ask(`/api/v2/orgs?org=${encodeURIComponent(org)}`, { method: 'GET', body: '' });
  const found = orgList.parse(JSON.parse(answer)).orgs.find(({ name }) => name === org);
  return found?.id ?? org;
}
