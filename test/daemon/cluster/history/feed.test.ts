/**
 * Tests the pages of the feed: the final form in the order of the fold, resumed anywhere; the early form by arrival;
 * and who may see a unit.
 */
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { UnitAnswer } from "../../../../daemon/timeline/fold/fold.js";
import { bulk, status } from "../../../../protocol/reply.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import { unitOrderKey } from "../../../../protocol/version-2/unit-names.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { nextTurn, until } from "../../../support/until.js";
import { AT, idText, PastScene, type Plain } from "./past-scene.js";

let scene: PastScene;
beforeEach(() => {
  scene = new PastScene();
});

interface Page {
  readonly position: string;
  readonly more: number;
  readonly final: number;
  readonly "waits-for": string | null;
  readonly "waits-since": number | null;
  readonly units: readonly Record<string, Plain>[];
}

const after = async (position: string | number, ...more: readonly string[]): Promise<Page> => {
  const page = await scene.send("TIMELINE", "LOG", "AFTER", String(position), ...more);
  if (typeof page === "string") throw new Error(page);
  return page as unknown as Page;
};

const PAGES_MAX = 10_000;

/** Returns the pages after a position, up to the last one. @param next  returns the position of the next page */
async function* pagesAfter(
  position: string,
  next = ({ position }: Page): string => position,
  options = (): readonly string[] => [],
): AsyncGenerator<Page> {
  for (let count = 0; count < PAGES_MAX; count++) {
    const page = await after(position, ...options());
    yield page;
    if (page.more === 0) return;
    position = next(page);
  }
  assert.fail("the pages do not end");
}

const arrived = async (position: string, ...more: readonly string[]): Promise<Page> => {
  const page = await scene.send("TIMELINE", "LOG", "ARRIVED", position, ...more);
  if (typeof page === "string") throw new Error(page);
  return page as unknown as Page;
};

const commandsIn = ({ units }: Page): string[] =>
  units.map(({ commands }) => (commands as string[][]).map((argv) => argv.join(" ")).join("; "));

