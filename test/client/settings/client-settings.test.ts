/** Tests options: defaults, and errors that name the option, its value and the allowed values. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readCallOptions } from "../../../client/settings/call-options.js";
import { readOptions, type SendOptions } from "../../../client/settings/client-settings.js";
import { type Defaults, readDefaults } from "../../../client/settings/default-options.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import { repositoryRoot } from "../../support/repository.js";

const defaults = (): Defaults =>
  readDefaults({ variables: { DBSYNC_SIGNKEY: "d.pem" }, folder: "/-", home: "/-", system: "/-" });
const never = (): Defaults => assert.fail("defaults are not needed");

test("omitted options have the documented values", () => {
  const settings = readOptions({}, defaults);
  assert.deepEqual(settings, {
    servers: [{ host: "127.0.0.1", port: 1111, text: "127.0.0.1:1111", tls: null, versions: null }],
    authorities: null,
    key: "d.pem",
    passphrase: undefined,
    keepalive: true,
    timeout: 3000,
    policy: "usual",
    format: "text",
    cluster: "",
    versions: null,
    debug: null,
    envelope: null,
    buffers: false,
    traceparent: null,
    signal: null,
  });
});

test("a string for options is the list of servers", () => {
  assert.equal(readOptions("a:1", defaults).servers[0]?.text, "a:1");
});

test("readOptions reads no defaults if the options are complete", () => {
  assert.equal(readOptions({ servers: "a", key: false }, never).key, null);
  assert.equal(readOptions({ servers: "a", key: "" }, never).key, null);
});

test("the default versions are read for signed calls to any servers, unless each entry names its versions", () => {
  const found = () => ({ ...defaults(), versions: "1,2" as const });
  assert.equal(readOptions({ servers: "a", key: "k.pem" }, found).versions, "1,2");
  assert.equal(readOptions({ servers: "a", key: "k.pem", versions: "2" }, never).versions, "2");
  assert.equal(readOptions({ servers: "dbsync1://a,dbsync2://b", key: "k.pem" }, never).versions, null);
});

test("only a call that waits for a final answer has the longer timeout", () => {
  const stable = readOptions({ stable: true }, defaults);
  assert.deepEqual([stable.timeout, stable.envelope?.wait], [60_000, { kind: "stable" }]);
  assert.equal(readOptions({ stable: true, timeout: 40_000 }, defaults).timeout, 40_000);
  const base = readOptions({}, defaults);
  assert.equal(readCallOptions({ stable: true }, base).timeout, 60_000);
  const replicated = readCallOptions({ replicated: 2 }, base);
  assert.deepEqual(
    [replicated.timeout, replicated.envelope?.wait],
    [3000, { kind: "replicated", daemons: 2 }],
  );
  assert.equal(readCallOptions({ stable: false }, base).envelope, null);
});

const BAD: [options: unknown, message: RegExp][] = [
  [{ server: "a" }, /"server" is not an option: did you mean servers\? The options are servers, /],
  [{ signkey: "secret" }, /^(?!.*secret).*"signkey" is not an option: the options are servers, /],
  [{ timeout: 0 }, /timeout is 0, allowed: 1 to 20000 milliseconds, with stable 1 to 60000$/],
  [{ timeout: 20_001 }, /timeout is 20001/],
  [{ timeout: Number.NaN }, /timeout is NaN/],
  [{ timeout: "3000" }, /timeout is "3000"/],
  [
    { policy: "fastest" },
    /policy is "fastest", allowed: first, majority, all, all-equal, or a number of daemons/,
  ],
  [{ versions: "v2" }, /versions is "v2", allowed: 2 \(only version 2\), 1 \(/],
  [{ versions: 2 }, /versions is 2, allowed/],
  [{ format: "json" }, /format is "json", allowed: text or php-dbsync/],
  [{ keepalive: 1 }, /keepalive is 1, allowed: true or false/],
  [{ key: true }, /key has the wrong type, allowed: a file's path/],
  [{ passphrase: 1234567 }, /passphrase has the wrong type, allowed/],
  [{ stable: 1 }, /stable is 1, allowed: true or false/],
  [{ replicated: 0 }, /replicated is 0, allowed: a number of daemons, 1 to 99/],
  [{ stable: true, replicated: 2 }, /replicated is 2, allowed: no value together with stable/],
  [
    { stable: true, timeout: 60_001 },
    /timeout is 60001, allowed: 1 to 20000 milliseconds, with stable 1 to 60000$/,
  ],
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

test("a call may set its timeout, its policy and the header options, and no others", () => {
  const base = readOptions({}, defaults);
  assert.deepEqual(readCallOptions({ timeout: 5 }, base), {
    timeout: 5,
    policy: "usual",
    format: "text",
    envelope: null,
    buffers: false,
    traceparent: null,
    signal: null,
  });
  assert.throws(
    () => readCallOptions({ servers: "a" } as object, base),
    /"servers" is not an option: the options are timeout, policy/,
  );

  const after = "0b".repeat(46);
  const only = "c0".repeat(32);
  const options = { db: 2, after, only, if: [{ key: "k", writer: null }] };
  assert.deepEqual(readCallOptions(options, base).envelope, {
    db: 2,
    after: "\v".repeat(46),
    only: "\xc0".repeat(32),
    wait: null,
    if: [{ db: 2, key: "k", writer: "" }],
  });

  for (const bad of [
    { db: -1 },
    { db: 0.5 },
    { after: "00" },
    { only: "x" },
    { if: [] },
    { if: [{ key: 1 }] },
  ]) {
    assert.throws(() => readCallOptions(bad as object, base), DbsyncError, JSON.stringify(bad));
  }
  assert.throws(() => readCallOptions({ if: [{ key: "k", writer: "short" }] }, base), /WRITERS/);
});

test("the client's header options are the defaults for a call", () => {
  const only = "c0".repeat(32);
  const base = readOptions({ db: 3, only, replicated: 2 }, defaults);
  const usual = { db: 3, only: "\xc0".repeat(32), after: null, if: null };
  const replicated = { kind: "replicated", daemons: 2 };
  const envelopeOf = (options: object) => readCallOptions(options, base).envelope;
  assert.deepEqual(envelopeOf({}), { ...usual, wait: replicated });
  assert.deepEqual(envelopeOf({ db: undefined, timeout: 9 }), { ...usual, wait: replicated });
  assert.deepEqual(envelopeOf({ db: 0 }), { ...usual, db: 0, wait: replicated });
  assert.deepEqual(envelopeOf({ stable: true }), { ...usual, wait: { kind: "stable" } });
  assert.deepEqual(envelopeOf({ stable: false }), { ...usual, wait: replicated });
  assert.deepEqual(envelopeOf({ if: [{ key: "k", writer: null }] })?.if, [{ db: 3, key: "k", writer: "" }]);
  const stable = readOptions({ db: 3, stable: true }, defaults);
  assert.equal(readCallOptions({ stable: false }, stable).envelope?.wait, null);
  assert.equal(readCallOptions({ db: 0 }, readOptions({ db: 3 }, defaults)).envelope, null);
});

test("client/README.md has a row for every option, and for no others", () => {
  const readme = readFileSync(join(repositoryRoot, "client/README.md"), "utf8");
  const start = readme.indexOf("\n## Options");
  const table = readme.slice(start, readme.indexOf("\n## ", start + 1));
  const rows = [...table.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name);
  let message = "";
  try {
    readOptions({ nosuch: 1 } as object, never);
  } catch (error) {
    message = (error as Error).message;
  }
  const names = (message.split(/the options are /i)[1] ?? "").split(", ");
  assert.deepEqual(rows.sort(), [...names, "buffers"].sort());
});

test("a policy must not require more daemons than there are", () => {
  assert.equal(readOptions({ servers: "a,b", key: false, policy: 2 }, never).policy, 2);
  assert.throws(
    () => readOptions({ servers: "a,b", key: false, policy: 3 }, never),
    /at most the number of servers, 2/,
  );
});

test("a cluster from the environment applies only to servers from the environment", () => {
  const cluster = "AB".repeat(32);
  const found = () =>
    readDefaults({ variables: { DBSYNC_CLUSTER: cluster }, folder: "/-", home: "/-", system: "/-" });
  assert.equal(readOptions({}, found).cluster, cluster.toLowerCase());
  assert.equal(readOptions({ servers: "a" }, found).cluster, "");
  assert.throws(() => readOptions({ cluster: "ab" }, found), /64 hexadecimal digits/);
});
