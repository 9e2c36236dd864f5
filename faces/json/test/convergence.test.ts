/**
 * Tests that three daemons that receive JSON, Redis and signed commands at the same time reach one state, although one
 * of them is killed in the meantime.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../../../test/support/amount.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { authorizeDaemons, respPort } from "../../../test/support/resp-trio.js";
import { Trio } from "../../../test/support/trio.js";
import { until } from "../../../test/support/until.js";

const WRITES = amount(8, 40);
/** The number of writes that are sent to one of the daemons before the test kills it. */
const WRITES_BEFORE_KILL = amount(4, 10);

async function readState(trio: Trio, index: number): Promise<string> {
  using client = await RawClient.open(await trio.daemon(index).portOf("JSON clients"));
  return await ask(client, { action: "getall" });
}

/**
 * Inserts entries by JSON and changes them with Redis and signed commands, all in one document.
 * @param acknowledged  receives the entries whose insertion was acknowledged
 * @throws Error  the daemon was killed
 */
async function write(
  trio: Trio,
  index: number,
  writer: string,
  acknowledged: (entry: string) => void,
): Promise<void> {
  using json = await RawClient.open(await trio.daemon(index).portOf("JSON clients"));
  using redis = await RedisConnection.open(await respPort(trio, index));
  await using signed = trio.client([index]);
  for (let n = 0; n < WRITES; n++) {
    const entry = `{"by":"${writer}","n":${n}}`;
    const insertion = { action: "insert", document: "d", data: [{ by: writer, n }], replicate: false };
    const [answer] = await Promise.all([
      ask(json, insertion),
      redis.call("DOC.INSERT", "d", "KEYS", "k", entry),
      signed.call(["DOC.UPDATE", "d", `{"n":${n}}`, "ID", "k"]),
    ]);
    if (answer === "") throw new Error("the daemon was killed");
    assert.match(answer, /success/);
    acknowledged(entry);
    await ask(json, { action: "update", document: "d", data: { by: writer }, id: "k", replicate: false });
  }
}

test("documents are equal on three daemons after concurrent writes by all protocols, and after one daemon was killed", async () => {
  await using trio = await Trio.start(["--json", "0", "--resp", "0"]);
  await authorizeDaemons(trio);
  const readAll = () => Promise.all([0, 1, 2].map((index) => readState(trio, index)));
  const document = { create: { action: "create", document: "d" }, entry: { k: { by: "", n: 0 } } };

  using first = await RawClient.open(await trio.daemon(0).portOf("JSON clients"));
  await until("writes succeed", async () => /success/.test(await ask(first, document.create)));
  const insertion = { action: "insert", document: "d", data: document.entry, "auto-increment": false };
  await ask(first, insertion);
  await until("all daemons have the document", async () =>
    (await readAll()).every((all) => /"k":/.test(all)),
  );

  const acknowledged: string[] = [];
  const ofKilled: string[] = [];
  const killed = trio.daemon(2);
  const note = (entry: string) => void acknowledged.push(entry);
  const writing = [0, 1].map((index) => write(trio, index, `w${index}`, note));
  const cut = assert.rejects(
    write(trio, 2, "w2", (entry) => {
      if (ofKilled.push(entry) === WRITES_BEFORE_KILL) void trio.end(2, "SIGKILL");
    }),
  );

  await Promise.all([...writing, cut, killed.ended()]);
  await write(trio, 0, "late", note);
  await trio.start(2);
  await until("all daemons are equal", async () => {
    const states = await readAll();
    return states.every((state) => state === states[0]);
  });

  const state = await readState(trio, 2);
  const entries = new Set(Array.from(state.matchAll(/"\d+":(\{[^}]*\})/g), ([, entry]) => entry));
  assert.ok(ofKilled.length < WRITES, `${ofKilled.length} writes of the daemon that was killed`);
  for (const entry of [...acknowledged, ...ofKilled]) assert.ok(entries.has(entry), entry);
});
