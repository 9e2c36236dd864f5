/** Tests the parsing and formatting of dates. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  formatDate,
  formatExactDate,
  parseDate,
  parsePastDate,
} from "../../../../tools/cli/shared/date-text.js";

const NOW = Date.UTC(2027, 0, 1, 12);
const parse = (text: string, end = false) => parseDate(text, { option: "--until", now: NOW, end });

test("a date is a day, a moment, a time from now, or milliseconds", () => {
  assert.equal(parse("2027-01-31"), Date.UTC(2027, 0, 31));
  assert.equal(parse("2027-01-31", true), Date.UTC(2027, 1, 1) - 1);
  assert.equal(parse("2027-01-31T12:30Z"), Date.UTC(2027, 0, 31, 12, 30));
  assert.equal(parse("2027-01-31T12:30:05.5+02:00"), Date.UTC(2027, 0, 31, 10, 30, 5, 500));
  assert.equal(parse("2028-02-29"), Date.UTC(2028, 1, 29));
  assert.equal(parse("90d", true), NOW + 90 * 86_400_000);
  assert.equal(parse("12h"), NOW + 12 * 3_600_000);
  assert.equal(parse("30m"), NOW + 30 * 60_000);
  assert.equal(parse("1800000000000"), 1_800_000_000_000);
});

for (const text of [
  "",
  "tomorrow",
  "2027",
  "31.1.2027",
  "2027-02-30",
  "2027-02-30T10:00Z",
  "2027-02-30 10:00+01:00",
  "2027-01-31T24:00Z",
  "2027-02-30T12:00Z",
  "2027-04-31 00:00:00+02:00",
  "2027-02-29T23:59:59.999Z",
  "2027-00-10T12:00Z",
  "2027-13-01",
  "2027-1-1",
  "-5d",
  "5w",
  "1e12",
]) {
  test(`${JSON.stringify(text)} is not a date`, () =>
    assert.throws(() => parse(text), /--until is .*, allowed: a date such as 2027-01-31/));
}

test("a time without a zone is refused with the two forms of the same time, also as a past date", () => {
  for (const text of ["2027-01-31T12:30", "2027-01-31 12:30"])
    for (const parsed of [parseDate, parsePastDate])
      assert.throws(() => parsed(text, { option: "--at", now: NOW, end: false }), {
        message: `An option cannot be used: --at is "${text}", without a time zone: write 2027-01-31T12:30Z for UTC, or an offset such as 2027-01-31T12:30+01:00`,
      });
});

test("a date that was shown can be used as a date", () => {
  const time = Date.UTC(2027, 0, 31, 12, 30);
  assert.deepEqual([parse(formatDate(time)), parse(formatExactDate(time))], [time, time]);
});

test("a date is shown in UTC, and a date beyond the calendar as milliseconds", () => {
  assert.equal(formatDate(Date.UTC(2027, 0, 31, 12)), "2027-01-31 12:00:00Z");
  assert.equal(formatDate(Number.MAX_SAFE_INTEGER), `${Number.MAX_SAFE_INTEGER} ms`);
});

test("a past date is a time before now or a date", () => {
  const past = (text: string, end = false) => parsePastDate(text, { option: "--from", now: NOW, end });
  assert.equal(past("-90s"), NOW - 90_000);
  assert.equal(past("-30m"), NOW - 30 * 60_000);
  assert.equal(past("-2h"), NOW - 2 * 3_600_000);
  assert.equal(past("-7d", true), NOW - 7 * 86_400_000);
  assert.equal(past("2026-12-31"), Date.UTC(2026, 11, 31));
  assert.equal(past("2026-12-31", true), Date.UTC(2027, 0, 1) - 1);
  assert.equal(past("1800000000000"), 1_800_000_000_000);

  for (const text of ["2h", "30m", "", "-2", "-h", "--2h", "yesterday"])
    assert.throws(
      () => past(text),
      /--from is ".*", allowed: a time before now such as -30m, -2h or -7d/,
      text,
    );

  assert.equal(formatExactDate(NOW), "2027-01-01 12:00:00.000Z");
  assert.equal(formatExactDate(Number.MAX_SAFE_INTEGER), "9007199254740991 ms");
});
