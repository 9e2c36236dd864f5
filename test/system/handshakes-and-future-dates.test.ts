/**
 * Attack: use all resources that unauthenticated peers may use, and push entries with dates far in the future.
 * Members can still connect, and the memory in use stays bounded.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import { memberKnows } from "../../protocol/version-2/messages-v2.js";
import { amount } from "../support/amount.js";
import { until } from "../support/until.js";
import { Connection } from "./attacker/connection.js";
import { envelope } from "./attacker/envelope.js";
import { makeKey } from "./attacker/key.js";
import { Member } from "./attacker/member.js";
import { Victims } from "./attacker/victims.js";

const LIMIT = { timeout: 300_000 };
const HANDSHAKES = amount(40, 90);

const FAR_ENTRIES = 5_000;
const FAR_BYTES = 32 * 1024;
/** The total size of the entries. Parsed into objects, they would take three times as much memory. */
const GROWTH_MAX = FAR_ENTRIES * FAR_BYTES;
const PUSH_ENTRIES = 30;

/** Connections that send a hello in the name of a member and then nothing. They reconnect whenever they are closed. */
class IdleHandshakes implements Disposable {
  #stopped = false;
  readonly #open = new Set<Connection>();

  constructor(port: number, named: Buffer, cluster: Buffer) {
    for (let i = 0; i < HANDSHAKES; i++) void this.#stayConnected(port, named, cluster);
  }

  async #stayConnected(port: number, named: Buffer, cluster: Buffer): Promise<void> {
    while (!this.#stopped) {
      const connection = await Connection.open(port).catch(() => null);
      if (connection === null) {
        // The daemon does not listen yet.
        await new Promise((resolve) => setTimeout(resolve, 20));
        continue;
      }
      this.#open.add(connection);
      connection.send(
        "hello",
        "1 2",
        named,
        cluster,
        Date.now(),
        "live",
        "daemon",
        "",
        memberKnows().join(" "),
      );
      await connection.until(() => this.#stopped);
      this.#open.delete(connection);
      connection[Symbol.dispose]();
    }
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    for (const connection of this.#open) connection[Symbol.dispose]();
  }
}

describe("idle handshakes and dates far in the future", { concurrency: true }, () => {
  test(`${HANDSHAKES} idle handshakes in the name of a restarted member do not prevent it from connecting`, {
    timeout: 300_000,
  }, async () => {
    await using victims = await Victims.start(2, { peers: "pinned" });
    await victims.allLive();
    using client = await victims.client();
    await victims.daemons[1]?.stop();
    using _toFirst = new IdleHandshakes(victims.port(0), victims.keys[1]?.id as Buffer, victims.cluster);
    using _toSecond = new IdleHandshakes(victims.port(1), victims.keys[0]?.id as Buffer, victims.cluster);
    assert.equal(await client.text("SET", "missed", "meanwhile"), "OK");
    await victims.restart(1);
    await until(
      "daemon 1 is live and has the missed write",
      async () => (await victims.views("GET", "missed"))[1] === "live meanwhile",
    );
    await until("all daemons are live", async () =>
      (await victims.views("PING")).every((view) => view === "live PONG"),
    );
  });

  test("a daemon stores entries with dates far in the future within a memory limit", LIMIT, async () => {
    const bad = makeKey();
    await using victims = await Victims.start(1, { peers: "pinned", others: [bad], data: true });
    using member = await Member.join(victims.port(0), { key: bad });
    member.claim((received) => ({ ...received, state: "live" }));
    await victims.allLive();
    using client = await victims.client();

    const value = Buffer.alloc(FAR_BYTES, "x");
    const before = residentBytes(victims);
    for (let pushed = 0; pushed < FAR_ENTRIES && !member.connection.closed; pushed += PUSH_ENTRIES) {
      const entries = Array.from({ length: PUSH_ENTRIES }, (_, index) => {
        const at = Date.now() + 86_400_000 + (((pushed + index) * 7919) % FAR_ENTRIES);
        return envelope(victims.application, victims.cluster, [["SET", `far${pushed + index}`, value]], {
          at,
        }).entry;
      });
      member.push(entries);
      await member.acknowledged();
    }

    assert.equal(await client.text("SET", "near", "yes"), "OK");
    assert.equal(await client.text("GET", "near"), "yes");
    const growth = residentBytes(victims) - before;
    assert.ok(growth < GROWTH_MAX, `the daemon has grown by ${growth} bytes`);
  });

  test(
    "a daemon refuses an entry with `as` that no daemon has signed, even if a member sends it",
    LIMIT,
    async () => {
      const bad = makeKey();
      await using victims = await Victims.start(1, { peers: "pinned", others: [bad] });
      using member = await Member.join(victims.port(0), { key: bad });
      member.claim((received) => ({ ...received, state: "live" }));
      await victims.allLive();
      const impersonating = (commands: string[][]) =>
        envelope(victims.application, victims.cluster, commands, { more: ["as", "alice"] });
      using client = await victims.client();
      const { refused } = await client.send(impersonating([["SET", "whose", "client's"]]));
      assert.equal(refused, "not-a-daemon");
      member.push([impersonating([["SET", "whose", "alice's"]]).entry]);
      // A valid entry follows. When the daemon has applied it, it has also processed the previous one.
      member.push([envelope(victims.application, victims.cluster, [["SET", "behind", "it"]]).entry]);
      await until("the daemon has the write", async () => (await client.text("GET", "behind")) === "it");
      assert.equal(await client.text("EXISTS", "whose"), "0");
    },
  );
});

function residentBytes(victims: Victims): number {
  const status = readFileSync(`/proc/${victims.daemons[0]?.pid}/status`, "utf8");
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]);
}
