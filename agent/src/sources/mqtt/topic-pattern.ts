/** Topic filters of MQTT 3.1.1 (section 4.7) whose single levels may have names: `plant/{line}/{device}/#`. */

interface Level {
  /** Undefined: any text. */
  readonly text?: string;
  readonly name?: string;
}

export interface TopicPattern {
  /** As the broker understands it: `plant/+/+/#`. */
  readonly filter: string;
  readonly levels: readonly Level[];
  /** Ends in `#`: any further levels, or none. */
  readonly open: boolean;
  readonly names: readonly string[];
}

const namedLevel = /^\{([A-Za-z][A-Za-z0-9_]*)\}$/;
const longestFilter = 65_535;

/** @returns the pattern, or what is wrong with the text and what to write instead */
export function parsePattern(text: string): TopicPattern | string {
  const parts = text.split('/');
  const open = parts.at(-1) === '#';
  const levels = (open ? parts.slice(0, -1) : parts).map(levelOf);
  if (parts[0] === '$share')
    return 'a shared subscription loses order. Remedy: subscribe to the topic itself';
  const wrong = levels.indexOf(undefined);
  if (wrong >= 0) {
    return (
      `the level ${JSON.stringify(parts[wrong])} is neither text, {name}, + nor, at the end, #. ` +
      'Remedy: let {name} and + stand for whole levels, for example plant/{device}/{field}'
    );
  }
  const known = levels as readonly Level[];
  const filter = [...known.map(({ text: level }) => level ?? '+'), ...(open ? ['#'] : [])].join('/');
  if (filter === '' || Buffer.byteLength(filter) > longestFilter)
    return 'is empty or too long. Remedy: write a topic such as plant/{device}';
  const names = known.flatMap(({ name }) => (name === undefined ? [] : [name]));
  if (new Set(names).size < names.length)
    return 'has a name twice. Remedy: give every level a name of its own';
  return { filter, levels: known, open, names };
}

function levelOf(text: string): Level | undefined {
  const name = namedLevel.exec(text)?.[1];
  if (name !== undefined) return { name };
  if (text === '+') return {};
  return /[{}#+\0]/.test(text) ? undefined : { text };
}

/** What the named levels are in this topic; undefined if it does not match. */
export function matchTopic(pattern: TopicPattern, topic: string): ReadonlyMap<string, string> | undefined {
  const parts = topic.split('/');
  const { levels, open } = pattern;
  if (open ? parts.length < levels.length : parts.length !== levels.length) return undefined;
  // [MQTT-4.7.2-1]: a wildcard at the start leaves the broker's own topics out.
  if (topic.startsWith('$') && levels[0]?.text === undefined) return undefined;
  const found = new Map<string, string>();
  for (const [i, { text, name }] of levels.entries()) {
    if (text !== undefined && text !== parts[i]) return undefined;
    if (name !== undefined) found.set(name, parts[i]!);
  }
  return found;
}

/** Whether some topic matches both: a broker may then send its messages twice. */
export function overlap(a: TopicPattern, b: TopicPattern): boolean {
  const shared = Math.min(a.levels.length, b.levels.length);
  for (let i = 0; i < shared; i++) {
    const [one, other] = [a.levels[i]!.text, b.levels[i]!.text];
    if (one !== undefined && other !== undefined && one !== other) return false;
  }
  if (a.levels.length === b.levels.length) return true;
  return a.levels.length < b.levels.length ? a.open : b.open;
}

/** The names that a template such as `{line}-{device}` asks for. */
export function namesIn(template: string): string[] {
  return [...template.matchAll(/\{([^{}]*)\}/g)].map(match => match[1]!);
}

export function fillIn(template: string, names: ReadonlyMap<string, string>): string {
  return template.replace(/\{([^{}]*)\}/g, (_, name: string) => names.get(name) ?? '');
}
