/** Tests `dbsync members` with real daemons that are killed, evicted, replaced and restarted. */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { after, before, test } from "node:test";
import { type MemberList, writeMemberList } from "../../../../protocol/members/member-list.js";
import { bytesOfHex, hexOf } from "../../../../protocol/version-2/envelope.js";
import { type ChildResult, runDbsync } from "../../../client/child.js";
import { skipUnlessFull } from "../../../support/amount.js";
import { EnvelopeClient, makeKeyPair } from "../../../support/envelope-client.js";
import { ScratchFolder } from "../../../support/scratch-folder.js";
import { Trio } from "../../../support/trio.js";
import { until } from "../../../support/until.js";

/** A daemon, which may not be running. */
interface Seat {
  readonly index: number;
  readonly port: number;
  readonly address: string;
  readonly data: string;
}

interface Listed {
  readonly lists: readonly {
    readonly number: number;
    readonly hash: string;
    readonly members: readonly string[];
    readonly left: readonly string[];
  }[];
  readonly isOne: boolean;
  readonly daemons: readonly { readonly address: string; readonly id: string; readonly state: string }[];
}

const folder = new ScratchFolder();
const foreign = makeKeyPair();
let trio: Trio;
let seats: readonly Seat[] = [];

before(async () => {
  trio = await Trio.start(["--window", "3,2"]);
  folder.privateKey(trio.app, "app.pem");
  folder.privateKey(trio.root, "root.pem");
  seats = trio.ports.map((port, index) => ({
    index,
    port,
    address: `127.0.0.1:${port}`,
    data: trio.folder(index),
  }));
});