describe("the final form", () => {
  const seed = seedOfRun();

  test(`shows each final unit once, in order, from any position (seed ${seed})`, async () => {
    const random = new SeededRandom(seed);
    const entries: Entry[] = [];
    const write = (at: number): Entry =>
      scene.write(
        scene.app,
        at,
        Array.from({ length: random.between(1, 3) }, () => `INCR k${random.below(3)}`),
        { seq: random.below(3) },
      );
    for (let i = 0; i < 200; i++) entries.push(write(random.below(1000)));

    const expected: string[] = [];
    const counts = new Map<string, number>();
    for (const entry of entries.sort((a, b) => writeOrderKey(key(a)).compare(writeOrderKey(key(b)))))
      for (const [index, [, name = ""]] of entry.envelope.commands.entries()) {
        const count = (counts.get(name) ?? 0) + 1;
        counts.set(name, count);
        expected.push(`${entry.envelope.at} ${idText(entry)} ${index} ${name} ${count}`);
      }

    const seen: string[] = [];
    const positions: string[] = [];
    let position: string = String(AT);
    // The final date moves on while a follower reads, and it continues at the position of any unit.
    for (let final = AT; final <= AT + 1000; final += random.between(1, 100)) {
      scene.finality.stablePoint = final;
      const next = (page: Page) =>
        page.units.length > 0 && random.chance(0.5) ? (positions.at(-1) as string) : page.position;
      const limit = () => {
        if (random.chance(0.1)) scene.restart();
        return ["LIMIT", String(random.between(1, 20))];
      };

      for await (const page of pagesAfter(position, next, limit)) {
        for (const { at, id, index, commands, reply, position: place } of page.units) {
          assert.ok((at as number) < final);
          seen.push(`${at} ${id} ${index} ${(commands as string[][])[0]?.[1]} ${reply}`);
          positions.push(place as string);
        }
        position = next(page);
      }
    }

    scene.finality.stablePoint = AT + 1001;
    for await (const page of pagesAfter(position)) {
      for (const { at, id, index, commands, reply } of page.units)
        seen.push(`${at} ${id} ${index} ${(commands as string[][])[0]?.[1]} ${reply}`);
    }
    assert.deepEqual(seen, expected);
  });

  test("shows the units before one that is longer than all that are kept, and those of one long entry", async () => {
    const long = "x".repeat(9 * 1024 * 1024);
    for (let i = 0; i < 100; i++) scene.write(scene.app, i, [`SET k${i} small`]);
    scene.write(scene.app, 100, [`SET k ${long}`]);
    const half = "x".repeat(5 * 1024 * 1024);
    scene.write(scene.app, 101, [`SET first ${half}`, `SET second ${half}`]);
    scene.finality.stablePoint = AT + 102;
    const names: string[] = [];
    for await (const { units } of pagesAfter(String(AT)))
      for (const { commands } of units) names.push((commands as string[][])[0]?.[1] as string);
    assert.deepEqual(names, [...Array.from({ length: 100 }, (_, i) => `k${i}`), "k", "first", "second"]);
  });

  test("shows complete commands, outcomes and labels, and no early unit", async () => {
    const long = "x".repeat(500);
    scene.write(scene.app, 1, [`SET k ${long}`]);
    scene.write(scene.app, 2, ["INCR k"]);
    scene.write(scene.app, 3, ["CONFIG SET a b"]);
    scene.write(scene.app, 4, ["DEL k"], { if: [{ db: 0, key: "k", writer: "" }] });
    scene.write(scene.app, 9, ["SET later 1"]);
    scene.finality.stablePoint = AT + 9;

    const page = await after(AT);
    assert.deepEqual(commandsIn(page), [`SET k ${long}`, "INCR k", "CONFIG SET a b", "DEL k"]);
    assert.deepEqual(
      page.units.map(({ outcome, reply }) => [outcome, String(reply).slice(0, 6)]),
      [
        ["applied", "OK"],
        ["error", "ERR va"],
        ["denied", "NOPERM"],
        ["unmet", "(nil)"],
      ],
    );
    assert.deepEqual([page.more, page.final], [0, AT + 9]);
    assert.match(page.position, /^[\da-f]{92}$/);
    assert.deepEqual(commandsIn(await after(page.position)), []);

    scene.finality.stablePoint = AT + 10;
    assert.deepEqual(commandsIn(await after(page.position)), ["SET later 1"]);
  });

  test("selects units by key and by signer, and the position passes over the others", async () => {
    for (let i = 0; i < 30; i++)
      scene.write(i % 10 === 0 ? scene.root : scene.app, i, [`SET k${i % 3} ${i}`]);
    scene.finality.stablePoint = AT + 100;
    const byKey = await after(AT, "KEY", "k1", "LIMIT", "3");
    assert.deepEqual(commandsIn(byKey), ["SET k1 1", "SET k1 4", "SET k1 7"]);
    assert.deepEqual(commandsIn(await after(byKey.position, "KEY", "k1", "LIMIT", "1")), ["SET k1 10"]);
    const bySigner = await after(AT, "SIGNER", hexOf(scene.root.id));
    assert.deepEqual(commandsIn(bySigner), ["SET k0 0", "SET k1 10", "SET k2 20"]);
    assert.equal(bySigner.more, 0);
  });

  test("returns pages of bounded size, and a page per request", async () => {
    const size = 300 * 1024;
    for (let i = 0; i < 40; i++) scene.write(scene.app, i, [`SET k${i} ${"x".repeat(size)}`]);
    scene.finality.stablePoint = AT + 100;
    const sizes: number[] = [];
    for await (const page of pagesAfter(String(AT))) sizes.push(page.units.length);
    assert.equal(
      sizes.reduce((sum, count) => sum + count),
      40,
    );
    assert.ok(Math.max(...sizes) <= 4, String(sizes));
  });

  test("names the member that the final date waits for, and since when", async () => {
    scene.finality.stablePoint = AT;
    assert.deepEqual([(await after(AT))["waits-for"], (await after(AT))["waits-since"]], [null, null]);
    const members = ["m".repeat(32), "n".repeat(32)];
    scene.finality.finalityDelay = { cause: "away", members, milliseconds: 5000, isOverdue: true };
    scene.finality.members = [{ id: members[0] as string, address: "10.0.0.3:1107" }];
    const page = await after(AT);
    assert.equal(page["waits-for"], "its member 10.0.0.3:1107 and 6e6e6e6e6e6e is not connected");
    assert.equal(page["waits-since"], AT + 3_600_000 - 5000);
  });

  test("refuses to skip what is damaged here, and a daemon that is catching up", async () => {
    const entry = scene.write(scene.app, 1, ["SET k v"]);
    scene.storage.put([[writeOrderKey(key(entry)), Buffer.from("damaged")]]);
    scene.finality.stablePoint = AT + 10;
    await assert.rejects(after(AT), /an entry of the timeline is damaged here.*follow another daemon/);
    scene.finality.state = "catching-up";
    await assert.rejects(after(AT), /this daemon is catching-up: send the command to a live one/);
  });

  test("a page that waits for another one fails with it, and skips nothing", async () => {
    const entry = scene.write(scene.app, 1, ["SET k v"]);
    scene.storage.put([[writeOrderKey(key(entry)), Buffer.from("damaged")]]);
    scene.finality.stablePoint = AT + 10;
    const pages = await Promise.allSettled([after(AT), after(AT)]);
    assert.deepEqual(
      pages.map(({ status: result }) => result),
      ["rejected", "rejected"],
    );
  });

  test("a position of another cluster is an error", async () => {
    const [first, second] = [scene.write(scene.app, 1, ["SET k v"]), scene.write(scene.app, 2, ["SET k w"])];
    scene.finality.stablePoint = AT + 10;
    const { units } = await after(AT);
    assert.deepEqual(commandsIn(await after(String(units[0]?.["position"]))), ["SET k w"]);
    const foreign = String(units[0]?.["position"]).replace(idText(first), idText(second));
    await assert.rejects(after(foreign), /belongs to another cluster, .*dbsync export.*follow the feed/);
  });

  test("a position before the stored history is an error that names the snapshot and the feed", async () => {
    scene.write(scene.app, 1, ["SET k v"]);
    const { at, seq, id } = key(scene.write(scene.app, 5, ["SET k v", "SET k w"]));
    scene.storage.put([], [["pruned", Buffer.from(String(AT + 5))]]);
    scene.finality.stablePoint = AT + 10;
    // The entry of this unit has another one after it.
    const first = hexOf(unitOrderKey(at, seq, id, 0));
    await assert.rejects(after(first), new RegExp(`entries up to ${AT + 4} are no longer stored`));
    await assert.rejects(
      after(AT),
      /entries up to \d+ are no longer stored: read a snapshot .*dbsync export.*then follow the feed from a date/,
    );
  });

  test("at most two readings exist, and an idle one makes room", async () => {
    for (let i = 0; i < 300; i++) scene.write(scene.app, i, [`SET k${i} v`]);
    scene.finality.stablePoint = AT + 1000;
    assert.equal((await after(AT, "LIMIT", "1")).units.length, 1);
    assert.equal(
      (await after(AT + 200, "LIMIT", "1")).units.length,
      1,
      "within the units of the first reading",
    );
    const positions = [AT - 100, AT - 200, AT - 300];
    const failures: string[] = [];
    for (const position of positions) await after(position).catch(({ message }) => failures.push(message));
    assert.match(failures.join(), /followers read 2 other parts of the history/);
  });

  test("a follower continues at each page from before the first entry, also on a slow machine", async () => {
    scene.write(scene.app, 1, ["SET k v"]);
    scene.finality.stablePoint = 0;
    const { position, more } = await after(0);
    assert.deepEqual([position, more], ["0", 0], "nothing is final");
    scene.finality.stablePoint = AT + 10;
    scene.clockStep = 3_000;
    const seen: string[] = [];
    for await (const page of pagesAfter(position)) seen.push(...commandsIn(page));
    assert.deepEqual(seen, ["SET k v"]);
  });

  test("refuses wrong arguments", async () => {
    for (const [argv, reason] of [
      [["AFTER", "x"], /'x' is not a position of the final form: AFTER takes/],
      [["AFTER", "f".repeat(92)], /is not a position of the final form/],
      [["AFTER"], /AFTER is not followed by its value/],
      [["AFTER", "1", "FROM", "1"], /syntax error/],
      [["AFTER", "1", "ARRIVED", "NOW"], /syntax error/],
      [["ARRIVED", "5"], /'5' is not a position of the early form: .*ARRIVED takes NOW/],
    ] as const)
      assert.match(String(await scene.send("TIMELINE", "LOG", ...argv)), reason);
  });
});

