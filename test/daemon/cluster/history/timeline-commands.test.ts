/** Tests TIMELINE: its exact reports about history, and its refusals. */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { TimelineCommands } from "../../../../daemon/cluster/history/timeline-commands.js";
import { readLogQuery } from "../../../../daemon/cluster/history/timeline-log.js";
import { hashOf } from "../../../../daemon/engine/trust/identity.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { readEntryBody, writeDecision } from "../../../../protocol/version-2/decision-body.js";
import { hexOf, signedBytes } from "../../../../protocol/version-2/envelope.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { AT, idText, LEFT_OUT, NOW, PastScene } from "./past-scene.js";

let scene: PastScene;
beforeEach(() => {
  scene = new PastScene();
});

const FROM = ["FROM", String(AT)] as const;

describe("TIMELINE LOG", () => {
  test("reports for each unit the signer, date, commands and outcome", async () => {
    const { app, root } = scene;
    const first = scene.write(app, 1, ["SET k v", "INCR k"], { seq: 7 });
    scene.write(app, 2, ["CONFIG GET x", "KEY LIST", "GET"]);
    scene.write(app, 3, ["SET k w"], { if: [{ db: 0, key: "k", writer: "" }] });
    scene.write(root, 4, ["DEL k", "SET other 1"], { multi: true, db: 2 });

    const names = ["at", "seq", "index", "db", "signer", "commands", "outcome", "reply"];
    const [appId, rootId] = [hexOf(app.id), hexOf(root.id)];
    assert.deepEqual(await scene.units(names, "TIMELINE", "LOG", ...FROM), [
      [AT + 1, 7, 0, 0, appId, [["SET", "k", "v"]], "applied", "OK"],
      [AT + 1, 7, 1, 0, appId, [["INCR", "k"]], "error", "ERR value is not an integer or out of range"],
      [
        AT + 2,
        0,
        0,
        0,
        appId,
        [["CONFIG", "GET", "x"]],
        "denied",
        "NOPERM this key may not run 'config get': rule -@admin denies it",
      ],
      [
        AT + 2,
        0,
        1,
        0,
        appId,
        [["KEY", "LIST"]],
        "denied",
        "NOPERM this key may not run 'key list': rule -@admin denies it",
      ],
      [AT + 2, 0, 2, 0, appId, [["GET"]], "malformed", "ERR wrong number of arguments for 'get' command"],
      [AT + 3, 0, 0, 0, appId, [["SET", "k", "w"]], "unmet", "(nil)"],
      [
        AT + 4,
        0,
        0,
        2,
        rootId,
        [
          ["DEL", "k"],
          ["SET", "other", "1"],
        ],
        "applied",
        "0 …+1",
      ],
    ]);

    assert.deepEqual((await scene.units(["id", "label", "as"], "TIMELINE", "LOG", ...FROM))[0], [
      idText(first),
      "public",
      null,
    ]);
  });

  test("accepts dates, a key, a signer and a limit, which keeps the newest units", async () => {
    const { app, root } = scene;
    for (let i = 0; i < 10; i++) scene.write(i % 2 === 0 ? app : root, i * 1000, [`SET k${i % 3} ${i}`]);
    scene.write(app, 20_000, ["FLUSHALL"]);

    const commands = async (...options: string[]) =>
      (await scene.units(["commands"], "TIMELINE", "LOG", ...options)).map(([unit]) =>
        (unit as string[][])[0]?.join(" "),
      );

    assert.deepEqual(await commands("FROM", String(AT + 1000), "TO", String(AT + 2999)), [
      "SET k1 1",
      "SET k2 2",
    ]);
    assert.deepEqual(await commands(...FROM, "LIMIT", "2"), ["SET k0 9", "FLUSHALL"]);
    assert.deepEqual(await commands(...FROM, "KEY", "k1"), ["SET k1 1", "SET k1 4", "SET k1 7", "FLUSHALL"]);
    const signer = hexOf(root.id).slice(0, 8).toUpperCase();
    assert.deepEqual(await commands(...FROM, "SIGNER", signer, "key", "k0"), ["SET k0 3", "SET k0 9"]);

    const cut = (await scene.send("TIMELINE", "LOG", ...FROM, "LIMIT", "3")) as {
      left: number;
      damaged: number;
    };
    assert.deepEqual([cut.left, cut.damaged], [8, 0]);
  });

  test("finds a unit on which members have decided by its own conditions, not by those of its envelope", async () => {
    const ifs = new Map([[1, [{ db: 0, key: "condition", writer: "" }]]]);
    const lines = ["SET a 1 NX", "SET b 2", "SET c 3"];
    const { body, signature } = scene.entry(scene.app, 1, lines, { decide: true, ifs });
    const place = { slot: 1, index: 0, count: 1, previous: null, at: AT + 2, seq: 0 };
    const outcomes = ["applied", "unmet", "applied"] as const;
    const decision = writeDecision({ ...place, outcomes, unit: { body, signature } });
    const id = hashOf(signedBytes(decision));
    scene.put({ id, body: decision, signature, envelope: readEntryBody(decision) });
    const units = async (...options: string[]) =>
      (await scene.units(["commands", "outcome"], "TIMELINE", "LOG", ...options)).map(
        ([commands, outcome]) => `${(commands as string[][])[0]?.join(" ")}: ${outcome}`,
      );
    assert.deepEqual(await units(...FROM), ["SET a 1 NX: applied", "SET b 2: unmet", "SET c 3: applied"]);
    assert.deepEqual(await units(...FROM, "KEY", "condition"), ["SET b 2: unmet"]);
    assert.deepEqual(await units(...FROM, "KEY", "c"), ["SET c 3: applied"]);
  });

  test("finds commands that a key has signed for version 1, which the daemon has signed again", async () => {
    const { app, root } = scene;
    scene.write(root, 1, ["SET k gateway"], { as: hexOf(app.id) });
    scene.write(root, 2, ["SET k other"], { as: hexOf(app.id).slice(0, 8) });
    const signer = hexOf(app.id).slice(0, 8);
    const units = await scene.units(["commands"], "TIMELINE", "LOG", ...FROM, "SIGNER", signer);
    assert.deepEqual(units, [[[["SET", "k", "gateway"]]]]);
  });

  test("begins an hour before its end, or with the first stored entry", () => {
    const fromOf = (earliest: number, ...options: string[]) =>
      readLogQuery(["TIMELINE", "LOG", ...options], NOW, earliest).from;
    assert.equal(fromOf(0), AT);
    assert.equal(fromOf(AT + 5), AT + 5);
    assert.equal(fromOf(AT + 5, "TO", String(AT + 1)), AT + 1);
    assert.equal(fromOf(AT + 5, "FROM", "7"), 7);
  });

  test("judges each signer by the key ring at the command's position", async () => {
    const { app, root } = scene;
    const late = makeKeyPair();

    scene.write(late, 1, ["SET k early"]);
    scene.write(root, 2, [`KEY ADD ${scene.publicText(late)} LABEL late`]);
    scene.write(late, 3, ["SET k right"]);
    scene.write(root, 4, [`KEY REVOKE ${hexOf(late.id)}`]);
    scene.write(late, 5, ["SET k revoked"]);
    scene.write(app, 6, ["GET k"]);

    const units = await scene.units(["label", "outcome", "reply"], "TIMELINE", "LOG", ...FROM);
    assert.deepEqual(
      units.map(([label, outcome]) => [label, outcome]),
      [
        ["", "denied"],
        ["public", "applied"],
        ["late", "applied"],
        ["public", "applied"],
        ["late", "denied"],
        ["public", "applied"],
      ],
    );
    assert.equal(units.at(-1)?.[2], "right");
  });

  test("shortens long values, and does not retain the removed part", async () => {
    scene.write(scene.app, 1, [`SET k ${"x".repeat(1000)}`, `DEL ${"a ".repeat(40).trim()}`]);
    const units = await scene.units(["commands"], "TIMELINE", "LOG", ...FROM);
    const [set, del] = units.map(([commands]) => commands as string[][]);
    assert.equal(set?.[0]?.[2], `${"x".repeat(128)}…`);
    assert.deepEqual(del?.[0]?.slice(-2), ["a", "…+25"]);
  });

  test("reports errors in its arguments", async () => {
    const cases: readonly (readonly [string[], RegExp])[] = [
      [["SINCE", "1"], /^ERR syntax error$/],
      [["FROM", "1", "FROM", "2"], /^ERR syntax error$/],
      [["FROM"], /^ERR FROM is not followed by its value$/],
      [["TO", "yesterday"], /^ERR TO is 'yesterday' instead of milliseconds since 1970$/],
      [["LIMIT", "0"], /^ERR LIMIT is '0' instead of a number from 1 to 10000$/],
      [["SIGNER", "web"], /^ERR SIGNER is 'web' instead of a key's id/],
    ];
    for (const [argv, expected] of cases)
      assert.match((await scene.send("TIMELINE", "LOG", ...argv)) as string, expected);
  });
});

describe("TIMELINE BLAME", () => {
  const blamed = async (...argv: string[]) =>
    (await scene.units(["change", "index", "commands"], "TIMELINE", "BLAME", ...argv)).map(
      ([change, index, commands]) => `${change} ${index} ${(commands as string[][])[0]?.join(" ")}`,
    );

  test("names the units that created, changed and removed a key", async () => {
    const { app } = scene;
    scene.write(app, 1, ["SET k 1", "SET other 1"]);
    scene.write(app, 2, ["GET k", "SETNX k 2", "LPUSH k x"]);
    scene.write(app, 3, ["INCR k", "INCR k"]);
    scene.write(app, 4, ["RENAME k gone"]);
    scene.write(app, 5, ["SET x 1", "MSET k 5 x 6"]);
    scene.write(app, 6, ["SET k 7"], { db: 1 });
    scene.write(app, 7, ["FLUSHALL"]);

    assert.deepEqual(await blamed("k"), [
      "created 0 SET k 1",
      "changed 0 INCR k",
      "changed 1 INCR k",
      "removed 0 RENAME k gone",
      "created 1 MSET k 5 x 6",
      "removed 0 FLUSHALL",
    ]);
    assert.deepEqual(await blamed("k", "FROM", String(AT + 4)), [
      "removed 0 RENAME k gone",
      "created 1 MSET k 5 x 6",
      "removed 0 FLUSHALL",
    ]);

    const { before, writer } = (await scene.send("TIMELINE", "BLAME", "k", "FROM", String(AT + 4))) as {
      before: string;
      writer: string | null;
    };
    assert.match(before, /^[\da-f]{64}:1$/);
    assert.equal(writer, null);
  });

  test("counts an expired key as absent", async () => {
    const { app } = scene;
    scene.write(app, 1, ["SET k 1 PX 100"]);
    scene.write(app, 50, ["PERSIST k", "PEXPIRE k 100"]);
    scene.write(app, 200, ["SET other 1"]);
    scene.write(app, 300, ["SET k 2"]);
    assert.deepEqual(await blamed("k"), [
      "created 0 SET k 1 PX 100",
      "changed 0 PERSIST k",
      "changed 1 PEXPIRE k 100",
      "created 0 SET k 2",
    ]);
  });

  test("hides the other keys of commands from a signer that may not read all keys", async () => {
    const { app } = scene;
    scene.readsAll = false;
    scene.write(app, 1, ["MSET other secret k 1"]);
    scene.write(app, 2, ["GETDEL other", "SET other secret", "APPEND k x", "SET other 2"], { multi: true });
    scene.write(app, 3, ["FLUSHALL ASYNC"]);
    assert.deepEqual(await scene.units(["change", "commands", "reply"], "TIMELINE", "BLAME", "k"), [
      ["created", [["MSET", "k", "…"]], "…"],
      ["changed", [["APPEND", "k", "…"]], "…"],
      ["removed", [["FLUSHALL", "…"]], "…"],
    ]);
  });

  test("reports nothing for a key that was never written", async () => {
    const answer = (await scene.send("TIMELINE", "BLAME", "k")) as Record<string, unknown>;
    assert.deepEqual([answer["units"], answer["writer"], answer["before"]], [[], null, null]);
  });
});

describe("TIMELINE GET", () => {
  test("runs a reading command on the state of a date, with that date as the time", async () => {
    const { app } = scene;
    scene.write(app, 1, ["SET k 1 PX 1000", "RPUSH l a b"]);
    scene.write(app, 100, ["SET k 2", "LPOP l"]);
    const get = (at: number, ...argv: string[]) => scene.send("TIMELINE", "GET", String(AT + at), ...argv);
    assert.equal(await get(0, "GET", "k"), null);
    assert.equal(await get(1, "GET", "k"), "1");
    assert.equal(await get(50, "PTTL", "k"), 951);
    assert.deepEqual(await get(99, "LRANGE", "l", "0", "-1"), ["a", "b"]);
    assert.equal(await get(100, "GET", "k"), "2");
    assert.deepEqual(await get(100, "LRANGE", "l", "0", "-1"), ["b"]);
    assert.equal(
      await get(100, "GET", "l"),
      "WRONGTYPE Operation against a key holding the wrong kind of value",
    );
  });

  test("changes nothing, and accepts no future date", async () => {
    const get = (at: number, ...argv: string[]) => scene.send("TIMELINE", "GET", String(at), ...argv);
    assert.match((await get(AT, "SET", "k", "v")) as string, /^ERR 'set' does not read data/);
    assert.match(
      (await get(AT, "TIMELINE", "STATUS")) as string,
      /^ERR 'timeline\|status' does not read data/,
    );
    assert.match((await get(AT, "NONSENSE")) as string, /^ERR unknown command/);
    assert.match((await get(NOW + 5, "GET", "k")) as string, /^ERR the date is 5 ms ahead/);
    assert.match(
      (await scene.send("TIMELINE", "GET", "now", "GET", "k")) as string,
      /instead of milliseconds/,
    );
  });

  test("returns an error instead of a value if an entry is damaged", async () => {
    const entry = scene.write(scene.app, 1, ["SET k v"]);
    const { orderKeyOf, writeOrderKey } = await import("../../../../daemon/timeline/entries/entry.js");
    scene.storage.put([[writeOrderKey(orderKeyOf(entry)), Buffer.from("nonsense")]]);
    assert.match(
      (await scene.send("TIMELINE", "GET", String(AT + 1), "GET", "k")) as string,
      /1 entries .* damaged/,
    );
  });

  test("reports the first available date if a state is no longer stored", async () => {
    scene.write(scene.app, 5, ["SET k v"]);
    scene.storage.put([], [["pruned", Buffer.from(String(AT))]]);
    assert.match(
      (await scene.send("TIMELINE", "GET", String(AT + 1), "GET", "k")) as string,
      /^ERR entries up to 1790000000001 are no longer stored/,
    );
  });
});

test("TIMELINE OUTCOME reports the outcome of entries that an evicted daemon had accepted", async () => {
  const orderKey = (at: number) => writeOrderKey({ at, seq: 0, id: "i".repeat(32) }).toString("hex");
  const send = (...words: string[]) => scene.send("TIMELINE", "OUTCOME", ...words);
  const outcomes = await send(hexOf(LEFT_OUT), ...[3, 4, 5, 8].map(orderKey));
  assert.deepEqual(outcomes, ["forgotten", "dead-letter", "held", "undecided"]);
  assert.match(
    String(await send(hexOf("M".repeat(32)), orderKey(4))),
    /^ERR the list of members does not leave/,
  );
  assert.match(String(await send("4c4c", orderKey(4))), /^ERR '4c4c' is not a daemon's id/);
  assert.match(String(await send(hexOf(LEFT_OUT), "00ff")), /^ERR '00ff' is not an order key of 84/);
  const many = Array.from({ length: 1001 }, () => orderKey(4));
  assert.match(
    String(await send(hexOf(LEFT_OUT), ...many)),
    /^ERR 1001 order keys are named, but at most 1000 are allowed/,
  );
});

test("TIMELINE STATUS reports the timeline and, up to a given second, the sums that two daemons can compare", async () => {
  scene.write(scene.app, 1, ["SET k v"]);
  scene.write(scene.root, 2500, ["KEY LIST"]);
  const status = (await scene.send("TIMELINE", "STATUS", "UPTO", String(AT + 1999))) as Record<
    string,
    unknown
  >;
  const names = ["state", "failure", "published", "ring-entries", "data-entries", "tail-units", "upto"];
  assert.deepEqual(
    names.map((name) => status[name]),
    ["live", null, 9, 1, 1, 1, AT + 1000],
  );
  assert.match(status["data-upto"] as string, /^1:[\da-f]{64}$/);
  assert.equal(status["ring-upto"], `0:${"0".repeat(64)}`);
});

test("a third concurrent recall is refused, and the running ones end when the daemon stops", async () => {
  for (let i = 0; i < 200; i++) scene.write(scene.app, i, ["INCR k"]);
  await scene.send("TIMELINE", "STATUS");
  const [first, second, third] = [1, 2, 3].map(() => scene.send("TIMELINE", "LOG", ...FROM));
  scene.history.stop();
  assert.match((await third) as string, /^ERR 2 other requests for history are running/);
  for (const one of [first, second]) assert.equal(await one, "ERR the daemon stops");
});

test("TIMELINE is answered with an error if its code cannot be loaded, and works when it can", async () => {
  const { node, recorder } = scene.history;
  let isThere = false;
  const load = async () => {
    if (!isThere) throw new Error("no file\nthere");
    return await import("../../../../daemon/cluster/history/timeline-answers.js");
  };
  const commands = new TimelineCommands(node, recorder, load);
  const unit = { at: NOW, db: 0, id: "q" };
  const send = async () => await commands.execute("TIMELINE|STATUS", ["TIMELINE", "STATUS"], unit);

  assert.deepEqual(await send(), {
    kind: "error",
    text: "ERR the code of TIMELINE's commands cannot be loaded: no file there",
  });

  isThere = true;
  assert.equal((await send())?.kind, "map");
  commands.stop();
  assert.equal(commands.execute("SET", ["SET", "k", "v"], unit), null);
});

test("a request uses its own database and rights, although another client sends a command while the code is loaded", async () => {
  scene.write(scene.app, 1, ["MSET other secret k 1"], { db: 3 });
  const unit = { at: NOW, db: 3, id: "q", readsAll: false };
  const reply = scene.history.execute("TIMELINE|BLAME", ["TIMELINE", "BLAME", "k"], unit);
  Object.assign(unit, { db: 0, readsAll: true });
  const text = JSON.stringify(await reply);
  assert.match(text, /MSET/);
  assert.doesNotMatch(text, /secret/);
});

test("a request whose code is still being loaded when the daemon stops is not run", async () => {
  const reply = scene.send("TIMELINE", "LOG", ...FROM);
  scene.history.stop();
  assert.equal(await reply, "ERR the daemon stops");
});

test("on a database without a timeline TIMELINE reports what it needs", async () => {
  const { Database } = await import("../../../../daemon/store/database.js");
  const unit = { at: AT, db: 0, id: "u" };
  const reply = new Database().execute(["TIMELINE", "LOG"], unit);
  assert.match(
    reply.kind === "error" ? reply.text : "",
    /^ERR TIMELINE is answered by daemons with --data or --peer/,
  );
  assert.equal(new Database().execute(["TIMELINE", "GET", "1"], unit).kind, "error");
});

test("a key that may read history sees only keys that it may read, and only by commands that it may run", () => {
  const { root } = scene;
  const ring = scene.signers.makeRing();
  const signer = ring.find(root.id);
  assert.ok(signer !== undefined);

  const other = makeKeyPair();
  const rules = ["-@all", "+timeline", "+get", "+mget", "%R~app:*"];
  const argv = ["KEY", "ADD", scene.publicText(other), "RULES", ...rules];
  assert.equal(ring.execute(argv, { at: AT, db: 0, id: "u" }, signer).kind, "bulk");
  const record = ring.find(other.id);
  assert.ok(record !== undefined);

  const denial = (line: string) => ring.judge(record, [line.split(" ")], { conditions: null })?.text ?? null;
  assert.equal(denial("TIMELINE GET 1 GET app:1"), null);
  assert.equal(denial("TIMELINE BLAME app:1"), null);
  assert.equal(denial("TIMELINE STATUS"), null);
  assert.match(denial("TIMELINE GET 1 STRLEN app:1") ?? "", /^NOPERM .* run 'strlen'/);
  assert.match(denial("timeline get 1 strlen app:1") ?? "", /^NOPERM .* run 'strlen'/);
  assert.match(denial(`TIMELINE GET 1${" TIMELINE GET 1".repeat(10_000)} GET k`) ?? "none", /^none$/);

  assert.equal(record.acl.mayReadAll, false);
  assert.equal(signer.acl.mayReadAll, true);
  assert.match(denial("TIMELINE GET 1 GET k") ?? "", /^NOPERM .* read key 'k'/);
  assert.match(denial("TIMELINE GET 1 MGET app:1 k") ?? "", /^NOPERM .* read key 'k'/);
  assert.match(denial("TIMELINE BLAME k") ?? "", /^NOPERM/);
  assert.match(denial("TIMELINE LOG KEY app:1") ?? "", /^NOPERM .* all keys/);
});
