/**
 * Finds what a text claims and its incident does not say. This parser shares nothing with what renders mails: it takes
 * away what the incident says, then what is known of the template; what is left is made up.
 */
/** All words that the template may say by itself. */
const template = new Set(
  `a about affected after against alarm also an and anomaly another answering are as become becomes been began behaves
  below beyond broken by can cause causes change channel channels clock closed comes component compared critical data
  day detector details device digest direction does drift drifted each edgeward else evidence explains extreme far
  field first flagged for forest from gateway guesses happened has have high how id implausible in incident info is
  isolation it its judged known language lasted last lay lies likely limit limits look low machine mail main model
  models moved most much name no nobody none not of on one only open or ordinary other outside over own past physically
  points possible quality reaches reading readings recommended rise rose row rows rule s says score scored sends sent
  severity share showed shown since site so sure than that the these they think this same timeline to too told trained unknown
  unlike unusual unusually until usual usually utc value warning was we weak were what when why wiring with within words
  wording you who news now there counts range without looks called but together while off shows do sensor rather a possible at all
  were which named `.split(/\s+/),
);

const months = 'Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec';
const unitMs: Readonly<Record<string, number>> = {
  d: 86_400_000,
  h: 3_600_000,
  min: 60_000,
  s: 1000,
  ms: 1,
};

interface Known {
  readonly strings: readonly string[];
  readonly numbers: readonly number[];
  readonly timesMs: readonly number[];
}

function knownOf(value: unknown, key = ''): Known {
  if (typeof value === 'string') return { strings: namesOf(value), numbers: [], timesMs: [] };
  if (typeof value === 'number')
    return key.endsWith('Ms')
      ? { strings: [], numbers: [], timesMs: [value] }
      : { strings: [], numbers: [value], timesMs: [] };
  if (typeof value !== 'object' || value === null) return { strings: [], numbers: [], timesMs: [] };
  const parts = Object.entries(value).map(([name, one]) => knownOf(one, Array.isArray(value) ? key : name));
  return {
    strings: parts.flatMap(({ strings }) => strings),
    numbers: parts.flatMap(({ numbers }) => numbers),
    timesMs: parts.flatMap(({ timesMs }) => timesMs),
  };
}

/** Units as people write them. */
const signs: Readonly<Record<string, string>> = {
  Cel: '°C',
  'm3/h': 'm³/h',
  m3: 'm³',
  Ohm: 'Ω',
  'm/s2': 'm/s²',
};

/** Spaces that hold words together are spaces; what has neither letter nor digit, say a unit `%`, names nothing. */
function namesOf(text: string): string[] {
  const plain = text.replaceAll('\u00a0', ' ');
  return [plain, signs[plain] ?? ''].filter(one => /[\p{L}\p{N}]/u.test(one));
}

/** Claims of the text that are not the incident's. @param words  all that it may say by itself, in lower case */
export function unfounded(text: string, incident: unknown, words: ReadonlySet<string> = template): string[] {
  const { strings, numbers, timesMs } = knownOf(incident);
  const foreign: string[] = [];
  let rest = text.replaceAll('\u00a0', ' ');
  const take = (pattern: RegExp, isFounded: (found: RegExpExecArray) => boolean) => {
    rest = rest.replaceAll(pattern, (...found) => {
      if (!isFounded(found as unknown as RegExpExecArray)) foreign.push(found[0]);
      return ' ';
    });
  };
  rest = rest
    .replaceAll('(0 is ordinary, 1 is extreme)', ' ')
    .replaceAll('Usual is what 98 % of the rows', ' ');
  for (const known of [...new Set(strings)].sort((a, b) => b.length - a.length))
    take(new RegExp(`(?<![\\p{L}\\p{N}])${escaped(known)}(?![\\p{L}\\p{N}])`, 'gu'), () => true);
  const dates = timesMs.map(ms => new Date(ms));
  const clocks = new Set(dates.map(date => date.toISOString().slice(11, 19)));
  const days = new Set(
    dates.map(date => `${date.getUTCDate()} ${date.toUTCString().slice(8, 11)} ${date.getUTCFullYear()}`),
  );
  take(new RegExp(`\\d{1,2} (?:${months}) \\d{4}`, 'g'), ([day]) => days.has(day));
  take(/\d\d:\d\d:\d\d/g, ([clock]) => clocks.has(clock));
  take(/(\d+) (d|h|min|s|ms)\b(?: (\d+) (h|min|s)\b)?/g, ([, count, unit, more, small]) => {
    const least = unitMs[small ?? unit!]!;
    const ms = Number(count) * unitMs[unit!]! + Number(more ?? 0) * least;
    return timesMs.some(a => timesMs.some(b => Math.abs(a - b - ms) <= least));
  });
  take(/^\s*\d+\.(?=\s)/gm, () => true);
  // A share, or a reading in %.
  take(/(?<![\d.])(\d+) %/g, ([, share]) =>
    numbers.some(one => [one, 100 * one].some(known => Math.abs(known - Number(share)) <= 0.5000001)),
  );
  take(/[−-]?\d+(?:\.(\d+))?(?:e([+−-]?\d+))?/g, ([whole, decimals = '', power = '0']) => {
    const value = Number(whole!.replaceAll('−', '-'));
    const unit = 10 ** (Number(power.replace('−', '-')) - decimals.length);
    return numbers.some(one => Math.abs(one - value) <= 0.5000001 * unit);
  });
  take(/[\p{L}\p{N}_]+/gu, ([word]) => words.has(word.toLowerCase()));
  return foreign;
}

function escaped(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}

/** What a reader of the HTML sees, a line for each block. */
export function readable(html: string): string {
  const entities: Readonly<Record<string, string>> = {
    amp: '&',
    lt: '<',
    gt: '>',
    quot: '"',
    '#39': "'",
    nbsp: '\u00a0',
  };
  return html
    .replace(/^[\s\S]*<\/head>/, '')
    .replaceAll(/<\/?(?:wbr|b|bdi|span)\b[^>]*>/g, '')
    .replaceAll(/<[^>]*>/g, '\n')
    .replaceAll(/&([a-z#0-9]+);/g, (_, name: string) => entities[name] ?? '?');
}
