interface Problem {
  readonly problem: string;
  readonly remedy: string;
}

// Our own words: the library's messages may quote the file, and with it a password.
const problems: Readonly<Record<string, Problem>> = {
  TAB_AS_INDENT: { problem: 'a tab is used to indent', remedy: 'indent with spaces' },
  BAD_INDENT: { problem: 'wrong indentation', remedy: 'indent the keys of one mapping equally, with spaces' },
  BAD_ALIAS: { problem: 'a bad alias', remedy: 'put text that starts with * in quotes' },
  MISSING_CHAR: {
    problem: 'something is not closed',
    remedy: 'add the missing quote, bracket, comma or colon, or a space after the colon',
  },
  MULTILINE_IMPLICIT_KEY: {
    problem: 'a key without a value',
    remedy: 'write "key: value" with a space after the colon',
  },
  BLOCK_AS_IMPLICIT_KEY: {
    problem: 'two keys in one line, or text with ": " in it',
    remedy: 'begin a new line for the second key, or put the text in quotes',
  },
  BAD_SCALAR_START: {
    problem: 'text starts with a character that YAML reserves',
    remedy: 'put the text in quotes',
  },
  BAD_DQ_ESCAPE: {
    problem: 'an unknown backslash escape',
    remedy: "write the text in single quotes, or double the backslash: 'C:\\data'",
  },
  TAG_RESOLVE_FAILED: {
    problem: 'an unknown ! tag',
    remedy: 'remove it; put text that starts with ! in quotes',
  },
  MULTIPLE_DOCS: { problem: 'a second document', remedy: 'keep one document; remove the line ---' },
  NON_STRING_KEY: { problem: 'a key that is not text', remedy: 'use a name as the key' },
  UNEXPECTED_TOKEN: {
    problem: 'something unexpected',
    remedy: 'check quotes, brackets and indentation here and one line above',
  },
};

const other: Problem = {
  problem: 'this is not YAML',
  remedy: 'check quotes, brackets and indentation here and one line above',
};

/** What is wrong in words, by the yaml package's error code. */
export function yamlProblem(code: string): Problem {
  return problems[code] ?? other;
}
