/** What one sentence claims, held against the evidence that it rests on. */
import { unitSigns } from '../diagnosis/known-units.js';
import { type Manner, mannerOfWord, plainWords } from './plain-words.js';
import type { AskedCause, AskedEvidence, Question } from './question.js';

export interface Facts {
  readonly question: Question;
  /** What each item says of its channel, by its id. */
  readonly manners: ReadonlyMap<string, ReadonlySet<Manner>>;
}

const words = new Set(plainWords);
const escaped = unitSigns.map(sign => sign.replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&'));
const unitPattern = escaped.join('|');

/** In this order: alias or id, time, number with unit, word, and what stands between them. */
const token = new RegExp(
  `(?<alias>\\b[CDEGKP]\\d+\\b)|(?<clock>\\b\\d{1,2}:\\d\\d(?::\\d\\d)?(?![\\d:]))|` +
    `(?<number>(?<![\\w.])-?\\d+(?:\\.\\d+)?(?:e[+-]?\\d+)?)(?: ?(?<unit>${unitPattern})(?![\\p{L}\\d/²³]))?(?![\\p{L}\\d])|` +
    `(?<word>\\p{L}+(?:'s)?)|(?<between>[\\s"%'().,:;?!+–-])`,
  'guy',
);

interface Figure {
  readonly value: number;
  readonly decimals: number;
  readonly unit: string;
}

interface Clause {
  readonly aliases: string[];
  readonly figures: Figure[];
  readonly clocks: string[];
  readonly words: string[];
}

/**
 * @param cited  ids that the sentence rests on; undefined = all
 * @returns why it does not hold, without a word of it; undefined = it holds
 */
export function sentenceFault(
  sentence: string,
  cited: readonly string[] | undefined,
  facts: Facts,
): string | undefined {
  const { question } = facts;
  const text = withoutPhrases(withAliases(withoutQuotes(normal(sentence), question), question.causes));
  const clauses: Clause[] = [];
  for (const part of text.split(/;|,(?!\d)|\b(?:and|but|while|whereas)\b/i)) {
    const clause = clauseOf(part);
    if (typeof clause === 'string') return clause;
    clauses.push(clause);
  }
  const all = clauses.flatMap(clause => clause.aliases);
  const spoken = clauses.flatMap(clause => clause.words).length;
  if (spoken === 0 || spoken + all.length < 2) return 'no sentence';
  const known = new Set([...question.names.keys(), ...question.evidence.map(({ id }) => id)]);
  if (all.some(alias => !known.has(alias))) return 'a foreign alias';
  const inline = all.filter(alias => alias.startsWith('E'));
  if (cited && inline.some(id => !cited.includes(id))) return 'cites what it does not rest on';
  const ids = cited ?? (inline.length > 0 ? inline : question.evidence.map(({ id }) => id));
  const items = question.evidence.filter(({ id }) => ids.includes(id));
  return (
    certaintyFault(clauses, all, question) ??
    channelFault(clauses, items, facts) ??
    relationFault(all, items, cited !== undefined || inline.length > 0, question)
  );
}

/** What an item of evidence says, by the fixed words of diagnosis/explain.ts. */
export function itemManners({ text }: AskedEvidence): ReadonlySet<Manner> {
  const found = new Set<Manner>();
  const says = (pattern: RegExp, ...manners: Manner[]) => {
    if (pattern.test(text)) for (const manner of manners) found.add(manner);
  };
  says(/ is high:/, 'high', 'changed');
  says(/ is low:/, 'low', 'changed');
  says(/ is changed:/, 'changed');
  says(/ jumps:/, 'jumping');
  says(/from row to row/, 'noisy');
  says(/does not move/, 'stuck');
  says(/outside what is physically/, 'outOfRange');
  says(/ is as (?:before|usual):/, 'usual');
  says(/in one step/, 'step', 'changed');
  says(/ times what it was/, 'changed');
  if (found.size > 0 && !found.has('usual')) found.add('unusual');
  return found;
}

function normal(text: string): string {
  return text
    .replaceAll(/[\u00a0\u202f]/g, ' ')
    .replaceAll('−', '-')
    .replaceAll('—', '–')
    .replaceAll('’', "'")
    .replaceAll(/[“”]/g, '"');
}

/** What stands beside the channels' own evidence is said word for word; it comes down to its id. */
function withoutQuotes(text: string, { evidence }: Question): string {
  const quotable = evidence.filter(({ kind }) => kind !== undefined);
  return quotable.reduce(
    (rest, item) => rest.replaceAll(wholeWords(normal(item.text)), ` ${item.id} shows it `),
    text,
  );
}

function wholeWords(phrase: string): RegExp {
  return new RegExp(`(?<![\\p{L}\\d])${escapeRegExp(phrase)}(?![\\p{L}\\d])`, 'giu');
}

/** Names of ranked causes and their parts, word for word, become their aliases. */
function withAliases(text: string, causes: readonly AskedCause[]): string {
  const phrases = causes
    .flatMap(({ alias, text: cause, part, partText }) => [[cause, alias] as const, [partText, part] as const])
    .sort(([a], [b]) => b.length - a.length);
  let result = text;
  for (const [phrase, alias] of phrases)
    if (phrase.length > 2) result = result.replaceAll(wholeWords(normal(phrase)), ` ${alias} `);
  return result;
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\/-]/g, '\\$&');
}

