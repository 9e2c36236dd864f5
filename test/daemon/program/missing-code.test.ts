/**
 * Tests that daemons apply the commands of all faces, and that a daemon without the code of a command stops applying
 * entries: it never applies an entry as an unknown command.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import "../../support/all-families.js";
import { type DaemonOptions, startDaemon } from "../../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { buildRoot } from "../../support/repository.js";
import { Trio } from "../../support/trio.js";

/** A daemon whose files are not bundled. */
const UNBUNDLED = { program: join(buildRoot, "daemon/program/main.js") };
const PRELOAD = pathToFileURL(join(buildRoot, "test/support/without-family.js")).href;
const WITHOUT_CODE: DaemonOptions = {
  ...UNBUNDLED,
  execArgv: ["--import", PRELOAD],
  env: { DBSYNC_WITHOUT_FAMILY: "mongo/collections" },
};
const NAMED = /this build does not contain the code of MDB\.\S+ and similar commands \(mongo\/collections\)/;

const INSERT = ["MDB.INSERT", "d", "c", "1", '{"_id":1,"name":"a"}'];
const FIND = ["MDB.FIND", "d", "c", "{}"];
const TIMEOUT = { timeout: 120_000 };

test("daemons without --mongo apply and answer MongoDB's commands alike", TIMEOUT, async () => {
  await using pair = await Trio.make([], 2);
  await pair.startAll(UNBUNDLED);
  await using client = pair.client([0]);
  await client.call(["XADD", "stream", "*", "field", "1"]);
  await client.call(INSERT);
  await client.call(["SQL", "shop", "create database shop"]);
  await pair.level(60_000);
  await using other = pair.client([1]);
  assert.equal(await other.call(["XLEN", "stream"]), 1);
  assert.match(JSON.stringify(await other.call(FIND)), /name/);
  await pair.end(1, "SIGKILL");
  await pair.start(1, UNBUNDLED);
  await pair.level(60_000);
  assert.match(JSON.stringify(await other.call(FIND)), /name/);
});

test(
  "a daemon without the code of a command is outdated, and catches up once it has it",
  TIMEOUT,
  async () => {
    await using pair = await Trio.make([], 2);
    await pair.startAll(UNBUNDLED);
    await pair.end(1, "SIGTERM");
    await pair.start(1, WITHOUT_CODE);
    await pair.until("both are live", async () =>
      (await pair.statuses()).every(({ state }) => state === "live"),
    );
    await using complete = pair.client([0]);
    await using lacking = pair.client([1]);
    await lacking.call("SET before 1");

    // The rules of a key need only the rows of the commands, which each build has.
    const limited = makeKeyPair();
    await using administrator = pair.client([1], { key: pair.root.privateKey });
    await administrator.call(["KEY", "ADD", limited.pem, "RULES", "+mdb.insert", "+set", "~*"]);
    await using inserting = pair.client([0], { key: limited.privateKey });
    await using setting = pair.client([1], { key: limited.privateKey });
    await setting.call("SET limited 1");
    await assert.rejects(setting.call("DEL limited"), /NOPERM/);
    await pair.level(60_000);
    assert.equal((await pair.status(1)).state, "live");

    await inserting.call(INSERT);
    await complete.call("SET after 1");
    const isReported = () => pair.daemon(1).logged(({ reason }) => NAMED.test(String(reason)));
    const isOutdated = async () => (await pair.status(1)).state === "outdated";
    await pair.until("the daemon without the code is outdated", isOutdated);
    await isReported();
    await assert.rejects(lacking.call("SET later 1"), /semantics-unknown/);
    await assert.rejects(lacking.call("GET before"), NAMED);
    assert.equal((await pair.status(0)).state, "live");

    await pair.end(1, "SIGTERM");
    await pair.start(1, WITHOUT_CODE);
    await pair.until("it is outdated after a start, because of its log", isOutdated);
    await isReported();
    await assert.rejects(lacking.call("SET later 1"), /semantics-unknown/);

    await pair.end(1, "SIGTERM");
    await pair.start(1, UNBUNDLED);
    await pair.until("it is live again", async () => (await pair.status(1)).state === "live");
    await pair.level(60_000);
    assert.match(JSON.stringify(await lacking.call(FIND)), /name/);
    assert.equal(await lacking.call("GET after"), "1");
  },
);

test("a daemon without a timeline refuses only the commands whose code is missing", async () => {
  const app = makeKeyPair();
  await using daemon = await startDaemon(["-s", app.file], WITHOUT_CODE);
  using client = await EnvelopeClient.open(daemon.port, app);
  const refused = await client.ask([INSERT]);
  assert.equal(refused.kind === "refused" && refused.code, "semantics-unknown");
  assert.equal((await client.ask([["SET", "k", "v"]])).kind, "result");
  assert.equal((await client.hello()).state, "live");
});
