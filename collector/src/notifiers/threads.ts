interface Queued {
  readonly order: number;
  readonly view: { readonly id: string; readonly incidentId: string | null; readonly state: string };
}

export function oldestFirst<Item extends Queued>(items: Iterable<Item>): Item[] {
  return [...items].sort((a, b) => a.order - b.order);
}

/** Ids of those that alone tell that somebody was told of an incident that is not told to be over: they stay longest. */
export function lastWords<Item extends Queued>(
  items: Iterable<Item>,
  isClosing: (item: Item) => boolean,
): ReadonlySet<string> {
  const last = new Map<string | null, Item>();
  for (const one of oldestFirst(items)) last.set(one.view.incidentId, one);
  last.delete(null);
  return new Set([...last.values()].flatMap(one => (isClosing(one) ? [] : [one.view.id])));
}

/** The next of each incident, oldest first: of one incident none overtakes an earlier one. */
export function nextOfEach<Item extends Queued>(items: Iterable<Item>): Item[] {
  const threads = new Set<string>();
  return oldestFirst(items)
    .filter(({ view }) => view.state === 'queued')
    .filter(({ view: { incidentId, id } }) => {
      const thread = incidentId ?? id;
      return !threads.has(thread) && threads.add(thread);
    });
}
