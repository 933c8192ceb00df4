/** Resolves once it has ended, well or not; does not hold on to what came of it, which may be large. */
export function settled(work: Promise<unknown>): Promise<void> {
  return work.then(nothing, nothing);
}

function nothing(): void {}