describe("who may see a unit", () => {
  test("a key sees only units of which it may read all keys", async () => {
    const follower = makeKeyPair();
    const rules = ["-@all", "+timeline|log", "%R~shop:*", "~all", "(+exists", "%R~*)"];
    scene.write(scene.root, 1, [`KEY ADD ${scene.publicText(follower)} RULES ${rules.join(" ")}`]);
    scene.ring.execute(
      ["KEY", "ADD", scene.publicText(follower), "RULES", ...rules],
      { at: AT, db: 0, id: "x" },
      scene.ring.find(scene.root.id) as never,
    );

    scene.write(scene.app, 2, ["SET shop:a 1", "SET other 2", "RENAME shop:a other", "FLUSHALL"]);
    scene.write(scene.app, 3, ["SET shop:a 1", "SET other 2"], { multi: true });
    scene.write(scene.app, 4, ["SET shop:b 1"], { if: [{ db: 0, key: "other", writer: "" }] });
    scene.write(scene.app, 5, ["MSET shop:c 1 all 2", "EVAL x 0"]);
    scene.write(scene.app, 6, ["SET shop:d 1", "EVAL other 1 shop:d", "NOSUCH shop:d"]);
    scene.finality.stablePoint = AT + 10;

    scene.readsAll = false;
    assert.deepEqual(commandsIn(await after(AT)), []);
    scene.caller = follower.id;
    assert.equal(scene.ring.find(follower.id)?.acl.mayReadAll, false);
    assert.deepEqual(commandsIn(await after(AT)), ["SET shop:a 1", "MSET shop:c 1 all 2", "SET shop:d 1"]);

    scene.readsAll = true;
    assert.equal((await after(AT)).units.length, 12);
  });

  test("the position and more of a page say nothing about hidden units", async () => {
    scene.write(scene.app, 1, ["SET shown 1"]);
    scene.write(scene.app, 5, ["SET hidden 1"]);
    scene.finality.stablePoint = AT + 10;
    const only = await after(AT, "KEY", "shown", "LIMIT", "1");
    assert.deepEqual([commandsIn(only), only.more], [["SET shown 1"], 0]);

    // Far from the final date, pages end earlier.
    for (let i = 0; i < 16; i++) scene.write(scene.app, 2000 + i, [`SET hidden ${"x".repeat(300 * 1024)}`]);
    scene.restart();
    scene.finality.stablePoint = AT + 10_000;
    const first = await after(AT, "KEY", "shown");
    assert.deepEqual([commandsIn(first), first.more], [["SET shown 1"], 1]);
    assert.equal(first.position, first.units[0]?.["position"]);

    scene.clockStep = 3_000;
    const positions = new Set<string>();
    for (let page = first; page.more === 1; ) {
      page = await after(page.position, "KEY", "shown");
      assert.deepEqual(page.units, []);
      if (page.position !== first.position) positions.add(page.position);
    }

    assert.ok(positions.size > 1, "some pages end before the final date");
    assert.deepEqual(
      [...positions].filter((position) => !position.endsWith("ff".repeat(36))),
      [],
    );
  });
});

