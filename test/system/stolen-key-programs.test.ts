/**
 * Attack: an attacker has the key of one of three members, or that of a client with few rights, and sends what could be
 * the effects of scripts on decided keys. Source: docs/decisions/0082-programs-on-decided-keys.md.
 */
import assert from "node:assert/strict";
import { createPrivateKey } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { Redis } from "ioredis";
import { PATIENT } from "../support/active-cluster.js";
import { secretFile } from "../support/cluster-secret.js";
import { decideOn, EARLY_PATTERNS } from "../support/decided-patterns.js";
import { authorizeDaemons, respPort } from "../support/resp-trio.js";
import { Trio } from "../support/trio.js";
import { Client } from "./attacker/client.js";
import { type Command, type Envelope, envelope } from "./attacker/envelope.js";
import { type Key, keyOf, makeKey } from "./attacker/key.js";
import { Member } from "./attacker/member.js";
import { type Item, resp } from "./attacker/wire.js";

const ARGS = ["--resp", "0", ...PATIENT, ...EARLY_PATTERNS];
/** The daemons that stay honest. */
const HONEST = [0, 1];
const STOLEN = 2;
const LOCK = "return redis.call('set', KEYS[1], ARGV[1], 'NX')";
const DECIDED: readonly Item[] = ["multi", "1", "decide", "1"];
/** The condition that a key is absent. */
const absent = (key: string): Item => ["0", key, ""];

