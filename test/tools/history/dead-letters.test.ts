/**
 * Tests `dbsync dead-letters` on a folder, with a daemon that accepts the commands that are written again.
 */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Client, createClient } from "../../../client/public-api.js";
import { DeadLetterFolder } from "../../../daemon/cluster/dead-letters/dead-letter-folder.js";
import { DeadLetterStore } from "../../../daemon/cluster/dead-letters/dead-letter-store.js";
import { openStorage } from "../../../daemon/cluster/node/cluster-node.js";
import { clusterIdOf, recordGenesis } from "../../../daemon/engine/trust/genesis.js";
import type { Settings } from "../../../daemon/options/settings.js";
import type { DeadLetterReason } from "../../../daemon/timeline/dead-letters.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../../daemon/timeline/entries/entry.js";
import { writeValue } from "../../../daemon/timeline/entries/stored-value.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { hexOf, readBody, signedBytes } from "../../../protocol/version-2/envelope.js";
import { strandedDeadLetters } from "../../../tools/cli/folder/folder-dead-letters.js";
import { hash } from "../../daemon/timeline/support/timeline-subject.js";
import { double } from "../../support/double.js";
import { makeKeyPair, signCommands } from "../../support/envelope-client.js";
import { refusingAddress } from "../../support/free-port.js";
import { type Cluster, startCluster } from "../cli/cluster.js";

const AT = Date.UTC(2026, 0, 2, 3, 4, 5);
const BINARY = Buffer.from([0, 255, 13, 10, 36, 233]);
const CLUSTER = "c".repeat(32);
const foreign = makeKeyPair();
const GENESIS = { name: "", applications: [foreign.id], roots: [] };

let cluster: Cluster;
let client: Client;
let data: string;

type Header = Parameters<typeof signCommands>[2];

function deadLetter(
  seconds: number,
  commands: readonly (readonly ByteString[])[],
  header: Partial<Header> = {},
): Entry {
  const { body, signature } = signCommands(foreign, commands, {
    at: AT + seconds * 1000,
    cluster: CLUSTER,
    ...header,
  });
  return { id: hash(signedBytes(body)), body, signature, envelope: readBody(body) };
}

const counted = deadLetter(1, [["INCR", "counter"]]);
const binary = deadLetter(2, [["SET", BINARY.toString("latin1"), BINARY.toString("latin1")]], { db: 3 });
const several = deadLetter(3, [
  ["INCR", "counter"],
  ["RPUSH", "list", "a"],
  ["SET", "list:2", "b c"],
]);
const doubtful = deadLetter(4, [["INCR", "doubtful"]]);
const conditional = deadLetter(5, [["SET", "there", "late"]], { if: [{ db: 0, key: "there", writer: "" }] });
const wrong = deadLetter(6, [["INCR", "list"]]);

async function keep(
  deadLetters: readonly (readonly [Entry, DeadLetterReason])[],
  units: readonly number[] | null = null,
): Promise<void> {
  const writer = new DeadLetterStore(data, 1e6).open(AT);
  for (const [entry, reason] of deadLetters)
    writer.store(writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature), reason, units);
  await writer.commit();
  writer.settle();
}

before(async () => {
  cluster = await startCluster(1);
  data = join(cluster.folder, "data");
  client = createClient({ servers: cluster.daemons.servers, key: join(cluster.folder, "app.pem") });
  await client.send("SET there first");
  await keep([counted, binary, several, conditional, wrong].map((entry) => [entry, "missing"] as const));
  await keep([[doubtful, "possible"]]);
});