describe("positions and hidden units", () => {
  const large = "x".repeat(300 * 1024);
  const namesNoUnit = ({ position }: Page): boolean => position.endsWith("ff".repeat(36));

  test("a page without units names none, even if very many have the same date", async () => {
    for (let i = 0; i < 90; i++) scene.write(scene.app, 5, [`SET hidden${i} ${large}`]);
    scene.write(scene.app, 6, ["SET shown 1"]);
    scene.finality.stablePoint = AT + 10_000;
    scene.clockStep = 3_000;
    const seen: string[] = [];
    for await (const page of pagesAfter(String(AT + 5), undefined, () => ["KEY", "shown"])) {
      seen.push(...commandsIn(page));
      if (page.units.length === 0) assert.ok(namesNoUnit(page), page.position);
    }
    assert.deepEqual(seen, ["SET shown 1"]);
  });

  test("a page that ends before its date repeats its position, if that reveals less", async () => {
    for (let i = 0; i < 12; i++) scene.write(scene.app, 5 + i, [`SET hidden${i} ${large}`]);
    scene.finality.stablePoint = AT + 10_000;
    scene.clockStep = 3_000;
    const position = (await after(AT + 3, "KEY", "shown")).position;
    assert.equal((await after(position, "KEY", "shown")).position, position);
    const dates: string[] = [];
    for await (const page of pagesAfter(position, undefined, () => ["KEY", "shown"]))
      dates.push(page.position);
    assert.deepEqual([...new Set(dates)].slice(0, -1), [position]);
  });

  test("a page names no unit that a page for another follower has read", async (t) => {
    for (let i = 0; i < 8; i++) scene.write(scene.app, i, [`SET hidden${i} ${large}`]);
    let isFlushed = (): void => {};
    const flushed = t.mock.method(scene.storage, "flushed");
    flushed.mock.mockImplementationOnce(() => new Promise<void>((resolve) => (isFlushed = resolve)));
    scene.finality.stablePoint = AT + 2;
    const slow = after(AT, "KEY", "shown");
    await until("the first page waits for the disk", () => flushed.mock.callCount() > 0, { pause: nextTurn });
    scene.finality.stablePoint = AT + 10;
    assert.equal((await after(AT, "LIMIT", "1")).more, 1);
    isFlushed();
    const page = await slow;
    assert.deepEqual([page.units, page.more, namesNoUnit(page)], [[], 0, true]);
  });
});