describe("an attacker with the key of one of three members, or of a client", () => {
  let trio: Trio;
  let clients: readonly Redis[] = [];
  let members: readonly Member[] = [];
  let stolen: Key;
  const restricted = makeKey();
  let cluster: Buffer;

  before(async () => {
    trio = await Trio.start(ARGS);
    await using root = trio.client(undefined, { key: trio.root.privateKey });
    await authorizeDaemons(trio);
    await trio.list();
    await root.call(["KEY", "ADD", restricted.pem, "RULES", "+@all", "~own:*"], { policy: "all" });
    await decideOn(trio, ["d:*"], (argv) => root.call(argv, { policy: "first" }));

    stolen = keyOf(createPrivateKey(readFileSync(join(trio.folder(STOLEN), "daemon.pem"))));
    const secret = Buffer.from(readFileSync(secretFile, "utf8").trim(), "hex");
    clients = await Promise.all(HONEST.map(async (index) => new Redis(await respPort(trio, index))));
    assert.equal(await at(0).eval(LOCK, 1, "d:lock", "owner"), "OK");

    await trio.end(STOLEN, "SIGTERM");
    members = await Promise.all(
      HONEST.map((index) => Member.join(trio.ports[index] as number, { key: stolen, secret })),
    );
    // A member that sends no status is disconnected.
    for (const member of members) member.claim((received) => received);
    using greeted = await Client.open(trio.ports[0] as number, stolen);
    cluster = greeted.cluster;
  });

  after(async () => {
    for (const member of members) member[Symbol.dispose]();
    for (const client of clients) client.disconnect();
    await trio?.[Symbol.asyncDispose]();
  });

  const at = (index: number): Redis => clients[index] as Redis;

  /** Sends envelopes to the honest members as units to decide, as if clients had sent them to the attacker. */
  function propose(...units: readonly Envelope[]): void {
    for (const { body, signature } of units)
      for (const { connection } of members) connection.send("decision", resp(["unit", body, signature]));
  }

  let markers = 0;
  /** Waits until the members have decided on everything that the attacker's key has signed so far. */
  async function untilDecided(): Promise<void> {
    const marker = `d:marker:${++markers}`;
    propose(envelope(stolen, cluster, [["SET", marker, "1"]], { more: DECIDED }));
    for (const index of HONEST)
      await trio.until(`${marker} is decided`, async () => (await at(index).get(marker)) === "1");
  }

  async function values(key: string): Promise<(string | null)[]> {
    return await Promise.all(HONEST.map((index) => at(index).get(key)));
  }

  test("effects whose conditions do not hold are not applied, and the owner keeps its lock", async () => {
    const steal: readonly Command[] = [["SET", "d:lock", "thief"]];
    const conditions = [absent("d:lock"), ["0", "d:lock", "x".repeat(36)]];
    for (const condition of conditions)
      propose(envelope(stolen, cluster, steal, { more: [...DECIDED, "if", condition] }));
    await untilDecided();
    assert.deepEqual(await values("d:lock"), ["owner", "owner"]);
  });

  test("a unit that is sent again and again takes effect once", async () => {
    const more = [...DECIDED, "if", absent("d:never")];
    const count = envelope(stolen, cluster, [["INCR", "d:count"]], { more });
    for (let times = 0; times < 3; times++) {
      propose(count, count);
      await untilDecided();
    }
    assert.deepEqual(await values("d:count"), ["1", "1"]);
  });

  test("an entry that writes a decided key without a decision has no effect", async () => {
    const header = { more: ["multi", "1"] };
    const entry = envelope(stolen, cluster, [["SET", "d:lock", "thief"]], header);
    const plain = envelope(stolen, cluster, [["SET", "plain", "1"]]);
    for (const member of members) {
      member.push([entry.entry, plain.entry]);
      await member.acknowledged();
    }
    for (const index of HONEST)
      await trio.until("the entries are applied", async () => (await at(index).get("plain")) === "1");
    assert.deepEqual(await values("d:lock"), ["owner", "owner"]);
  });

  test("nothing is applied that another key seems to have signed", async () => {
    const app = keyOf(trio.app.privateKey);
    const forged = { ...stolen, id: app.id };
    propose(envelope(forged, cluster, [["SET", "d:lock", "thief"]], { more: DECIDED }));
    await untilDecided();
    assert.deepEqual(await values("d:lock"), ["owner", "owner"]);
  });

  test("a client's key without rights to decided keys neither writes them nor learns their versions", async () => {
    const write = { more: DECIDED };
    const guess = (writer: string) => ({ more: [...DECIDED, "if", ["0", "d:lock", writer]] });
    const daemonsOnly = { more: [...DECIDED, "choices", ["0", ["x"]]] };

    using client = await Client.open(trio.ports[0] as number, restricted);
    const answers: string[] = [];
    for (const [command, header] of [
      [["SET", "d:lock", "thief"], write],
      [["SET", "own:k", "1"], guess("")],
      [["SET", "own:k", "1"], guess("x".repeat(36))],
      [["SPOP", "own:set"], daemonsOnly],
    ] as const) {
      const signed = client.sign([command], header);
      const { refused, replies } = await client.send(signed);
      const [reply] = replies;
      answers.push(refused ?? JSON.stringify(reply).replace(/.*(NOPERM|refused).*/, "$1"));
      propose(signed);
    }

    await untilDecided();
    assert.deepEqual(answers, ["NOPERM", "NOPERM", "NOPERM", "not-a-daemon"]);
    assert.deepEqual(await values("d:lock"), ["owner", "owner"]);
    assert.deepEqual(await values("own:k"), [null, null]);
  });

  test("a script writes nothing that the user of its connection may not write, although the daemon's key may", async () => {
    await at(0).call("ACL", "SETUSER", "ann", "on", ">secret", "+@all", "~d:own:*");
    const ann = new Redis({ port: await respPort(trio, 0), username: "ann", password: "secret" });
    try {
      const script = "redis.call('set', KEYS[1], '1') redis.call('set', ARGV[1], 'thief')";
      await assert.rejects(ann.eval(script, 1, "d:own:k", "d:lock"), /can't access at least one of the keys/);
      await assert.rejects(ann.multi().eval(LOCK, 1, "d:lock", "thief").exec(), /EXECABORT|NOPERM/);
      assert.deepEqual(await ann.eval(LOCK, 1, "d:own:lock", "ann"), "OK");
    } finally {
      ann.disconnect();
      await at(0).call("ACL", "DELUSER", "ann");
    }
    assert.deepEqual(await values("d:lock"), ["owner", "owner"]);
  });

  test("the honest members still run scripts, on the state that the attacker has left", async () => {
    for (const index of HONEST) assert.equal(await at(index).eval(LOCK, 1, "d:lock", `other ${index}`), null);
    assert.equal(await at(1).eval("return redis.call('incr', KEYS[1])", 1, "d:count"), 2);
  });
});
