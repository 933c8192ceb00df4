import assert from 'node:assert/strict';
import { Buffer } from 'node:buffer';
import { describe, test } from 'node:test';
import fc from '@edgeward/shared/testing/properties';
import { CsvProblem, CsvScanner } from './csv.js';
import { parseDecimal, parseIso, parseText, parseTime, parseTruth, parseWhole } from './csv-values.js';

const comma = 0x2c;

/** Cells of each record; a record with a problem shows as its name. Scanned in pieces that end at `cuts`. */
function scan(text: string, { columns = 0, maxRecordBytes = 1000, cuts = [] as number[] } = {}) {
  const all = Buffer.from(text);
  const scanner = new CsvScanner({ delimiter: comma, columns, maxRecordBytes });
  const found: (string[] | string)[] = [];
  let rest: Uint8Array = new Uint8Array(0);
  const ends = [...cuts.filter(cut => cut < all.length).sort((a, b) => a - b), all.length];
  ends.forEach((end, i) => {
    const bytes = Buffer.concat([rest, all.subarray(i === 0 ? 0 : ends[i - 1], end)]);
    const records = scanner.scan(bytes, i === ends.length - 1);
    for (let r = 0; r < records.count; r++) {
      const problem = Object.entries(CsvProblem).find(([, value]) => value === records.problem[r]);
      if (problem && problem[0] !== 'none') found.push(problem[0]);
      else {
        const cells: string[] = [];
        for (let c = records.firstCell[r]!; c < records.firstCell[r + 1]!; c++) {
          cells.push(parseText(bytes, records.cellStart[c]!, records.cellEnd[c]!) ?? '?');
        }
        found.push(cells);
      }
    }
    rest = bytes.subarray(records.consumed);
  });
  assert.equal(rest.length, 0, 'something was left over');
  return found;
}

describe('CSV records', () => {
  test('line ends, blank lines, empty cells and a last line without an end', () => {
    assert.deepEqual(scan('a,b\r\n1,2\n\n,\r\n\r\n3,'), [
      ['a', 'b'],
      ['1', '2'],
      ['', ''],
      ['3', ''],
    ]);
  });

  test('quoted cells hold delimiters, doubled quotes and line ends', () => {
    assert.deepEqual(scan('"a,b","c ""d""","e\nf"\n"",x\n'), [
      ['a,b', 'c "d"', 'e\nf'],
      ['', 'x'],
    ]);
  });

  test('a quote within an unquoted cell is an ordinary character', () => {
    assert.deepEqual(scan('5" pipe,1\n'), [['5" pipe', '1']]);
  });

  test('quotes that close in the middle of a cell cost their line only', () => {
    assert.deepEqual(scan('a,"b"c\nd,e\n'), ['quotes', ['d', 'e']]);
  });

  test('quotes that never close cost their line only', () => {
    assert.deepEqual(scan('a,"b\nd,e\nf,g\n'), ['quotes', ['d', 'e'], ['f', 'g']]);
    const long = 'x,y\n'.repeat(1000);
    assert.equal(scan(`a,"b\n${long}`).length, 1001);
  });

  test('quotes that close lines later cost their line only, where the number of cells tells', () => {
    assert.deepEqual(scan('a,"b\nd,"\nf,g\n', { columns: 2 }), [
      ['a', 'b\nd,'],
      ['f', 'g'],
    ]);
    assert.deepEqual(scan('a,"b\nd,e,"f\n",g\nh,i\n', { columns: 2 }), [
      'quotes',
      'quotes',
      'quotes',
      ['h', 'i'],
    ]);
  });

  test('a record that is too long is skipped without being kept', () => {
    const long = `${'9'.repeat(5000)}\n`;
    const scanner = new CsvScanner({ delimiter: comma, columns: 0, maxRecordBytes: 100 });
    const first = scanner.scan(Buffer.from(long.slice(0, 3000)), false);
    assert.equal(first.consumed, 3000);
    assert.equal(first.count, 0);
    assert.deepEqual(scan(`a,b\n${long}c,d\n`, { maxRecordBytes: 100 }), [['a', 'b'], 'tooLong', ['c', 'd']]);
  });

  test('what was written is read, however it is cut', () => {
    const cell = fc.string({ unit: fc.constantFrom('a', '1', ',', '"', '\n', '\r', ' ', 'é', '€') });
    const table = fc.array(fc.tuple(cell, cell, cell), { minLength: 1, maxLength: 8 });
    fc.assert(
      fc.property(table, fc.array(fc.nat(200), { maxLength: 6 }), fc.boolean(), (rows, cuts, windows) => {
        const quoted = rows.map(row => row.map(value => `"${value.replaceAll('"', '""')}"`).join(','));
        const text = quoted.join(windows ? '\r\n' : '\n');
        assert.deepEqual(scan(text, { columns: 3, cuts }), rows);
      }),
    );
  });

  test('any bytes, however they are cut, give the same records and never an error', () => {
    const hostile = fc.string({
      unit: fc.constantFrom('a', ',', '"', '\n', '\r', 'b,"', '"\n', '""'),
      maxLength: 120,
    });
    fc.assert(
      fc.property(hostile, fc.array(fc.nat(150)), fc.integer({ min: 4, max: 60 }), (text, cuts, max) => {
        const options = { columns: 2, maxRecordBytes: max };
        assert.deepEqual(scan(text, { ...options, cuts }), scan(text, options));
      }),
      { numRuns: 500 },
    );
  });
});

