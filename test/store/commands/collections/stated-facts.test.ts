/** Tests that collections answer as MongoDB's own tests and sources state (stated-facts.ts). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MdbUnderTest } from "./mdb-under-test.js";
import { STATED_DATES } from "./stated-facts.js";

/** Returns JSON for a text in the short form of the table: names without quotes, texts in single quotes. */
const json = (text: string): string => text.replaceAll("'", '"').replace(/([{,])\s*([$\w]+):/g, '$1"$2":');

/** Returns a result without the quotes of names, as in the table. */
const short = (text: string): string => text.replaceAll("'", '"').replace(/"([$\w]+)":/g, "$1:");

/** Checks the documents of an answer, or the number of its error. */
function assertAnswer(answer: string, expected: string | number, what: string): void {
  if (typeof expected === "number")
    assert.match(answer, new RegExp(`^MONGO ${expected} |code:${expected},`), what);
  else assert.equal(short(answer), short(expected), what);
}

for (const [operator, operand, date, result] of STATED_DATES)
  test(`${operator} with ${operand} of ${date}: ${result}`, () => {
    const mdb = new MdbUnderTest();
    mdb.run("INSERT", "1", `{"_id":1,"d":{"$date":"${date}"}}`);
    const stage = json(`{$project:{_id:0,r:{${operator}:{date:'$d',${operand}}}}}`);
    const answer = mdb.run("AGGREGATE", `{"pipeline":[${stage}]}`);
    assertAnswer(answer, typeof result === "number" ? result : `{r:${result}}`, answer);
  });