/** What is said of others, in a word each, and the evidence that it needs. */
const alone = 'nootherchannel';
const noneElse = 'nootherdevice';
const others: Readonly<Record<string, RegExp>> = {
  [alone]: /^No other channel /,
  [noneElse]: /^No other device /,
  other: /^\d+ other devices? /,
  others: /^\d+ other devices? /,
};

const past = '(?: its| the| their)? (?:usual|normal|previous|earlier)(?: range| values?| level)?\\b';

/** Turns of speech that mean something else than their words: said in one word, or not at all. */
function withoutPhrases(text: string): string {
  return text
    .replaceAll(new RegExp(`\\b(?:outside|out)(?: of)?${past}`, 'gi'), ' changed ')
    .replaceAll(new RegExp(`\\b(than|above|below|from|compared (?:to|with))${past}`, 'gi'), ' $1 ')
    .replaceAll(/\bas before\b/gi, ' as usual ')
    .replaceAll(new RegExp(`(\\d(?: ?(?:${unitPattern}))?) before\\b`, 'gi'), '$1 ')
    .replaceAll(/\b(?:does|do) not move(?: at all)?\b/gi, ' is stuck ')
    .replaceAll(/\bno other channels?(?: of \S+)? shows? anything (?:clearly )?unusual\b/gi, ` D1 ${alone} `)
    .replaceAll(/\bno other devices?(?: of \S+)? (?:is|are) in trouble\b/gi, ` D1 ${noneElse} `)
    .replaceAll(/\bagainst (?=-?\d)|\bsince (?=\d{1,2}:\d\d)/gi, ' ');
}

