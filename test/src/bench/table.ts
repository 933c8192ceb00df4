/** Lines of text with columns as wide as their widest cell; the first to the left, numbers to the right. */
export function table(rows: readonly (readonly string[])[]): string {
  const columns = Math.max(...rows.map(row => row.length));
  const widths = Array.from({ length: columns }, (_, c) =>
    Math.max(...rows.map(row => (row[c] ?? '').length)),
  );
  const line = (row: readonly string[]) =>
    widths.map((width, c) => (c ? (row[c] ?? '').padStart(width) : (row[c] ?? '').padEnd(width))).join('  ');
  return rows.map(row => line(row).trimEnd()).join('\n');
}

/** Three significant digits, thousands whole; "n/a" for what this system cannot tell. */
export function figure(value: number | undefined): string {
  if (value === undefined) return 'n/a';
  if (Math.abs(value) >= 1000) return Math.round(value).toLocaleString('en');
  return String(Number(value.toPrecision(3)));
}

/** `a` as a multiple of `b`. */
export function ratio(a: number | undefined, b: number | undefined): string {
  return a === undefined || b === undefined || b === 0 ? 'n/a' : `×${(a / b).toFixed(2)}`;
}