describe("the work for a page", () => {
  const KEYS = 40_000;

  test("is divided into turns by the keys of units, in both forms", async () => {
    const follower = makeKeyPair();
    const rules = ["-@all", "+timeline|log", "%R~k*"];
    scene.ring.execute(
      ["KEY", "ADD", scene.publicText(follower), "RULES", ...rules],
      { at: AT, db: 0, id: "x" },
      scene.ring.find(scene.root.id) as never,
    );
    const many = `MSET ${Array.from({ length: KEYS }, (_, i) => `k${i} v`).join(" ")}`;
    const start = await arrived("NOW");
    const entry = scene.write(scene.app, 1, [many]);
    scene.arrivals.add(entry, [{ reply: status("OK"), outcome: "applied", late: false }]);
    scene.finality.stablePoint = AT + 10;
    assert.equal((await after(AT)).units.length, 1);
    scene.readsAll = false;
    scene.caller = follower.id;
    // Only two or three steps fit into a turn.
    scene.clockStep = 1;

    for (const page of [() => arrived(start.position), () => after(AT)]) {
      const before = scene.turns;
      assert.equal((await page()).units.length, 1);
      assert.ok(scene.turns - before > 20, String(scene.turns - before));
    }
  });

  test("of a page that finds nothing is also divided", async () => {
    for (let i = 0; i < 20; i++) scene.write(scene.app, i, [`SET hidden ${"x".repeat(1 << 20)}`]);
    scene.finality.stablePoint = AT + 100;
    const page = await after(AT, "KEY", "shown");
    assert.deepEqual([page.units, page.more], [[], 0]);
    assert.ok(scene.turns >= 20, String(scene.turns));
  });

  test("a page that is overtaken by newer arrivals fails", async () => {
    const big = () => scene.entry(scene.app, 1, [`SET k ${"x".repeat(1 << 20)}`]);
    const add = () => scene.arrivals.add(big(), [{ reply: status("OK"), outcome: "applied", late: false }]);
    const start = await arrived("NOW");
    add();
    add();
    scene.clockStep = 3;
    const page = arrived(start.position, "KEY", "other");
    for (let i = 0; i < 20; i++) add();
    await assert.rejects(page, /older than the stored arrivals/);
  });

  test("a page that is overtaken returns the units that it has found, and the next one fails", async () => {
    const add = (command: string) =>
      scene.arrivals.add(scene.entry(scene.app, 1, [command]), [
        { reply: status("OK"), outcome: "applied", late: false },
      ]);
    const start = await arrived("NOW");
    add("SET found 1");
    for (let i = 0; i < 3; i++) add("SET hidden 1");
    scene.clockStep = 3;
    const page = arrived(start.position, "KEY", "found");
    // The first step has found the first unit.
    await nextTurn();
    for (let i = 0; i < 20; i++) add(`SET hidden ${"x".repeat(1 << 20)}`);
    const { units, position, more } = await page;
    assert.deepEqual([units.length, more], [1, 1]);
    await assert.rejects(arrived(position), /older than the stored arrivals/);
  });
});