/** Applies a parser to a text that stands in the middle of other bytes. */
function parse<T>(parser: (bytes: Uint8Array, start: number, end: number) => T, text: string): T {
  const bytes = Buffer.from(`7${text}7`);
  return parser(bytes, 1, bytes.length - 1);
}

describe('CSV values', () => {
  test('decimals are read to the last bit', () => {
    const texts = fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }).map(String),
      fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 22n }), fc.nat(30)).map(([n, e]) => `-${n}e-${e}`),
      fc.tuple(fc.nat(1e9), fc.nat(1e9)).map(([a, b]) => `+${a}.0${b}E+2`),
    );
    fc.assert(fc.property(texts, text => assert.equal(parse(parseDecimal, text), Number(text), text)));
    for (const text of ['.5', '5.', '-0', '007', '1e22', '123456789012345678', '4.9e-324']) {
      assert.ok(Object.is(parse(parseDecimal, text), Number(text)), text);
    }
  });

  test('what is no decimal is none', () => {
    for (const text of [
      '',
      '-',
      '.',
      'e5',
      '1e',
      '1e+',
      '1,5',
      '1_0',
      '0x1F',
      ' 1',
      '1 ',
      'NaN',
      'Infinity',
      '1e400',
      '--1',
      '1.2.3',
      '1e5.',
      '٣',
    ]) {
      assert.ok(Number.isNaN(parse(parseDecimal, text)), text);
    }
  });

  test('whole numbers keep all their digits and must fit 64 bits', () => {
    assert.equal(parse(parseWhole, '9223372036854775807'), 9223372036854775807n);
    assert.equal(parse(parseWhole, '-9223372036854775808'), -9223372036854775808n);
    for (const text of ['9223372036854775808', '1.0', '', '-', '1e3'])
      assert.equal(parse(parseWhole, text), undefined);
  });

  test('truth', () => {
    assert.equal(parse(parseTruth, 'TRUE'), true);
    assert.equal(parse(parseTruth, '0'), false);
    assert.equal(parse(parseTruth, 'maybe'), undefined);
  });

  test('ISO times agree with JavaScript; without a zone they are UTC', () => {
    for (const text of [
      '2026-11-21T10:15:30Z',
      '2024-02-29T23:59:59.123Z',
      '2026-11-21T10:15:30+05:30',
      '1969-12-31T23:59:59.5-08:00',
      '2026-11-21',
    ]) {
      assert.equal(parse(parseIso, text), Date.parse(text), text);
    }
    assert.equal(parse(parseIso, '2013-12-02 21:15:00'), Date.UTC(2013, 11, 2, 21, 15));
    assert.equal(parse(parseIso, '2013-12-02T21:15'), Date.UTC(2013, 11, 2, 21, 15));
    assert.equal(parse(parseIso, '2013-12-02T21:15+0100'), Date.UTC(2013, 11, 2, 20, 15));
  });

  test('what is no time is none', () => {
    for (const text of [
      '',
      '2026',
      '2026-13-01',
      '2026-00-01',
      '2025-02-29',
      '2026-04-31',
      '2026-11-21T24:00',
      '2026-11-21T10',
      '2026-11-21T10:15:60',
      '2026-11-21T10:15:30.',
      '2026-11-21T10:15:30X',
      '2026-11-21T10:15:30Z0',
      '2026-11-21T10:15+1',
      '21.11.2026',
      '2026/11/21',
    ]) {
      assert.ok(Number.isNaN(parse(parseIso, text)), text);
    }
  });

  test('times since 1970, with microseconds', () => {
    const auto = (text: string) => parse((bytes, start, end) => parseTime(bytes, start, end, 'auto'), text);
    assert.equal(auto('1690000000'), 1690000000000);
    assert.equal(auto('1690000000000'), 1690000000000);
    assert.equal(auto('1690000000.123456'), 1690000000123.456);
    assert.equal(auto('2026-11-21T00:00:00.000001Z'), Date.UTC(2026, 10, 21) + 0.001);
    const ms = (text: string) => parse((bytes, start, end) => parseTime(bytes, start, end, 'epochMs'), text);
    assert.equal(ms('1000'), 1000);
    assert.ok(Number.isNaN(ms('9e15')));
    assert.ok(Number.isNaN(ms('2026-11-21')));
  });
});
