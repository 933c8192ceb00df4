/** What a surprise is called, by what its agent says of it: `level, past 6 days`. */

const words: Readonly<Record<string, string>> = {
  value: 'its value, against the median of its past',
  'time of day': 'its values, against what is usual at this time of day',
  'hours beside the profile': 'its level over hours, against what is usual at this time of day',
  level: 'its level, against that of before',
  range: 'its value, outside of all before',
  'range beside the profile': 'its value, farther from what is usual at this time of day than all before',
};

interface Told {
  readonly name: string;
  /** `6 days`; undefined from an agent that says nothing of it. */
  readonly past: string | undefined;
}

function told(source: string): Told {
  const [name = '', past] = source.split(', past ');
  return { name, past };
}

/** `its level, against that of before`; what is not known by name stands for itself. */
export function surpriseWords(source: string): string {
  const { name } = told(source);
  return Object.hasOwn(words, name) ? words[name]! : name;
}

export function surprisePast(source: string): string | undefined {
  return told(source).past;
}

/** What a field does: `unusually high`, `higher than in all the past 6 days`. */
export function surpriseDoing(source: string, direction: 'high' | 'low' | 'unusual'): string {
  const { name, past } = told(source);
  if (direction === 'unusual') return 'unusual';
  if (past === undefined || !name.startsWith('range')) return `unusually ${direction}`;
  const farther = direction === 'high' ? 'higher' : 'lower';
  const when = name === 'range' ? '' : ' for the time of day';
  return `${farther}${when} than in all the past ${past}`;
}
