/** Tests that collections answer as MongoDB's own tests and sources state (stated-facts.ts). */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MdbUnderTest } from "./mdb-under-test.js";
import { STATED_DATES, STATED_FINDS, STATED_PIPELINES, STATED_UPDATES } from "./stated-facts.js";

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

for (const { before, q, u, isUpsert = false, after } of STATED_UPDATES)
  test(`${isUpsert ? "upsert" : before.join(" ")} ${q} ${u}: ${after}`, () => {
    const mdb = new MdbUnderTest();
    if (before.length > 0) mdb.run("INSERT", "1", ...before.map(json));
    const upsert = isUpsert ? ',"upsert":true,"upsertId":99' : "";
    const answer = mdb.run("UPDATE", "1", `{"q":${json(q)},"u":${json(u)}${upsert}}`);
    assertAnswer(typeof after === "number" ? answer : mdb.all(), after, answer);
    if (typeof after === "number") assert.equal(short(mdb.all()), short(before.map(json).join(" ")));
  });

for (const [document, spec, found] of STATED_FINDS)
  test(`find ${spec} in ${document}: ${found}`, () => {
    const mdb = new MdbUnderTest();
    mdb.run("INSERT", "1", json(document));
    assertAnswer(mdb.run("FIND", json(spec)), found, spec);
  });

for (const [document, pipeline, result] of STATED_PIPELINES)
  test(`${pipeline} of ${document}: ${result}`, () => {
    const mdb = new MdbUnderTest();
    mdb.run("INSERT", "1", json(document));
    assertAnswer(mdb.run("AGGREGATE", `{"pipeline":${json(pipeline)}}`), result, pipeline);
  });

for (const [operator, operand, date, result] of STATED_DATES)
  test(`${operator} with ${operand} of ${date}: ${result}`, () => {
    const mdb = new MdbUnderTest();
    mdb.run("INSERT", "1", `{"_id":1,"d":{"$date":"${date}"}}`);
    const stage = json(`{$project:{_id:0,r:{${operator}:{date:'$d',${operand}}}}}`);
    const answer = mdb.run("AGGREGATE", `{"pipeline":[${stage}]}`);
    assertAnswer(answer, typeof result === "number" ? result : `{r:${result}}`, answer);
  });

test("an upsert by $in changes the document that it has inserted", () => {
  const mdb = new MdbUnderTest();
  for (let i = 0; i < 3; i++)
    mdb.run("UPDATE", "1", json(`{q:{user:{$in:['ann']}},u:{$inc:{hits:1}},upsert:true,upsertId:${i}}`));
  assert.equal(mdb.all(), '{_id:0,user:"ann",hits:3}');
});

test("a hint decides the order of a find without a sort", () => {
  const mdb = new MdbUnderTest();
  assert.equal(mdb.run("FIND", json("{hint:'none'}")), "");
  mdb.run("INSERT", "1", ...["{_id:3,n:1}", "{_id:1,n:3}", "{_id:2,n:2}"].map(json));
  mdb.run("CREATEINDEXES", json("{key:{n:-1},name:'n_-1'}"));

  const ids = (spec: string) =>
    [...mdb.run("FIND", json(spec)).matchAll(/_id:(\d)/g)].map(([, id]) => id).join("");
  assert.equal(ids("{}"), "312");
  assert.equal(ids("{hint:'n_-1'}"), "123");
  assert.equal(ids("{hint:{n:-1},skip:1}"), "23");
  assert.equal(ids("{hint:'_id_'}"), "123");
  assert.equal(ids("{hint:{$natural:1}}"), "312");
  assert.equal(ids("{hint:{$natural:-1},limit:2}"), "21");
  assert.equal(ids("{hint:{n:-1},sort:{_id:-1}}"), "321");

  for (const hint of ["'other'", "{n:1}"])
    assert.match(
      mdb.run("FIND", json(`{hint:${hint}}`)),
      /^MONGO 2 .*does not correspond to an existing index/,
    );
});
