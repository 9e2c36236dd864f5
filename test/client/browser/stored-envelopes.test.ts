/** Tests that a call counts as not applied only once no page can send its stored envelope any more. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { createClient } from "../../../client/browser/public-api.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import { refusingAddress } from "../../support/free-port.js";
import { until } from "../../support/until.js";
import { errorOf } from "../test-client.js";
import { FakeIndexedDb } from "./fake-indexed-db.js";
import { makeSocket } from "./scene.js";

/** The number of turns of the event loop in which a call would have ended that does not wait for the deletion. */
const TURNS = 50;

/**
 * Opens a client whose daemon is unreachable. Its calls are signed and stored at once, because the cluster is known.
 */
async function openClient(timeout = 20_000) {
  const servers = `ws://${await refusingAddress()}`;
  return createClient({ servers, key: "page", cluster: "63".repeat(32), timeout, makeSocket });
}

for (const end of ["close", "deadline", "abort"] as const)
  test(`after the ${end}, a call is reported as not applied once its envelope is deleted`, async () => {
    const database = new FakeIndexedDb();
    using _installed = database.install();
    const commits: (() => void)[] = [];
    database.onDelete = (commit) => void commits.push(commit);

    const client = await openClient(end === "close" ? 20_000 : 300);
    let isReported = false;
    const abort = new AbortController();
    const failed = errorOf(client.call("INCR n", { signal: abort.signal })).finally(() => {
      isReported = true;
    });

    await until("the envelope", () => database.envelopes === 1);
    if (end === "close") client.close();
    if (end === "abort") abort.abort();
    await until("the deletion", () => commits.length === 1);
    for (let turn = 0; turn < TURNS; turn++) await new Promise(setImmediate);
    assert.deepEqual([isReported, database.envelopes], [false, 1]);

    for (const commit of commits) commit();
    assert.equal((await failed).effect, "not-applied");
    assert.equal(database.envelopes, 0);
    client.close();
  });

test("a call whose envelope cannot be deleted may be applied later", async () => {
  const database = new FakeIndexedDb();
  using _installed = database.install();
  database.onDelete = (_commit, abort) => abort(new Error("The disk is full."));
  const client = await openClient();
  const failed = errorOf(client.call("INCR n"));
  await until("the envelope", () => database.envelopes === 1);
  client.close();
  const failure = await failed;
  assert.ok(failure instanceof DbsyncError);
  assert.deepEqual([failure.code, failure.effect], ["closed", "unknown"]);
  assert.match(String(client.unkept), /The disk is full/);
});
