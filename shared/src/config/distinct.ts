import type { z } from 'zod';

interface Telling<Entry> {
  /** What must not come twice; undefined = nothing to compare. */
  readonly keyOf: (entry: Entry) => string | undefined;
  /** The option it stands in. */
  readonly field: string;
  /** `two sources have this name`; gets the index of the first of the two. */
  readonly problem: (first: number, key: string) => string;
  readonly remedy: string;
}

/** For `superRefine` of a list: an entry that is told apart by nothing from one before it is an issue at its own place. */
export function distinct<Entry>({ keyOf, field, problem, remedy }: Telling<Entry>) {
  return (entries: readonly Entry[], context: z.RefinementCtx): void => {
    const first = new Map<string, number>();
    for (const [i, entry] of entries.entries()) {
      const key = keyOf(entry);
      if (key === undefined) continue;
      const earlier = first.get(key);
      if (earlier === undefined) first.set(key, i);
      else
        context.addIssue({
          code: 'custom',
          path: [i, field],
          message: `${problem(earlier, key)}. Remedy: ${remedy}`,
        });
    }
  };
}

/** Every entry needs a name of its own; one that is left out defaults to the type and counts too. */
export function distinctNames(list: string) {
  return distinct<{ readonly name: string }>({
    keyOf: entry => entry.name,
    field: 'name',
    problem: (first, name) => `${list}[${first}] has the name ${JSON.stringify(name)} already`,
    remedy: 'choose another name',
  });
}
