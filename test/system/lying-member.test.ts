/**
 * Attack: the attacker has the folder of one of three members, and so its key. It sends so many requests for promises
 * that no round would be left. The other members decide on conditions during the attack, after it, and after restarts.
 */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { readClusterSecret } from "../../keys/cluster-secret-file.js";
import { bytesOf } from "../../protocol/byte-string.js";
import { type Ballot, ROUND_MAX, writeDecisionMessage } from "../../protocol/members/decision-messages.js";
import { secretFile } from "../support/cluster-secret.js";
import { Trio } from "../support/trio.js";
import { keyOf } from "./attacker/key.js";
import { Member } from "./attacker/member.js";

const REQUESTS = 2_100;
/** Milliseconds for which a call is repeated until it is decided. */
const ACQUIRED_MS = 20_000;

async function acquire(trio: Trio, lock: string): Promise<void> {
  await using client = trio.client([0, 1]);
  let attempts = 0;
  const attempt = () =>
    client.call(["SET", `${lock}:${++attempts}`, "me", "NX"], { policy: "majority", timeout: 5_000 });
  await trio.until(
    `the members decide ${lock}`,
    async () => (await attempt().catch(() => null)) === "OK",
    ACQUIRED_MS,
  );
}

test("two members decide while the third, and its key, are used to lie, and after all restarts", async () => {
  await using trio = await Trio.start();
  await trio.list();
  await trio.untilNoneIsLate();
  await acquire(trio, "before");
  const { listHash } = await trio.status(0);

  await trio.end(2, "SIGKILL");
  const key = keyOf(createPrivateKey(readFileSync(join(trio.folder(2), "daemon.pem"), "utf8")));
  const { secret } = readClusterSecret(secretFile);
  const ballotOf = (round: number): Ballot => ({
    list: 1,
    listHash: bytesOf(Buffer.from(listHash, "hex")),
    round,
    member: bytesOf(key.id),
    attempt: 0,
  });

  {
    using first = await Member.join(trio.ports[0] as number, { key, secret });
    using second = await Member.join(trio.ports[1] as number, { key, secret });
    const lie = (round: number): void => {
      const request = writeDecisionMessage({ kind: "promise-request", ballot: ballotOf(round) });
      for (const { connection } of [first, second]) connection.send("decision", request);
    };

    for (let request = 0; request < REQUESTS; request++) lie(ROUND_MAX);
    for (const { connection } of [first, second])
      connection.send("decision", outvotedBy(ballotOf(ROUND_MAX)));
    lie(Date.now() + 4_000);

    await acquire(trio, "during");
    assert.ok(!first.connection.socket.destroyed, "the daemon does not notice the lie");
  }

  await acquire(trio, "after");
  await Promise.all([0, 1].map((index) => trio.end(index, "SIGKILL")));
  await Promise.all([0, 1].map((index) => trio.start(index)));
  await acquire(trio, "restarted");
});

const outvotedBy = (ballot: Ballot): Buffer => writeDecisionMessage({ kind: "outvoted", ballot });