function clauseOf(part: string): Clause | string {
  const clause: Clause = { aliases: [], figures: [], clocks: [], words: [] };
  token.lastIndex = 0;
  while (token.lastIndex < part.length) {
    const groups = token.exec(part)?.groups;
    if (!groups) return 'a sign that has no place there';
    const { alias, clock, number, unit, word } = groups;
    if (alias !== undefined) clause.aliases.push(alias.toUpperCase());
    else if (clock !== undefined) clause.clocks.push(clock);
    else if (number !== undefined) clause.figures.push(figureOf(number, unit));
    else if (word !== undefined) {
      const plainWord = word.toLowerCase().replace(/'s$/, '');
      if (!isPlain(plainWord)) return 'a word that is not a plain one';
      clause.words.push(plainWord);
    }
  }
  return clause;
}

/** Words that turn a sentence round (less, unlikely, against, despite) are none: causes would change places by them. */
function isPlain(word: string): boolean {
  return words.has(word) || Object.hasOwn(others, word);
}

function figureOf(number: string, unit = ''): Figure {
  const decimals = number.toLowerCase().includes('e') ? 0 : (number.split('.')[1]?.length ?? 0);
  return { value: Number(number), decimals, unit };
}

const hedges = /^likely$|^prob|^possibl|^suggest|^indicat|^point|^fit|^consistent$|^may$|^might$|^could$/;
const strong = /^likely$|^probabl[ey]$/;
/** Said of the first cause only. */
const foremost = /^likely$|^probabl[ey]$|^most$|^main$|^best$|^clear|^single$|^causes?$/;

/** A cause is named with how sure it is, the best one alone as the best, and shares are its own. */
function certaintyFault(
  clauses: readonly Clause[],
  all: readonly string[],
  { causes, verdict }: Question,
): string | undefined {
  const ofAll = all.filter(alias => alias.startsWith('K'));
  const spoken = clauses.flatMap(clause => clause.words);
  const percents = clauses.flatMap(({ figures }) => figures.filter(({ unit }) => unit === '%'));
  if (ofAll.length > 0 && percents.length === 0 && !spoken.some(word => hedges.test(word)))
    return 'a cause as if it were certain';
  for (const { aliases, figures, words: said } of clauses) {
    const own = aliases.filter(alias => alias.startsWith('K'));
    const subjects = own.length > 0 ? own : ofAll;
    if (said.some(word => strong.test(word)) && verdict !== 'likely') return 'surer than the diagnosis';
    if (said.some(word => foremost.test(word)) && subjects.some(alias => alias !== 'K1'))
      return 'another cause as the first';
    const isHedged = said.some(word => hedges.test(word)) || figures.some(({ unit }) => unit === '%');
    if (own.length > 0 && said.length > 0 && !isHedged) return 'a cause as if it were certain';
  }
  for (const { aliases, figures } of clauses)
    for (const { value, unit } of figures) {
      if (unit !== '%') continue;
      const own = aliases.filter(alias => alias.startsWith('K'));
      if (own.length === 0 && aliases.some(alias => alias.startsWith('C'))) continue;
      const subjects = own.length > 0 ? own : ofAll;
      if (!causes.some(({ alias, percent }) => subjects.includes(alias) && percent === value))
        return 'a share that is not that of the cause';
    }
  return undefined;
}

/** Numbers and directions are those of the channels that they stand with. */
function channelFault(
  clauses: readonly Clause[],
  items: readonly AskedEvidence[],
  { manners }: Facts,
): string | undefined {
  const ofCauses = clauses.some(({ aliases }) => aliases.some(alias => alias.startsWith('K')));
  let channels: string[] = [];
  for (const clause of clauses) {
    const own = clause.aliases.filter(alias => alias.startsWith('C'));
    const said = clause.words.flatMap(word => others[word] ?? []);
    if (own.length > 0 || said.length > 0) channels = own;
    if (said.some(pattern => !items.some(({ text }) => pattern.test(text)))) return 'others without evidence';
    const isOfCause = ofCauses && own.length === 0;
    if (own.some(alias => !items.some(({ channel }) => channel === alias)))
      return 'a channel without evidence';
    const about = items.filter(({ channel }) => channel !== undefined && channels.includes(channel));
    const basis = channels.length > 0 ? about : items;
    const figures = clause.figures.filter(({ unit }) => !(isOfCause && unit === '%'));
    const whole = basis.map(({ text }) => text).join('\n');
    if (figures.some(figure => !isIn(figure, whole))) return 'a number that is not in the evidence';
    if (clause.clocks.some(clock => !whole.includes(` ${clock}`)))
      return 'a time that is not in the evidence';
    for (const word of clause.words) {
      const manner = mannerOfWord.get(word);
      if (manner === undefined) continue;
      if (channels.length === 0) return 'a claim about no channel';
      const holds = (channel: string) =>
        about.some(item => item.channel === channel && manners.get(item.id)?.has(manner));
      if (!channels.every(holds)) return 'a channel does what the evidence does not say';
    }
  }
  return undefined;
}

/** Evidence stands beside a cause only if it speaks for it. */
function relationFault(
  all: readonly string[],
  items: readonly AskedEvidence[],
  areCited: boolean,
  { causes }: Question,
): string | undefined {
  const named = causes.filter(({ alias }) => all.includes(alias));
  const channels = all.filter(alias => alias.startsWith('C'));
  if (named.length === 0 || (!areCited && channels.length === 0)) return undefined;
  const meant =
    channels.length === 0 ? items : items.filter(({ channel }) => channels.includes(channel ?? ''));
  const supported = (item: AskedEvidence) => named.some(({ evidence }) => evidence.includes(item.id));
  // Without citations a channel may have items on both sides: one that speaks so is enough.
  const holds = areCited
    ? meant.every(supported)
    : channels.every(alias => meant.some(item => item.channel === alias && supported(item)));
  return holds ? undefined : 'evidence on the wrong side of a cause';
}

/** As it stands there, or rounded: to its decimals, by at most 5 %. */
function isIn({ value, decimals, unit }: Figure, text: string): boolean {
  for (const { groups } of normal(text).matchAll(new RegExp(token, 'giu'))) {
    if (groups?.number === undefined) continue;
    if (unit !== '' && unit !== (groups.unit ?? unitBehind(groups.number, unit, text))) continue;
    const given = Number(groups.number);
    const slack = Math.min(0.5 * 10 ** -decimals, 0.05 * Math.abs(given)) + 1e-9 * Math.abs(given);
    if (Math.abs(given - value) <= slack) return true;
  }
  return false;
}

/** In `18 – 32 m³/h` the unit is that of both. */
function unitBehind(number: string, unit: string, text: string): string | undefined {
  const range = `${number} – `;
  const at = normal(text).indexOf(range);
  if (at < 0) return undefined;
  const rest = normal(text).slice(at + range.length);
  return new RegExp(`^-?[\\d.]+(?:e[+-]?\\d+)? ?${escapeRegExp(unit)}(?![\\p{L}\\d/²³])`, 'u').test(rest)
    ? unit
    : undefined;
}
