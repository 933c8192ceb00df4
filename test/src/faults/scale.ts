import { type TestContext, test } from 'node:test';

/** How much of the rig runs: a short part in `npm test`, all of it with EDGEWARD_FAULTS=full. */
export const full = process.env.EDGEWARD_FAULTS === 'full';

/** The same test, few times or often. EDGEWARD_FAULTS_TIMES overrules both. */
export function amount(few: number, all: number): number {
  const wanted = Number(process.env.EDGEWARD_FAULTS_TIMES);
  if (Number.isSafeInteger(wanted) && wanted > 0) return wanted;
  return full ? all : few;
}

interface RigOptions {
  /** Also in `npm test`; any other is only in the whole rig, and no test at all in the short one. */
  readonly inShort?: boolean;
  readonly timeout: number;
  /** Why it cannot be shown on this machine. */
  readonly skip?: string | false;
}

/** A row of the matrix. */
export function rigTest(
  name: string,
  { inShort = false, ...options }: RigOptions,
  body: (t: TestContext) => Promise<void>,
) {
  if (full || inShort || process.env.EDGEWARD_FAULTS_TIMES) test(name, options, body);
}

export const minutes = (n: number): number => n * 60_000;
