/**
 * Attack: write steadily to another daemon. When a restarted daemon reports live and answers without a flag, it has
 * all entries that it missed.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../support/amount.js";
import { nextTurn, until } from "../support/until.js";
import { Client } from "./attacker/client.js";
import { Victims } from "./attacker/victims.js";
import { textOf } from "./attacker/wire.js";

const ENVELOPES = amount(200, 1000);
const KEYS_EACH = 10;
const WRITER_MS = amount(60, 20);
/**
 * The length of the tail in milliseconds. Entries older than this cause a refold, which a steady writer could delay.
 */
const TAIL_MS = 17_000;
const TAIL = ["--tail-seconds", `${TAIL_MS}ms`, "--window", "15s,1s"];

/** Waits until the daemon reports live and answers without a flag. @returns the number of its keys at that moment */
async function keysWhenLive(client: Client): Promise<number> {
  let keys = 0;
  const isLive = async () => {
    const { state } = await client.hello();
    const { replies, flags } = await client.ask([["DBSIZE"]]);
    keys = Number(textOf(replies[0]));
    return state === "live" && !flags.join().includes("catching-up");
  };
  await until("the daemon is live", isLive, { pause: nextTurn });
  return keys;
}

test("a restarted daemon reports live only after it has received its missing entries, even during writes", {
  timeout: 300_000,
}, async () => {
  await using victims = await Victims.start(2, { peers: "pinned", data: true, args: TAIL });
  await victims.allLive();
  await victims.daemons[1]?.stop();

  using writer = await victims.client();
  const base = Date.now() - 5000;
  const missed = Array.from({ length: ENVELOPES }, (_, number) =>
    writer.send(
      writer.sign(
        Array.from({ length: KEYS_EACH }, (_, key) => ["SET", `${number}:${key}`, "missed"]),
        { at: base + number },
      ),
    ),
  );
  for (const answer of await Promise.all(missed)) assert.equal(answer.refused, null);

  let written = 0;
  const writing = setInterval(
    () => void writer.ask([["SET", "small", String(written++)]]).catch(() => {}),
    WRITER_MS,
  );
  try {
    await until("the dates of all envelopes have passed", () =>
      Promise.resolve(Date.now() > base + ENVELOPES + TAIL_MS),
    );
    await victims.restart(1);
    using client = await Client.open(victims.port(1), victims.application);
    assert.ok((await keysWhenLive(client)) >= ENVELOPES * KEYS_EACH);
    const status = await textOfStatus(victims);
    assert.match(status, /state,live/);
  } finally {
    clearInterval(writing);
  }
});

/** Returns the fields of TIMELINE STATUS as text. */
async function textOfStatus(victims: Victims): Promise<string> {
  using root = await victims.client(1, victims.root);
  const { replies } = await root.ask([["TIMELINE", "STATUS"]]);
  return (replies[0] as readonly never[]).map(textOf).join();
}
