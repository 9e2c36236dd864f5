/** Tests the commands of libraries of functions, of which the store has none. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { StoreUnderTest } from "./store-under-test.js";

test("FUNCTION LIST returns no libraries, and refuses what Redis refuses", () => {
  const store = new StoreUnderTest();
  for (const [line, reply] of [
    ["", "[]"],
    [" WITHCODE", "[]"],
    [" withcode", "[]"],
    [" LIBRARYNAME l*", "[]"],
    [" LIBRARYNAME WITHCODE", "[]"],
    [" WITHCODE libraryname l*", "[]"],
    [" foo", '-"ERR Unknown argument foo"'],
    [" WITHCODE WITHCODE", '-"ERR Unknown argument WITHCODE"'],
    [" LIBRARYNAME a LIBRARYNAME b", '-"ERR Unknown argument LIBRARYNAME"'],
    [" WITHCODE LIBRARYNAME", '-"ERR library name argument was not given"'],
  ] as const)
    assert.equal(store.run(`FUNCTION LIST${line}`), reply, line);
});

test("FUNCTION STATS reports no running script and no libraries", () => {
  assert.match(new StoreUnderTest().run("FUNCTION STATS"), /"running_script" nil "engines".*"LUA".*:0.*:0/);
});
