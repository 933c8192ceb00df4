/** The fault matrix: every named test of the rig is a row. */
export interface Row {
  readonly file: string;
  readonly name: string;
  readonly result: 'holds' | 'BROKEN' | 'known weak' | 'not shown';
  readonly seconds: number;
  /** Why it is broken or not shown. */
  readonly reason?: string;
}

export function matrixText(rows: readonly Row[]): string {
  const widest = Math.max(...rows.map(({ name }) => name.length));
  const lines = rows.map(({ name, result, seconds, reason }) =>
    `${name.padEnd(widest)}  ${result.padEnd(10)}  ${seconds.toFixed(1).padStart(7)} s  ${firstLine(reason)}`.trimEnd(),
  );
  const count = (result: Row['result']) => rows.filter(row => row.result === result).length;
  const sums = `${count('holds')} hold, ${count('BROKEN')} broken, ${count('known weak')} known to be weak, ${count('not shown')} not shown`;
  return [...lines, '', sums].join('\n');
}

function firstLine(text = ''): string {
  return text.split('\n', 1)[0]!.slice(0, 160);
}
