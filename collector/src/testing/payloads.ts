// biome-ignore-all lint/suspicious/noTemplateCurlyInString: templates of others are payloads here
/** What somebody may write into names, units, rules and texts to make more of a message than words. */
import type { Incident } from '../alerts/incident.js';
import { aDiagnosis } from './a-diagnosis.js';
import { anIncident } from './an-incident.js';

export const payloads: readonly string[] = [
  // HTML
  '<script>alert(1)</script>',
  '<img src=x onerror=alert(1)>',
  '<svg/onload=alert(1)>',
  '</td></tr></table><h1>Pay here</h1>',
  '</bdi></title></style><b>',
  '"><a href="https://evil.example">click</a>',
  "' onmouseover='alert(1)",
  '<!-- chart -->',
  '--><script>1</script><!--',
  '<![CDATA[<b>]]>',
  '<base href="https://evil.example/">',
  '<meta http-equiv=refresh content="0;url=https://evil.example">',
  '<form action=https://evil.example><input name=password>',
  '<iframe srcdoc="<script>1</script>">',
  '&lt;script&gt;alert(1)&lt;/script&gt;',
  '&#60;script&#62;',
  '<a\u0000b>',
  '<\u0073cript>',
  '＜script＞',
  // Headers
  'x\r\nBcc: all@example.com',
  'x\nBcc: all@example.com',
  'x\rBcc: all@example.com',
  'x\r\n\r\n<html>second body</html>',
  'x\r\n.\r\nMAIL FROM:<evil@example.com>',
  'x\u0085Bcc: all@example.com',
  'x\u2028Bcc: all@example.com',
  'x%0d%0aBcc: all@example.com',
  '=?utf-8?Q?Bcc=3A_all=40example.com?=',
  '=?utf-8?B?PHNjcmlwdD4=?=',
  'Content-Type: text/html; boundary="--_NmP"',
  '----_NmP-Part_1--',
  'a <evil@example.com>, b@example.com',
  'To: all@example.com\u0000',
  // CSS
  'red;position:fixed;top:0',
  '"></style><style>*{display:none}</style>',
  'expression(alert(1))',
  'url(https://evil.example/x.png)',
  '}body{background:url(//evil.example)}',
  // URLs
  'https://evil.example/login',
  'HTTPS://EVIL.EXAMPLE',
  'javascript:alert(1)',
  'data:text/html,<script>1</script>',
  'www.evil.example',
  'file:///etc/passwd',
  '//evil.example',
  '../../../../etc/passwd',
  // Direction and look
  '\u202egnp.exe',
  '\u2066abc\u2069\u202d',
  'pump\u200b-\u20601',
  'שלום <b>',
  'p\u0303\u0303\u0303\u0303\u0303\u0303\u0303\u0303\u0303\u0303',
  '\ufeffpump',
  // Controls and encodings
  '\u0000\u0001\u0002\u001b[31mred\u001b[0m',
  'bell\u0007back\u0008\u007f',
  '\ud800',
  '\udc00\ud800',
  '\uffff\ufffe',
  'a\tb\u000bc\u000cd',
  // Templates and replacement
  '{{7*7}}',
  '${7*7}',
  '<%= 7*7 %>',
  '#{7*7}',
  "$& $1 $` $' $$",
  '%s %n %x',
  '__proto__',
  'constructor',
  // Chats
  '<!channel>',
  '<!here|here>',
  '<@U012AB3CD>',
  '<#C012AB3CD|general>',
  '<https://evil.example|click>',
  '&lt;!channel&gt;',
  '@channel @here @all',
  '*bold* _italic_ ~struck~ `code`',
  '[click](https://evil.example)',
  '![x](https://evil.example/x.png)',
  '> quote',
  ':fire: :smile:',
  '{data.link} {secret.key}',
  '{{data.title}}',
  '"}, {"text": "more"',
  // Size
  'A'.repeat(5000),
  '<'.repeat(5000),
  '🧨'.repeat(2000),
  '',
  ' ',
];

/** The word in every place that somebody else fills. */
export function tainted(word: string): Incident {
  const base = anIncident();
  const diagnosis = aDiagnosis();
  return anIncident({
    gateway: word,
    site: word,
    device: word,
    deviceType: word,
    title: `${word}: ${word} high`,
    source: word,
    model: word,
    channels: base.channels.map((channel, i) => ({
      ...channel,
      field: word,
      unit: word,
      ...(i === 1 && { of: `mean(${word}, 10m)` }),
    })),
    recommendations: base.recommendations.map(() => word),
    timeline: base.timeline.map(({ atMs }) => ({ atMs, text: word })),
    diagnosis: {
      ...diagnosis,
      causes: diagnosis.causes.map(cause => ({ ...cause, cause: word, component: word, id: word })),
      evidence: diagnosis.evidence.map(({ id }) => ({ id, text: word, device: word, field: word })),
    },
    parts: [
      { id: 'inc-2', device: word },
      { id: 'inc-3', device: word },
      { id: 'inc-4', device: word, gateway: `${word}-2` },
      { id: 'inc-5', device: word, gateway: word, bond: 'feeds' },
    ],
    // Its empty lines part paragraphs, as they should.
    wording: { text: word.replaceAll(/\s+/g, ' '), model: word },
  });
}
