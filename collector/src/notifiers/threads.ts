interface Queued {
  readonly order: number;
  readonly view: { readonly id: string; readonly incidentId: string | null; readonly state: string };
}

export function oldestFirst<Item extends Queued>(items: Iterable<Item>): Item[] {
  return [...items].sort((a, b) => a.order - b.order);
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
