/** As much of Dockerfiles as ours use. What it does not know it refuses. */
import { readFileSync } from 'node:fs';

export interface Instruction {
  readonly name: string;
  /** Behind the name, without options. */
  readonly text: string;
  readonly options: Readonly<Record<string, string>>;
}

export interface DockerStage {
  /** A stage above, or an image. */
  readonly base: string;
  readonly name: string | undefined;
  readonly instructions: readonly Instruction[];
}

const known = new Set(
  'ARG FROM WORKDIR COPY RUN ENV USER VOLUME EXPOSE STOPSIGNAL HEALTHCHECK ENTRYPOINT CMD'.split(' '),
);

export function readDockerfile(file: string): DockerStage[] {
  const lines = readFileSync(file, 'utf8')
    .split('\n')
    .filter(line => !/^\s*#/.test(line))
    .join('\n')
    .replace(/\\\n\s*/g, '')
    .split('\n')
    .filter(line => line.trim() !== '');
  const all = lines.map(parseLine);
  const args = new Map(all.filter(({ name }) => name === 'ARG').map(({ text }) => pairOf(text)));
  const stages: { base: string; name: string | undefined; instructions: Instruction[] }[] = [];
  for (const instruction of all) {
    if (instruction.name === 'FROM') {
      const [image, , name] = instruction.text.split(/\s+/);
      const base = image!.replace(/\$\{(\w+)\}/g, (_, word: string) => args.get(word) ?? '');
      stages.push({ base, name, instructions: [] });
    } else stages.at(-1)?.instructions.push(instruction);
  }
  return stages;
}

function parseLine(line: string): Instruction {
  const [, name, rest] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
  if (name === undefined || !known.has(name)) throw new Error(`not understood: ${line}`);
  const options: Record<string, string> = {};
  const text = rest!.replace(/^(--[\w-]+=\S+\s+)+/, found => {
    for (const option of found.trim().split(/\s+/)) {
      const [key, value] = pairOf(option.slice(2));
      options[key] = value;
    }
    return '';
  });
  return { name, text, options };
}

/** `a=b` */
export function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Of `["node", "x"]`; ours have no other form. */
export function wordsOf(text: string): string[] {
  return JSON.parse(text.slice(text.indexOf('['))) as string[];
}