after(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

const shortId = ({ id }: Entry) => hexOf(id).slice(0, 12);
const runDeadLetters = (task: string, ...words: string[]) =>
  cluster.run(["dead-letters", task, ...words, "--data", data]);
const writeAgain = (...words: string[]) =>
  runDeadLetters("write-again", ...words, "-k", join(cluster.folder, "app.pem"));
const statesOf = () => new DeadLetterFolder(data).list().deadLetters.map(({ state }) => state);

test("list shows the date, the state and the reason of each dead letter, and show prints it completely", async () => {
  const { stdout, code, stderr } = await runDeadLetters("list");
  assert.equal(code, 0, stderr);
  const [head, ...rows] = stdout.trimEnd().split("\n");
  assert.match(head ?? "", /^ID +DATE +STATE +WHY +COMMAND$/);
  assert.equal(rows.length, 6);
  assert.equal(rows[0], `${shortId(counted)}  2026-01-02 03:04:06Z  waiting  missing   INCR counter`);
  assert.match(rows[1] ?? "", / SET base64:AP8NCiTp base64:AP8NCiTp$/);
  assert.match(rows[2] ?? "", / INCR counter and 2 more$/);
  assert.match(rows[3] ?? "", / possible +INCR doubtful$/);

  const shown = await runDeadLetters("show", shortId(several), hexOf(conditional.id).slice(0, 4));
  assert.match(shown.stdout, /command +INCR counter\ncommand +RPUSH list a\ncommand +SET list:2 "b c"\n/);
  assert.match(shown.stdout, /if +there of database 0: absent\n/);
  assert.match(shown.stdout, new RegExp(`signer +${hexOf(foreign.id)}`));

  const [line] = (await runDeadLetters("show", shortId(binary), "--json")).stdout.split("\n");
  const { envelope, state, reason } = JSON.parse(line ?? "");
  assert.deepEqual(
    [envelope.commands, envelope.db, state, reason],
    [[["U0VU", BINARY.toString("base64"), BINARY.toString("base64")]], 3, "waiting", "missing"],
  );
});

test("an unknown or ambiguous id and a wrong folder are reported", async () => {
  for (const [words, code, text] of [
    [["show", "0000"], 1, /No dead letter's id begins with 0000/],
    [["show", "xyz"], 1, /"xyz" is not an id/],
    [["remove", shortId(counted), "ffffffffffff"], 1, /No dead letter's id begins with ffffffffffff/],
    [
      ["write-again", "-k", join(cluster.folder, "app.pem")],
      2,
      /name dead letters by their ids, or add --all/,
    ],
    [["write-again", shortId(counted), "-k", ""], 3, /specify a private key/],
  ] as const) {
    const [task, ...parameters] = words;
    const result = await runDeadLetters(task, ...parameters);
    assert.deepEqual([result.code, text.test(result.stderr)], [code, true], result.stderr);
  }

  const nowhere = await cluster.run(["dead-letters", "list", "--data", join(cluster.folder, "nowhere")]);
  assert.deepEqual(
    [nowhere.code, /the folder does not exist/.test(nowhere.stderr)],
    [1, true],
    nowhere.stderr,
  );

  const other = await cluster.run(["dead-letters", "list", "--data", cluster.folder]);
  assert.deepEqual([other.code, /there is no timeline in it/.test(other.stderr)], [1, true], other.stderr);
});

test("write-again writes a letter once, with its bytes and in its database, and again only with --anyway", async () => {
  const first = await writeAgain(shortId(binary), shortId(counted));
  assert.equal(first.code, 0, first.stderr);
  assert.equal(first.stdout, `${shortId(counted)} written again: 1\n${shortId(binary)} written again: OK\n`);
  assert.deepEqual(await client.call(["GET", BINARY], { db: 3, buffers: true }), BINARY);
  const second = await writeAgain(shortId(counted), shortId(several));
  assert.deepEqual([second.code, second.stdout], [1, ""]);
  assert.match(
    second.stderr,
    new RegExp(
      `Nothing was written.*\n {2}${shortId(counted)}: it was written again at .*\n--anyway writes them`,
    ),
  );
  assert.equal(await client.send("GET counter"), "1");
  const third = await writeAgain(shortId(counted), "--anyway");
  assert.equal(third.stdout, `${shortId(counted)} written again: 2\n`);
});

test("--all writes only dead letters that are certainly missing, in their order", async () => {
  const { stdout, stderr, code } = await writeAgain("--all");
  assert.equal(code, 1, stderr);
  const [first, second, third, rest = ""] = stdout.trimEnd().split("\n");
  assert.equal(first, `${shortId(several)} written again: 3, 1, OK`);
  assert.equal(
    second,
    `${shortId(conditional)} written again: (nil): nothing has changed if its condition was not met`,
  );
  assert.match(third ?? "", new RegExp(`^${shortId(wrong)} not written: .*WRONGTYPE`));
  assert.match(rest, /^2 dead letters still waiting, of which 1 may be in the state: check their keys/);

  assert.equal(await client.send("GET there"), "first");
  assert.equal(await client.send("GET doubtful"), null);
  assert.deepEqual(statesOf(), ["written", "written", "written", "waiting", "written", "waiting"]);

  const { stdout: json, code: waiting } = await writeAgain("--all", "--json");
  assert.deepEqual(
    [waiting, JSON.parse(json.trimEnd().split("\n").at(-1) ?? "")],
    [1, { waiting: 2, possible: 1, void: 0 }],
  );

  const doubted = await writeAgain(shortId(doubtful));
  assert.match(doubted.stderr, /the state may contain it: check that first/);
});

test("a letter with an unknown outcome is not sent again without --anyway", async () => {
  const unreachable = await writeAgain(shortId(wrong), "-s", await refusingAddress(), "--timeout", "500");
  assert.deepEqual(
    [unreachable.code, /not written: /.test(unreachable.stdout)],
    [1, true],
    unreachable.stdout + unreachable.stderr,
  );
  const folder = new DeadLetterFolder(data);
  const deadLetter = folder.list().deadLetters.at(-1) ?? assert.fail();
  assert.equal(deadLetter.state, "waiting");
  // A program that was killed while it waited for the answer leaves this state.
  folder.begin(deadLetter, false);
  const again = await writeAgain(shortId(wrong));
  assert.match(again.stderr, /writing it again was begun at .*, and may have succeeded/);
  assert.equal((await runDeadLetters("list")).stdout.includes("begun"), true);
});

test("a damaged dead letter is shown as damaged and not written, and only the named ones are removed", async () => {
  const file =
    new DeadLetterFolder(data).list().deadLetters.find(({ orderKey }) => orderKey.id === doubtful.id)?.file ??
    assert.fail();
  const bytes = readFileSync(file);
  bytes[bytes.length - 1] = (bytes[bytes.length - 1] as number) ^ 1;
  writeFileSync(file, bytes);

  assert.match(
    (await runDeadLetters("list")).stdout,
    new RegExp(`${shortId(doubtful)} .* possible +\\(damaged\\)`),
  );

  const written = await writeAgain(shortId(doubtful), "--anyway");
  assert.deepEqual(
    [written.code, written.stdout.startsWith(`${shortId(doubtful)} not written: its bytes are damaged`)],
    [1, true],
    written.stdout,
  );

  const removed = await runDeadLetters("remove", shortId(doubtful), shortId(counted));
  assert.equal(removed.stdout, `removed ${hexOf(counted.id)}\nremoved ${hexOf(doubtful.id)}\n`);
  assert.equal(statesOf().length, 4);

  // None that waits may be in the state: its keys need no check.
  const all = await writeAgain("--all");
  assert.deepEqual(
    [all.code, /^1 dead letter still waiting: run this command again; /m.test(all.stdout)],
    [1, true],
    all.stdout,
  );
});

test("a letter that takes what is there is shown with what it took, and written only with --anyway", async () => {
  const choices = new Map<number, readonly string[]>([
    [0, ["a", "b c"]],
    [2, []],
  ]);
  const commands = [
    ["LPOP", "queue", "2"],
    ["SET", "done", "1"],
    ["GETDEL", "absent"],
  ];

  const claim = deadLetter(7, commands, { choices, units: [1, 2] });
  await keep([[claim, "missing"]]);
  await client.send("RPUSH queue c d e");

  const shown = await runDeadLetters("show", shortId(claim));
  assert.match(
    shown.stdout,
    /units +of 1, 2 commands, each in one step\ncommand +LPOP queue 2\ntook +a "b c"\ncommand +SET done 1\ncommand +GETDEL absent\ntook +nothing\n/,
  );

  const first = await writeAgain(shortId(claim));
  assert.deepEqual(
    [first.code, /not written: it takes what is there/.test(first.stdout)],
    [1, true],
    first.stderr,
  );
  assert.equal(await client.send("LLEN queue"), "3");

  const second = await writeAgain(shortId(claim), "--anyway");
  assert.deepEqual([second.code, await client.send("LLEN queue")], [0, "1"], second.stdout);
});

test("the answer of a letter whose condition is met is printed", async () => {
  const met = deadLetter(8, [["INCR", "met"]], { if: [{ db: 0, key: "met", writer: "" }] });
  await keep([[met, "missing"]]);
  const { code, stdout, stderr } = await writeAgain(shortId(met));
  assert.deepEqual([code, stdout], [0, `${shortId(met)} written again: 1\n`], stderr);
});

test("each unit of a letter on which members had to decide is written again with its own conditions", async () => {
  const absent = (key: string) => [{ db: 0, key, writer: "" }];
  await client.send("SET unit:there first");
  const commands = [
    ["INCR", "unit:a"],
    ["INCR", "unit:b"],
    ["INCR", "unit:c"],
  ];
  const ifs = new Map([
    [0, absent("unit:a")],
    [2, [...absent("unit:c"), ...absent("unit:there")]],
  ]);
  const letter = deadLetter(9, commands, { decide: true, ifs });
  await keep([[letter, "missing"]]);
  const shown = await runDeadLetters("show", shortId(letter));
  assert.match(
    shown.stdout,
    /if +command 1: unit:a of database 0: absent\nif +command 3: unit:c of database 0: absent\nif +command 3: unit:there of database 0: absent\n/,
  );
  const [line] = (await runDeadLetters("show", shortId(letter), "--json")).stdout.split("\n");
  assert.deepEqual(
    JSON.parse(line ?? "").envelope.conditions.map(({ unit }: { unit: number }) => unit),
    [0, 2, 2],
  );
  const first = await writeAgain(shortId(letter));
  assert.deepEqual(
    [first.code, first.stdout.replace(/: nothing has changed.*/, "")],
    [0, `${shortId(letter)} written again: 1, 1, (nil)\n`],
    first.stderr,
  );
  const values = async () => await client.send("MGET unit:a unit:b unit:c");
  assert.equal(await values(), "1\n1\n");

  const failing = deadLetter(
    10,
    [
      ["INCR", "unit:d"],
      ["INCR", "unit:list"],
      ["INCR", "unit:e"],
    ],
    {
      decide: true,
      ifs: new Map([[0, absent("unit:d")]]),
    },
  );
  await client.send("RPUSH unit:list a");
  await keep([[failing, "missing"]]);
  const second = await writeAgain(shortId(failing));
  assert.deepEqual(
    [second.code, /may have been written.*WRONGTYPE/.test(second.stdout)],
    [1, true],
    second.stdout,
  );
  assert.equal(await client.send("MGET unit:d unit:e"), "1\n");
  await writeAgain(shortId(failing), "--anyway");
  assert.equal(await client.send("MGET unit:d unit:e"), "1\n", "its condition does not hold any longer");
});

test("only void units of an envelope are shown, and written again, each by itself, and not by --all", async () => {
  const commands = [
    ["INCR", "void:a"],
    ["INCR", "void:kept"],
    ["INCR", "void:b"],
    ["SET", "void:c", "1"],
    ["INCR", "void:kept"],
  ];
  const choices = new Map([[4, ["kept"]]]);
  const letter = deadLetter(21, commands, { units: [1, 1, 2, 1], choices });
  await keep([[letter, "void"]], [0, 2]);

  const listed = await runDeadLetters("list");
  assert.match(listed.stdout, new RegExp(`${shortId(letter)} .* waiting +void +INCR void:a and 2 more\n`));
  const shown = await runDeadLetters("show", shortId(letter));
  assert.match(
    shown.stdout,
    /units +of 1, 2 commands, each in one step\ncommand +INCR void:a\ncommand +INCR void:b\ncommand +SET void:c 1\n\n$/,
  );

  const all = await writeAgain("--all");
  assert.equal(all.code, 1);
  assert.match(
    all.stdout,
    /of which 1 are on each member \(void\): write by id with --anyway from one folder/,
  );
  const named = await writeAgain(shortId(letter));
  assert.match(
    named.stderr,
    /each member has it: write it from one folder, and remove it from the other ones/,
  );
  assert.equal(await client.send("EXISTS void:a"), "0");

  const { code, stdout, stderr } = await writeAgain(shortId(letter), "--anyway");
  assert.equal(code, 0, stderr);
  assert.match(stdout, new RegExp(`^${shortId(letter)} written again: 1, 1, OK\n`));
  assert.equal(await client.send("MGET void:a void:b void:c void:kept"), "1\n1\n1\n");
});

test("conditions and what was taken belong to the void units that are written again", async () => {
  const commands = [
    ["SET", "cond:plain", "1"],
    ["SET", "cond:a", "1"],
    ["LPOP", "cond:list"],
  ];
  const ifs = new Map([
    [0, [{ db: 0, key: "cond:plain", writer: "" }]],
    [1, [{ db: 0, key: "cond:a", writer: "" }]],
  ]);
  const choices = new Map([[2, ["x"]]]);
  const letter = deadLetter(22, commands, { ifs, choices, decide: true });
  await keep([[letter, "void"]], [1, 2]);

  const [line] = (await runDeadLetters("show", shortId(letter), "--json")).stdout.split("\n");
  const { envelope } = JSON.parse(line ?? "");
  assert.deepEqual(
    [envelope.conditions.map((one: { unit: number }) => one.unit), envelope.choices[0]?.index],
    [[0], 1],
  );
  assert.match((await writeAgain(shortId(letter), "--anyway")).stdout, /written again: OK, \(nil\)/);
});

/** Creates the data folder of a daemon. @param mark  what the daemon has recorded of its state and its admission */
async function makeDaemonFolder(name: string, mark: string, entries: readonly Entry[]): Promise<string> {
  const folder = join(cluster.folder, name);
  const log = { info() {}, warn() {}, error() {} };
  const storage = await openStorage(double<Settings>({ data: folder, fsync: "always" }), log);
  const stored = entries.map(
    (entry) => [writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature)] as const,
  );
  await recordGenesis(storage, GENESIS);
  storage.put(stored, [["state", Buffer.from(mark)]]);
  await storage.flushed();
  await storage.close();
  return folder;
}

test("--stranded writes all writes of a folder whose daemon no peer has admitted, each once, and no commands for keys", async () => {
  const entries = [
    deadLetter(11, [["RPUSH", "stranded", "1"]]),
    deadLetter(12, [["CLUSTER", "ADD", "key"]]),
    deadLetter(13, [["RPUSH", "stranded", "2"]]),
  ];
  const run = (folder: string, ...words: string[]) =>
    cluster.run([
      ...["dead-letters", "write-again", "--stranded", "--data", folder],
      ...["-k", join(cluster.folder, "app.pem"), ...words],
    ]);
  for (const [index, mark] of ["complete", "catching-up alone"].entries()) {
    const folder = await makeDaemonFolder(`stranded-${index}`, mark, entries);
    const { code, stdout, stderr } = await run(folder);
    assert.equal(code, 0, stdout + stderr);
    assert.match(stdout, /^2 new dead letters of this folder\n1 commands? that change/);
    assert.equal(await client.send("LRANGE stranded 0 -1"), "1\n2");
    const again = await run(folder, "--json");
    assert.deepEqual(JSON.parse(again.stdout), { kept: 0, unread: 0, ofRing: 1, hasPruned: false });
    assert.equal(await client.send("LLEN stranded"), "2");
    await client.send("DEL stranded");
  }

  const admitted = await makeDaemonFolder("admitted", "complete compared", entries);
  await assert.rejects(
    strandedDeadLetters({ data: admitted }, new Set()),
    /^NotSelected: Nothing was written/,
  );
  const refused = await run(admitted);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /Nothing was written: .* dbsync dead-letters find/);
  assert.equal(await client.send("EXISTS stranded"), "0");
  assert.deepEqual(new DeadLetterFolder(admitted).list().deadLetters, []);

  const own = await makeDaemonFolder("own", "complete alone", entries);
  const clusters = new Set([clusterIdOf(GENESIS)]);
  await assert.rejects(strandedDeadLetters({ data: own }, clusters), /belongs to the same cluster/);
  assert.deepEqual(new DeadLetterFolder(own).list().deadLetters, []);
});
