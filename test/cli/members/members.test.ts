/** Tests `dbsync members` with real daemons that are killed, left out, replaced and restarted. */
import assert from "node:assert/strict";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { generateKeyPair } from "../../../keys/generate.js";
import { type MemberList, writeMemberList } from "../../../protocol/members/member-list.js";
import { bytesOfHex, hexOf } from "../../../protocol/version-2/envelope.js";
import { type ChildResult, runDbsync } from "../../client/child.js";
import { until } from "../../daemon/replicas.js";
import { skipUnlessFull } from "../../support/amount.js";
import { knowsSecret } from "../../support/cluster-secret.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";

interface Seat {
  readonly port: number;
  readonly address: string;
  readonly data: string;
  process: DaemonProcess | null;
}

interface Told {
  readonly lists: readonly {
    readonly number: number;
    readonly hash: string;
    readonly members: readonly string[];
    readonly left: readonly string[];
  }[];
  readonly isOne: boolean;
  readonly daemons: readonly { readonly address: string; readonly id: string; readonly state: string }[];
}

const folder = mkdtempSync(join(tmpdir(), "dbsync-members-"));
const stranger = makeKeyPair();
let seats: readonly Seat[] = [];

before(async () => {
  for (const name of ["app", "root"]) {
    const { privatePem, publicPem } = await generateKeyPair({ type: "ed25519", bits: 2048 });
    writeFileSync(join(folder, `${name}.pem`), privatePem);
    chmodSync(join(folder, `${name}.pem`), 0o600);
    writeFileSync(join(folder, `${name}-public.pem`), publicPem);
  }
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  seats = ports.map((port, index) => ({
    port,
    address: `127.0.0.1:${port}`,
    data: join(folder, `data-${index}`),
    process: null,
  }));
  await Promise.all(seats.map(start));
});