describe("the early form", () => {
  const answer = (late = false): UnitAnswer => ({ reply: status("OK"), outcome: "applied", late });

  test("shows units in the order of arrival, with their first answers and the marks of late ones", async () => {
    scene.arrivals.add(scene.entry(scene.app, 1, ["SET k before"]), [answer()]);
    const start = await arrived("NOW");
    assert.deepEqual([start.units.length, start.more], [0, 0]);

    scene.arrivals.add(scene.entry(scene.app, 9, ["SET k 9"]), [answer()]);
    const late = scene.entry(scene.app, 5, ["SET k 5", "SET l 5"]);
    const unknown = scene.entry(scene.app, 4, ["SET k 4"]);
    scene.arrivals.addAll([late, unknown], [{ entry: late, answers: [answer(true), answer()] }]);

    const page = await arrived(start.position, "LIMIT", "10");
    assert.deepEqual(
      page.units.map(({ commands, outcome, reply, late: isLate }) => [
        (commands as string[][])[0]?.join(" "),
        outcome,
        reply,
        isLate,
      ]),
      [
        ["SET k 9", "applied", "OK", 0],
        ["SET k 5", "applied", "OK", 1],
        ["SET l 5", "applied", "OK", 0],
        ["SET k 4", null, null, 1],
      ],
    );
    assert.deepEqual((await arrived(page.position)).units, []);

    const first = await arrived(start.position, "LIMIT", "1");
    assert.deepEqual([commandsIn(first), first.more], [["SET k 9"], 1]);
    assert.deepEqual(commandsIn(await arrived(first.position, "KEY", "l")), ["SET l 5"]);
    assert.deepEqual(commandsIn(await arrived(page.units[1]?.["position"] as string)), [
      "SET l 5",
      "SET k 4",
    ]);
  });

  test("positions do not count hidden units, and a page checks a bounded number of units", async () => {
    const add = (command: string) => scene.arrivals.add(scene.entry(scene.app, 1, [command]), [answer()]);
    const start = await arrived("NOW");

    add("SET shown 1");
    for (let i = 0; i < 3; i++) add("SET hidden 1");
    const page = await arrived(start.position, "KEY", "shown", "LIMIT", "1");
    assert.deepEqual([commandsIn(page), page.more], [["SET shown 1"], 0]);
    assert.notEqual((await arrived(page.position)).position, page.position, "also without further units");

    const again = await arrived(start.position, "KEY", "shown");
    assert.equal(again.units[0]?.["position"], page.units[0]?.["position"]);

    const many = Array.from({ length: 100 }, () => "SET hidden 1");
    const entry = scene.entry(scene.app, 2, many);
    for (let i = 0; i < 101; i++)
      scene.arrivals.add(
        entry,
        many.map(() => answer()),
      );
    add("SET shown 2");

    const empty = await arrived(page.position, "KEY", "shown");
    assert.deepEqual([empty.units, empty.more], [[], 1]);
    assert.deepEqual(commandsIn(await arrived(empty.position, "KEY", "shown")), ["SET shown 2"]);
  });

  test("a position is valid at this daemon, and until it forgets arrivals", async () => {
    const { position } = await arrived("NOW");
    await assert.rejects(arrived("0".repeat(16) + position.slice(16)), /belongs to another daemon/);
    await assert.rejects(
      arrived(`${"0".repeat(16)}-${"0".repeat(32)}`),
      /belongs to another daemon, .*dbsync export.*follow the feed/,
    );

    const big = () => scene.entry(scene.app, 1, [`SET k ${"x".repeat(1 << 20)}`]);
    for (let i = 0; i < 20; i++) scene.arrivals.add(big(), [{ ...answer(), reply: bulk("x") }]);
    await assert.rejects(
      arrived(position),
      /older than the stored arrivals: .*dbsync export.*follow the feed/,
    );

    const { position: later } = await arrived("NOW");
    scene.uptime += 600_001;
    scene.arrivals.add(scene.entry(scene.app, 2, ["SET k v"]), [answer()]);
    await assert.rejects(arrived(later), /belongs to another daemon/);
  });
});

const key = ({ id, envelope: { at, seq } }: Entry) => ({ at, seq, id });
