/** Options: defaults, and errors that name option, value and what is allowed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Defaults, readDefaults } from "../../client/defaults.js";
import { DbsyncError } from "../../client/errors.js";
import { readCallOptions, readOptions, type SendOptions } from "../../client/options.js";

const defaults = (): Defaults =>
  readDefaults({ variables: { DBSYNC_SIGNKEY: "d.pem" }, folder: "/-", home: "/-", system: "/-" });
const never = (): Defaults => assert.fail("defaults are not needed");

test("options left out have the documented values", () => {
  const settings = readOptions({}, defaults);
  assert.deepEqual(settings, {
    servers: [{ host: "127.0.0.1", port: 1111, text: "127.0.0.1:1111" }],
    key: "d.pem",
    passphrase: undefined,
    keepalive: true,
    timeout: 3000,
    policy: "first",
    format: "text",
  });
});

test("a string for options is the list of servers", () => {
  assert.equal(readOptions("a:1", defaults).servers[0]?.text, "a:1");
});

test("options that say it all ask for no defaults", () => {
  assert.equal(readOptions({ servers: "a", key: false }, never).key, null);
  assert.equal(readOptions({ servers: "a", key: "" }, never).key, null);
});

const BAD: [options: unknown, message: RegExp][] = [
  [{ server: "a" }, /server is "a", allowed: no option of that name; there are servers, /],
  [{ timeout: 0 }, /timeout is 0, allowed: 1 to 20000 milliseconds/],
  [{ timeout: 20_001 }, /timeout is 20001/],
  [{ timeout: Number.NaN }, /timeout is NaN/],
  [{ timeout: "3000" }, /timeout is "3000"/],
  [{ policy: "fastest" }, /policy is "fastest", allowed: first or all-equal/],
  [{ format: "json" }, /format is "json", allowed: text or php-dbsync/],
  [{ keepalive: 1 }, /keepalive is 1, allowed: true or false/],
  [{ key: true }, /key is of the wrong kind, allowed: a file's path/],
  [{ passphrase: 1234567 }, /passphrase is of the wrong kind, allowed/],
  [null, /options is null/],
  [5, /options is 5/],
];

for (const [options, message] of BAD) {
  test(`options ${JSON.stringify(options)} are refused`, () => {
    assert.throws(
      () => readOptions(options as SendOptions, defaults),
      (error) => error instanceof DbsyncError && error.code === "bad-option" && message.test(error.message),
    );
  });
}

test("a call may set timeout and policy, nothing else", () => {
  const base = readOptions({}, defaults);
  assert.deepEqual(readCallOptions({ timeout: 5 }, base), { timeout: 5, policy: "first", format: "text" });
  assert.throws(() => readCallOptions({ servers: "a" } as object, base), /there are timeout, policy/);
});
