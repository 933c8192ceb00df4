/** What a rule is made of once parsed. */
export type Comparison = '>' | '>=' | '<' | '<=' | '==' | '!=';
export type Arithmetic = '+' | '-' | '*' | '/';
export type FunctionName = 'abs' | 'min' | 'max';

export type Term =
  | { readonly kind: 'number'; readonly value: number }
  | { readonly kind: 'field'; readonly name: string }
  | { readonly kind: 'minus'; readonly term: Term }
  | { readonly kind: 'arithmetic'; readonly op: Arithmetic; readonly left: Term; readonly right: Term }
  | { readonly kind: 'call'; readonly name: FunctionName; readonly args: readonly Term[] };

export interface Compare {
  readonly kind: 'compare';
  readonly op: Comparison;
  readonly left: Term;
  readonly right: Term;
}

export type Condition =
  | Compare
  | { readonly kind: 'and' | 'or'; readonly items: readonly Condition[] }
  | { readonly kind: 'not'; readonly item: Condition };

/** A condition without `not`: the opposite comparisons stand in its place. */
export type PlainCondition =
  | Compare
  | { readonly kind: 'and' | 'or'; readonly items: readonly PlainCondition[] };

const opposite: Readonly<Record<Comparison, Comparison>> = {
  '>': '<=',
  '>=': '<',
  '<': '>=',
  '<=': '>',
  '==': '!=',
  '!=': '==',
};

/**
 * Moves `not` into the comparisons. A comparison with a missing value is false, and so is its opposite: a rule
 * never fires because of a value that is not there.
 */
export function withoutNot(condition: Condition, negated = false): PlainCondition {
  switch (condition.kind) {
    case 'compare':
      return negated ? { ...condition, op: opposite[condition.op] } : condition;
    case 'not':
      return withoutNot(condition.item, !negated);
    default: {
      const kind = negated === (condition.kind === 'and') ? 'or' : 'and';
      return { kind, items: condition.items.map(item => withoutNot(item, negated)) };
    }
  }
}

export function fieldsOf(term: Term): readonly string[] {
  switch (term.kind) {
    case 'number':
      return [];
    case 'field':
      return [term.name];
    case 'minus':
      return fieldsOf(term.term);
    case 'arithmetic':
      return [...fieldsOf(term.left), ...fieldsOf(term.right)];
    case 'call':
      return term.args.flatMap(fieldsOf);
  }
}