after(async () => {
  await trio?.[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const start = ({ index }: Seat) => trio.start(index);
const kill = ({ index }: Seat) => trio.end(index, "SIGKILL");

/** Sends one daemon a command that no other daemon receives, and kills it. */
async function leaveAlone(seat: Seat, command: readonly string[]): Promise<void> {
  const others = seats.filter((other) => other !== seat).map(({ index }) => trio.daemon(index));
  for (const daemon of others) daemon.kill("SIGSTOP");
  try {
    const { stdout, stderr } = await run(["send", ...command], [seat], "app");
    assert.equal(stdout, "1\n", stderr);
    await kill(seat);
  } finally {
    for (const daemon of others) daemon.kill("SIGCONT");
  }
}

const run = (words: readonly string[], targets: readonly Seat[], key = "root"): Promise<ChildResult> => {
  const DBSYNC_SERVERS = targets.map(({ address }) => address).join(",");
  return runDbsync(words, {
    folder: folder.path,
    variables: { DBSYNC_SERVERS, DBSYNC_SIGNKEY: `${key}.pem` },
  });
};

async function listed(targets: readonly Seat[]): Promise<Listed> {
  const { stdout, stderr } = await run(["members", "list", "--json"], targets);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as Listed;
}

const idOf = async (seat: Seat): Promise<string> => (await listed([seat])).daemons[0]?.id ?? "";

/** Returns the state in a daemon's hello, which costs less than running dbsync. */
async function stateOf({ port }: Seat): Promise<string> {
  using client = await EnvelopeClient.open(port, foreign);
  return (await client.hello()).state;
}

const areLive = (what: string, targets: readonly Seat[]): Promise<void> =>
  until(what, async () => (await Promise.all(targets.map(stateOf))).every((state) => state === "live"));

const useList = (number: number, targets: readonly Seat[]): Promise<void> =>
  until(`the daemons use list ${number}`, async () => {
    const { lists, isOne } = await listed(targets);
    return isOne && lists[0]?.number === number;
  });

/**
 * Repeats a command until it succeeds, because a daemon on a busy machine may be disconnected temporarily. A
 * repetition is harmless.
 */
const succeeds = (words: readonly string[], targets: readonly Seat[], key = "root"): Promise<void> =>
  until(`dbsync ${words.join(" ")}`, async () => (await run(words, targets, key)).code === 0);

const isRefused = (
  words: readonly string[],
  targets: readonly Seat[],
  reason: RegExp,
  key = "root",
): Promise<void> =>
  until(`dbsync ${words.join(" ")} is refused`, async () => {
    const { code, stderr } = await run(words, targets, key);
    assert.notEqual(code, 0);
    return reason.test(stderr);
  });

/** Checks that the repeated command signs nothing, and succeeds. */
async function isUnchanged(
  words: readonly string[],
  targets: readonly Seat[],
  number: number,
): Promise<void> {
  await until(`dbsync members ${words.join(" ")} signs nothing`, async () => {
    const { code, stdout } = await run(["members", ...words], targets);
    return code === 0 && stdout.startsWith(`the list already contains this change: list ${number}, `);
  });
  assert.equal((await listed(targets)).lists[0]?.number, number);
}

/** Waits until a write is final, which requires the reports of all members. */
const becomesFinal = (seat: Seat, key: string): Promise<void> =>
  succeeds(["send", "--stable", "SET", key, "x"], [seat], "app");

test("only an administrator can create a list, which survives a crash", async () => {
  await areLive("all are live", seats);
  const addresses = seats.map(({ address }) => address);
  const none = await run(["members", "list"], seats);
  assert.deepEqual([none.code, /^There is no member list/.test(none.stdout)], [0, true]);

  const notAdministrator = /NOPERM[\s\S]*What to do: sign with an administrator's private key/;
  await isRefused(["members", "add", ...addresses], seats, notAdministrator, "app");
  const forgets = /is a member now, and the first list would exclude it/;
  await isRefused(["members", "add", ...addresses.slice(1)], seats, forgets);

  await succeeds(["members", "add", ...addresses], seats);
  await useList(1, seats);
  await isUnchanged(["add", ...addresses], seats, 1);
  const begun = await run(["send", "SET", "begun", "x"], seats, "app");
  assert.deepEqual([begun.stdout, begun.stderr], ["OK\n", ""]);

  await kill(seats[0] as Seat);
  await start(seats[0] as Seat);
  await areLive("the restarted daemon is live", seats);
  assert.equal((await listed([seats[0] as Seat])).lists[0]?.number, 1);
});

test("an evicted dead daemon no longer delays finality, and is refused when it returns", {
  skip: skipUnlessFull,
}, async () => {
  const [first, , third] = seats as [Seat, Seat, Seat];
  const remaining = seats.slice(0, 2);
  const lost = await idOf(third);
  await leaveAlone(third, ["INCR", "visits"]);
  const find = ["dead-letters", "find", "--data", third.data];
  await isRefused(find, remaining, /the list of members does not leave that daemon out/);
  await isRefused(["members", "evict", "127.0.0.1:1"], remaining, /there is no daemon .* on the list/);
  await succeeds(["members", "evict", lost.slice(0, 12)], remaining);
  await useList(2, remaining);
  await isUnchanged(["evict", lost.slice(0, 12)], remaining, 2);
  await becomesFinal(first, "evicted");

  // The evicted daemon has acknowledged a write that no other daemon has.
  await succeeds(find, remaining);
  const letters = ["dead-letters", "list", "--data", third.data];
  assert.match((await run(letters, [])).stdout, /^[^\n]+\n[\da-f]{12} .* waiting +evicted +INCR visits\n$/);
  const again = ["dead-letters", "write-again", "--all", "--data", third.data];
  assert.equal((await run(again, remaining, "app")).code, 0);
  assert.equal((await run(["send", "GET", "visits"], remaining, "app")).stdout, "1\n");
  assert.match((await run(find, remaining)).stdout, /^0 new dead letters/);

  await start(third);
  await until("the daemon reports that it is not on the list", async () =>
    /not-listed/.test((await run(["send", "SET", "returned", "x"], [third], "app")).stderr),
  );
  await until("the list reports that the daemon was removed", async () => {
    const { code, stdout } = await run(["members", "list"], [first, third]);
    return code === 0 && /was removed permanently/.test(stdout) && !/does not know/.test(stdout);
  });
  // The third daemon was down at the time of the eviction, and has received the list in the meantime.
  await useList(2, [third]);
  const sick = await run(["doctor"], [third]);
  assert.match(
    sick.stdout,
    /FAIL .*: it accepts no writes: .* number 2, signed .*, leaves it out permanently\n/,
  );
  assert.equal(sick.code, 1);
  await isRefused(["members", "add", lost], remaining, /was removed, and a removed id cannot return/);
  await kill(third);
});

test("one command replaces a daemon whose folder is lost", { skip: skipUnlessFull }, async () => {
  const [first, second] = seats as [Seat, Seat, Seat];
  const remaining = seats.slice(0, 2);
  const lost = await idOf(second);

  await kill(second);
  rmSync(second.data, { recursive: true });
  await start(second);

  // A member receives the list and sends it to the new daemon. The new daemon could not send it to a member, because
  // no member would admit it.
  await until("the daemon is replaced", async () => {
    const { code, stdout } = await run(["members", "replace", lost, second.address, "--json"], remaining);
    if (code !== 0) return false;
    const { outcomes } = JSON.parse(stdout) as { readonly outcomes: readonly { readonly address: string }[] };
    assert.deepEqual(
      outcomes.map(({ address }) => address),
      [first?.address],
    );
    return true;
  });

  await areLive("the new daemon has joined", remaining);
  const { lists } = await listed(remaining);
  assert.deepEqual([lists[0]?.number, lists[0]?.left.includes(lost)], [3, true]);

  await isUnchanged(["replace", lost.slice(0, 12), second.address], remaining, 3);
  await isUnchanged(["replace", second.address, second.address], remaining, 3);

  await becomesFinal(second, "replaced");
  for (const key of ["begun", "evicted", "replaced"])
    assert.equal((await run(["send", "GET", key], [second], "app")).stdout, "x\n");
  assert.equal((await run(["send", "GET", "returned"], [first], "app")).stdout, "(nil)\n");
});

test("two lists of the same number are detected and merged", { skip: skipUnlessFull }, async () => {
  const remaining = seats.slice(0, 2);
  const [first, second] = remaining as [Seat, Seat];

  const { lists, daemons } = await listed(remaining);
  const [head] = lists;
  const raw = (hex: string) => bytesOfHex(hex, 32) ?? assert.fail();
  const { stdout } = await run(["send", "CLUSTER", "MEMBERS"], [first]);
  const cluster = raw(/cluster ([\da-f]{64})/.exec(stdout)?.[1] ?? assert.fail(stdout));

  const beside = (letter: string): MemberList => ({
    cluster,
    number: 4,
    parents: [raw(head?.hash ?? "")],
    removed: (head?.left ?? []).map(raw),
    members: [...daemons.map(({ id }) => raw(id)), letter.repeat(32)].sort(),
  });

  for (const [seat, letter] of [
    [first, "\x01"],
    [second, "\x02"],
  ] as const) {
    const sent = await run(["send", "CLUSTER", "MEMBERS", writeMemberList(beside(letter))], [seat]);
    assert.deepEqual([sent.stderr, sent.code], ["", 0]);
  }

  await until("both daemons know both lists", async () => {
    const shown = await listed(remaining);
    return shown.lists.length === 2 && shown.isOne === false && (await listed([first])).lists.length === 2;
  });

  await isRefused(["members", "evict", hexOf("\x01".repeat(32))], remaining, /dbsync members merge/);
  await succeeds(["members", "merge"], remaining);
  await useList(5, remaining);

  assert.deepEqual(
    [...((await listed(remaining)).lists[0]?.members ?? [])].sort(),
    daemons.map(({ id }) => id).sort(),
  );
  await becomesFinal(first, "merged");
});
