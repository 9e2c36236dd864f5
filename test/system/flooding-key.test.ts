/**
 * Attack: a client with a valid key sends each member more units on which the members decide than may wait there. The
 * members refuse those above the share of its key, and decide the units of another key.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { EnvelopeClient, makeKeyPair, signCommands } from "../support/envelope-client.js";
import { Trio } from "../support/trio.js";
import { Connection } from "./attacker/connection.js";
import { textOf } from "./attacker/wire.js";

/** The number of units, and of the connections to each daemon. */
const UNITS = 6_400;
const CONNECTIONS = 8;
/** The number of decided units of the attacker, counted at each daemon, until those of the other key are decided. */
const DECIDED_MAX = 3_000;

test("three units of a key are decided although another key sends thousands of units", async (context) => {
  await using trio = await Trio.start();
  await trio.list();
  await trio.untilNoneIsLate();
  const honest = makeKeyPair();
  {
    await using root = trio.client(undefined, { key: trio.root.privateKey });
    await root.call(["KEY", "ADD", honest.pem, "RULES", "+@all", "~*"], { policy: "all" });
  }
  await using client = trio.client(undefined, { key: honest.privateKey });
  const lock = async (name: string) => await client.call(["SET", name, "me", "NX"]);
  assert.equal(await lock("before"), "OK");

  using greeted = await EnvelopeClient.open(trio.ports[0] as number, trio.app);
  const { cluster } = greeted;
  const frames = Array.from({ length: UNITS }, (_, unit) => {
    const command = ["SET", `flood:${unit}`, "x", "NX"];
    return signCommands(trio.app, [command], { cluster, decide: true }).frame;
  });
  const answers = new Map<string, number>();
  for (const port of trio.ports)
    for (let index = 0; index < CONNECTIONS; index++) {
      const connection = await Connection.open(port);
      context.after(() => connection[Symbol.dispose]());
      connection.onMessage((message) => {
        const texts = message.slice(0, 6).map((item) => textOf(item));
        const [kind = "", , code = ""] = texts;
        const answer = kind === "refused" ? `${code} ${texts.find((text) => EFFECTS.has(text))}` : kind;
        answers.set(answer, 1 + (answers.get(answer) ?? 0));
      });
      connection.write(
        Buffer.from(frames.filter((_, unit) => unit % CONNECTIONS === index).join(""), "latin1"),
      );
    }
  await trio.until("a member has refused units", async () => answers.has("cannot-decide not-applied"));
  const decided = () => answers.get("result") ?? 0;
  const before = decided();
  const locked = await Promise.all(["one", "two", "three"].map(lock));
  const meanwhile = decided() - before;
  context.diagnostic(JSON.stringify([...answers]));
  assert.deepEqual(locked, ["OK", "OK", "OK"]);
  assert.ok(meanwhile < DECIDED_MAX, `${meanwhile} units of the attacker were decided before`);
});

const EFFECTS: ReadonlySet<string> = new Set(["not-applied", "unknown"]);
