/**
 * The only words that a language model may use beside aliases, numbers and the names of the ranked causes. None names a
 * cause, an action, a severity or an order of events, so that no sentence made of them can.
 */
export const plainWords: readonly string[] = (
  'a about above all also an and another apart appears are around as at be been began below beside besides ' +
  'best between beyond both but by can cause causes change changed changes channel channels clear clearly come ' +
  'comes compared consistent could decreased device devices diagnosis differs does down ' +
  'dropped each elevated evidence exceeds explain explained explains explanation fell finding findings fit ' +
  'fits for from further gateway had has have high higher highest implausible impossible in incident increased ' +
  'indicate indicates indicating is it its itself jumped jumping jumps lay level lies likely look looks ' +
  'low lower lowest main may might more most moved much near noise noisier noisy normal of off on one or ' +
  'other others part particular pattern point points possible possibly previously ' +
  'probability probable probably range rank ranked ranking ranks reach reached reading readings remain ' +
  'remains reported result risen rose same seen shift shifted show showed showing shows sign signs ' +
  'single speak speaks stand stands state stayed stays step stuck such suggest suggesting suggests support ' +
  'supported supports than that the their them there these they this those though time times to ' +
  'too trouble unchanged unusual unusually up usual usually utc value values very was well were ' +
  'what when where whereas which while with within would'
).split(' ');

/** What a channel can be said to do, by the words that say so. */
export const manners = {
  high: 'high higher highest above rose risen increased elevated exceeds up',
  low: 'low lower lowest below fell dropped decreased down',
  changed: 'changed shifted shift moved differs change',
  jumping: 'jumps jumping jumped',
  noisy: 'noisy noisier noise',
  stuck: 'stuck',
  outOfRange: 'impossible implausible',
  usual: 'normal usual usually unchanged',
  unusual: 'unusual unusually',
  step: 'step',
} as const;

export type Manner = keyof typeof manners;

export const mannerOfWord: ReadonlyMap<string, Manner> = new Map(
  Object.entries(manners).flatMap(([manner, words]) =>
    words.split(' ').map((word): [string, Manner] => [word, manner as Manner]),
  ),
);