after(async () => {
  for (const { process } of seats) await process?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

async function start(seat: Seat): Promise<void> {
  const peers = seats.filter((other) => other !== seat).flatMap(({ address }) => ["--peer", address]);
  const keys = ["-s", join(folder, "app-public.pem"), "--root-key", join(folder, "root-public.pem")];
  const place = ["-p", String(seat.port), "--data", seat.data, "--window", "3,2"];
  seat.process = await startDaemon([...keys, ...place, ...peers, ...knowsSecret]);
}

async function kill(seat: Seat): Promise<void> {
  seat.process?.kill("SIGKILL");
  await seat.process?.ended();
  seat.process = null;
}

/** Sends one daemon a command that no other daemon receives, and kills it. */
async function leaveAlone(seat: Seat, command: readonly string[]): Promise<void> {
  const others = seats.filter((other) => other !== seat);
  for (const { process } of others) process?.kill("SIGSTOP");
  try {
    const { stdout, stderr } = await run(["send", ...command], [seat], "app");
    assert.equal(stdout, "1\n", stderr);
    await kill(seat);
  } finally {
    for (const { process } of others) process?.kill("SIGCONT");
  }
}

const run = (words: readonly string[], asked: readonly Seat[], key = "root"): Promise<ChildResult> => {
  const DBSYNC_SERVERS = asked.map(({ address }) => address).join(",");
  return runDbsync(words, { folder, variables: { DBSYNC_SERVERS, DBSYNC_SIGNKEY: `${key}.pem` } });
};

async function told(asked: readonly Seat[]): Promise<Told> {
  const { stdout, stderr } = await run(["members", "list", "--json"], asked);
  assert.notEqual(stdout, "", stderr);
  return JSON.parse(stdout) as Told;
}

const idOf = async (seat: Seat): Promise<string> => (await told([seat])).daemons[0]?.id ?? "";

/** Returns the state in a daemon's hello: repeated hellos cost less than a process each time. */
async function stateOf({ port }: Seat): Promise<string> {
  using client = await EnvelopeClient.open(port, stranger);
  return (await client.hello()).state;
}

const areLive = (what: string, asked: readonly Seat[]): Promise<void> =>
  until(what, async () => (await Promise.all(asked.map(stateOf))).every((state) => state === "live"));

const goBy = (number: number, asked: readonly Seat[]): Promise<void> =>
  until(`they go by list ${number}`, async () => {
    const { lists, isOne } = await told(asked);
    return isOne && lists[0]?.number === number;
  });

/**
 * Repeats a command until it succeeds, which is harmless: a daemon of a busy machine may be disconnected for a
 * moment.
 */
const succeeds = (words: readonly string[], asked: readonly Seat[], key = "root"): Promise<void> =>
  until(`dbsync ${words.join(" ")}`, async () => (await run(words, asked, key)).code === 0);

const isRefused = (
  words: readonly string[],
  asked: readonly Seat[],
  reason: RegExp,
  key = "root",
): Promise<void> =>
  until(`dbsync ${words.join(" ")} is refused`, async () => {
    const { code, stderr } = await run(words, asked, key);
    assert.notEqual(code, 0);
    return reason.test(stderr);
  });

/** Checks that the repeated command signs nothing, and succeeds. */
async function saysSoAlready(
  words: readonly string[],
  asked: readonly Seat[],
  number: number,
): Promise<void> {
  await until(`dbsync members ${words.join(" ")} signs nothing`, async () => {
    const { code, stdout } = await run(["members", ...words], asked);
    return code === 0 && stdout.startsWith(`the list says so already: list ${number}, `);
  });
  assert.equal((await told(asked)).lists[0]?.number, number);
}

/** Waits until a write is final, which is not until the last daemon that counts has reported. */
const becomesFinal = (seat: Seat, key: string): Promise<void> =>
  succeeds(["send", "--stable", "SET", key, "x"], [seat], "app");

test("a list is begun, by an administrator alone, and survives a crash", async () => {
  await areLive("all are live", seats);
  const addresses = seats.map(({ address }) => address);
  const none = await run(["members", "list"], seats);
  assert.deepEqual([none.code, /^There is no list of members/.test(none.stdout)], [0, true]);

  const notAdministrator = /NOPERM[\s\S]*What to do: sign with an administrator's private key/;
  await isRefused(["members", "add", ...addresses], seats, notAdministrator, "app");
  const forgets = /is a member now, and the first list would not name it/;
  await isRefused(["members", "add", ...addresses.slice(1)], seats, forgets);

  await succeeds(["members", "add", ...addresses], seats);
  await goBy(1, seats);
  await saysSoAlready(["add", ...addresses], seats, 1);
  const begun = await run(["send", "SET", "begun", "x"], seats, "app");
  assert.deepEqual([begun.stdout, begun.stderr], ["OK\n", ""]);

  await kill(seats[0] as Seat);
  await start(seats[0] as Seat);
  await areLive("it is back", seats);
  assert.equal((await told([seats[0] as Seat])).lists[0]?.number, 1);
});

test("a dead daemon that is evicted no longer holds back what is final, and is refused when it returns", {
  skip: skipUnlessFull,
}, async () => {
  const [first, , third] = seats as [Seat, Seat, Seat];
  const rest = seats.slice(0, 2);
  const lost = await idOf(third);
  await leaveAlone(third, ["INCR", "visits"]);
  const find = ["dead-letters", "find", "--data", third.data];
  await isRefused(find, rest, /the list of members does not leave that daemon out/);
  await isRefused(["members", "evict", "127.0.0.1:1"], rest, /no daemon of the list is meant by/);
  await succeeds(["members", "evict", lost.slice(0, 12)], rest);
  await goBy(2, rest);
  await saysSoAlready(["evict", lost.slice(0, 12)], rest, 2);
  await becomesFinal(first, "evicted");

  // It acknowledged a write that no other daemon has.
  await succeeds(find, rest);
  const letters = ["dead-letters", "list", "--data", third.data];
  assert.match((await run(letters, [])).stdout, /^[^\n]+\n[\da-f]{12} .* waiting +evicted +INCR visits\n$/);
  const again = ["dead-letters", "write-again", "--all", "--data", third.data];
  assert.equal((await run(again, rest, "app")).code, 0);
  assert.equal((await run(["send", "GET", "visits"], rest, "app")).stdout, "1\n");
  assert.match((await run(find, rest)).stdout, /^0 new dead letters/);

  await start(third);
  await until("it says that it is not on the list", async () =>
    /not-listed/.test((await run(["send", "SET", "returned", "x"], [third], "app")).stderr),
  );
  await until("the list says so of it", async () => {
    const { code, stdout } = await run(["members", "list"], [first, third]);
    return code === 0 && /was left out permanently/.test(stdout) && !/does not know/.test(stdout);
  });
  // It was down when it was evicted, and knows the list from its disk, whether it reaches a member or not.
  await goBy(2, [third]);
  const sick = await run(["doctor"], [third]);
  assert.match(
    sick.stdout,
    /FAIL .*: it accepts no writes: .* number 2, signed .*, leaves it out permanently\n/,
  );
  assert.equal(sick.code, 1);
  await isRefused(["members", "add", lost], rest, /was left out, and never returns/);
  await kill(third);
});

test("a folder that is lost is replaced by one command", { skip: skipUnlessFull }, async () => {
  const [first, second] = seats as [Seat, Seat, Seat];
  const rest = seats.slice(0, 2);
  const lost = await idOf(second);
  await kill(second);
  rmSync(second.data, { recursive: true });
  await start(second);
  // A member receives the list and sends it to the new daemon. The new one could not send it to a member, as none
  // would admit it.
  await until("it is replaced", async () => {
    const { code, stdout } = await run(["members", "replace", lost, second.address, "--json"], rest);
    if (code !== 0) return false;
    const { outcomes } = JSON.parse(stdout) as { readonly outcomes: readonly { readonly address: string }[] };
    assert.deepEqual(
      outcomes.map(({ address }) => address),
      [first?.address],
    );
    return true;
  });
  await areLive("the new one has joined", rest);
  const { lists } = await told(rest);
  assert.deepEqual([lists[0]?.number, lists[0]?.left.includes(lost)], [3, true]);
  await saysSoAlready(["replace", lost.slice(0, 12), second.address], rest, 3);
  await saysSoAlready(["replace", second.address, second.address], rest, 3);
  await becomesFinal(second, "replaced");
  for (const key of ["begun", "evicted", "replaced"])
    assert.equal((await run(["send", "GET", key], [second], "app")).stdout, "x\n");
  assert.equal((await run(["send", "GET", "returned"], [first], "app")).stdout, "(nil)\n");
});

test("two lists of one number are found, and made one", { skip: skipUnlessFull }, async () => {
  const rest = seats.slice(0, 2);
  const [first, second] = rest as [Seat, Seat];
  const { lists, daemons } = await told(rest);
  const [head] = lists;
  const raw = (hex: string) => bytesOfHex(hex, 32) ?? assert.fail();
  const { stdout } = await run(["send", "CLUSTER", "MEMBERS"], [first]);
  const cluster = raw(/cluster ([\da-f]{64})/.exec(stdout)?.[1] ?? assert.fail(stdout));
  const beside = (letter: string): MemberList => ({
    cluster,
    number: 4,
    parents: [raw(head?.hash ?? "")],
    left: (head?.left ?? []).map(raw),
    members: [...daemons.map(({ id }) => raw(id)), letter.repeat(32)].sort(),
  });
  for (const [seat, letter] of [
    [first, "\x01"],
    [second, "\x02"],
  ] as const) {
    const sent = await run(["send", "CLUSTER", "MEMBERS", writeMemberList(beside(letter))], [seat]);
    assert.deepEqual([sent.stderr, sent.code], ["", 0]);
  }
  await until("both know both", async () => {
    const shown = await told(rest);
    return shown.lists.length === 2 && shown.isOne === false && (await told([first])).lists.length === 2;
  });
  await isRefused(["members", "evict", hexOf("\x01".repeat(32))], rest, /dbsync members merge/);
  await succeeds(["members", "merge"], rest);
  await goBy(5, rest);
  assert.deepEqual(
    [...((await told(rest)).lists[0]?.members ?? [])].sort(),
    daemons.map(({ id }) => id).sort(),
  );
  await becomesFinal(first, "merged");
});
