/** Whether a text fits a pattern in which each `*` stands for any run of characters. Never slower than their product. */
export function fits(pattern: string, text: string): boolean {
  let [p, t] = [0, 0];
  let [star, from] = [-1, 0];
  while (t < text.length)
    if (pattern[p] === '*') {
      star = p;
      from = t;
      p += 1;
    } else if (pattern[p] === text[t]) {
      p += 1;
      t += 1;
    } else if (star >= 0) {
      p = star + 1;
      from += 1;
      t = from;
    } else return false;
  while (pattern[p] === '*') p += 1;
  return p === pattern.length;
}

/** The more of a name it spells out, the more it says. */
export function exactness(pattern: string): number {
  return pattern.includes('*') ? pattern.replaceAll('*', '').length : Number.POSITIVE_INFINITY;
}
