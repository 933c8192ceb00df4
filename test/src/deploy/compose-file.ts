import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';
import { root } from '../support/root.js';

export interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly user?: string;
  readonly read_only?: boolean;
  readonly init?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly secrets?: readonly (string | { readonly source: string; readonly target: string })[];
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly deploy?: { readonly resources: { readonly limits: Readonly<Record<string, unknown>> } };
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly secrets: Readonly<Record<string, { readonly file: string }>>;
}

export const composePath = 'deploy/compose.yaml';

export function readCompose(): ComposeFile {
  return parse(readFileSync(path.join(root, composePath), 'utf8'), { merge: true }) as ComposeFile;
}

/** `source:target[:mode]` of volumes; a source with a slash is a file of the repository, relative to deploy. */
export function mountsOf({ volumes = [] }: Service): { source: string; target: string; mode?: string }[] {
  return volumes.map(text => {
    const [source, target, mode] = text.split(':');
    return { source: source!, target: target!, ...(mode !== undefined && { mode }) };
  });
}
