/** How much of the rig runs: a short part in `npm test`, all of it with EDGEWARD_FAULTS=full. */
export const full = process.env.EDGEWARD_FAULTS === 'full';

/** The same test, few times or often. EDGEWARD_FAULTS_TIMES overrules both. */
export function amount(few: number, all: number): number {
  const wanted = Number(process.env.EDGEWARD_FAULTS_TIMES);
  if (Number.isSafeInteger(wanted) && wanted > 0) return wanted;
  return full ? all : few;
}

/** For tests that are only in the full run: the reason, or false. */
export const onlyInFull = full ? false : 'part of npm run test:faults';

/** The same for some of many alike. EDGEWARD_FAULTS_TIMES asks for all of them. */
export function onlyInFullUnless(inShort: boolean): string | false {
  return inShort || process.env.EDGEWARD_FAULTS_TIMES ? false : onlyInFull;
}

export const minutes = (n: number): number => n * 60_000;
