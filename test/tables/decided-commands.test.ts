/**
 * Tests whether the unit of a command that writes is decided, recorded or refused if all keys that it writes are
 * decided, none, or some: for each command, with the units of test/tables/semantics-1-units.txt. Source:
 * docs/decisions/0081-decided-keys.md.
 */
import "../support/installed-families.js";
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { EntryRecorder } from "../../daemon/cluster/replica/entry-recorder.js";
import { Gateway } from "../../daemon/cluster/replica/gateway.js";
import { PatternOrders } from "../../daemon/cluster/replica/pattern-orders.js";
import { NOTHING_CHOSEN } from "../../daemon/cluster/replica/recorded-choices.js";
import { RecordedPath } from "../../daemon/cluster/replica/recorded-command-path.js";
import type { NodeState, ReplicaContext } from "../../daemon/cluster/replica/replica-context.js";
import type { TimelineBackend } from "../../daemon/cluster/replica/timeline-backend.js";
import { notApplied, type RefusedEnvelope, refused } from "../../daemon/engine/answers/request.js";
import { type CommandSender, newLastWrite } from "../../daemon/engine/backends/command-path.js";
import type { KeyChangeObservers } from "../../daemon/engine/backends/key-change-observers.js";
import type { LocalUnits } from "../../daemon/engine/backends/local-units.js";
import type { VerifiedEnvelope } from "../../daemon/engine/pipeline/apply-units.js";
import { makeIdentity } from "../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../daemon/net/process/clock-and-randomness.js";
import { commandTable } from "../../daemon/store/command-table.js";
import { Database } from "../../daemon/store/database.js";
import { isKeyCommand } from "../../daemon/store/key-command.js";
import { DecidedPatterns } from "../../daemon/store/rights/decided-patterns.js";
import type { Command } from "../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../daemon/store/rows/key-spec.js";
import { isOfListener } from "../../daemon/store/rows/listener-rows.js";
import { mayChange } from "../../daemon/timeline/entries/recorded-envelopes.js";
import { collectionKey } from "../../faces/mongo/store/commands/collection-names.js";
import { tableKey } from "../../faces/sql/store/commands/catalogue.js";
import { bulk, type Reply } from "../../protocol/reply.js";
import type { Envelope } from "../../protocol/version-2/envelope.js";
import { log } from "../daemon/program/scene.js";
import { double } from "../support/double.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { repositoryRoot } from "../support/repository.js";
import { commandsOf, linesOf } from "./semantics.js";

const NOW = 1_790_000_000_000;

type Argv = readonly string[];

const pair = makeKeyPair();
const signers = loadSigners({ signKey: [pair.file], rootKey: [], clusterName: "dbsync" }, log);
const { ring } = signers;

/** What the path has done with the last command. */
let done = "";

const recorder = double<EntryRecorder>({
  appliesImmediately: true,
  ring,
  records: mayChange,
  decides: true,
  newest: { at: 0, seq: 0 },
  floor: 0,
  commonClock: NOW,
  refusal: () => null,
  sendToPeers: () => {},
  choicesOf: () => NOTHING_CHOSEN,
  trialState: { database: new Database(), stepsMax: 1_000_000, unitId: () => "u".repeat(36) },
  async decide(entry) {
    done = "decided";
    return notApplied(entry.id, refused("cannot-decide", ""));
  },
  record({ id, envelope: { commands, at } }) {
    const [argv = []] = commands;
    if (argv[0] === "CLUSTER" && argv[1] === "ADD")
      for (const one of commands)
        ring.execute(one, { at, db: 0, id: "" }, ring.find(pair.id) ?? assert.fail());
    else done = "recorded";
    return argv[0] === "CLUSTER"
      ? { answers: commands.map(() => ({ reply: bulk(""), outcome: "applied", late: false })), flushed: null }
      : notApplied(id, refused("malformed", ""));
  },
});
const context = double<ReplicaContext>({
  identity: makeIdentity(),
  log,
  signers,
  environment: { ...realEnvironment, clock: () => NOW },
  settings: { window: { future: 5000 } },
});
const gateway = new Gateway(
  recorder,
  context,
  double<KeyChangeObservers>({ senders: null, areObserved: false }),
);
const backend = double<TimelineBackend>({ observer: null, standstill: null });
const path = new RecordedPath(backend, gateway, double<LocalUnits>({}), () => null);
const orders = new PatternOrders(double<NodeState>({ identity: context.identity, lists: null }), recorder);
const sender: CommandSender = {
  ...{ db: 0, as: null, now: NOW, isStable: false, readsAll: true },
  get lastWrite() {
    return newLastWrite();
  },
};

const codeOf = (reply: Reply): string => (reply.kind === "error" ? (reply.text.split(" ", 1)[0] ?? "") : "");

/** Returns what a daemon does with a unit at its own ports: `decided`, `recorded`, or the first word of its error. */
async function ofPort(commands: readonly Argv[]): Promise<string> {
  done = "";
  const calls = commands.map((argv) => ({ command: commandTable.resolve(argv) as Command, argv }));
  const [{ command, argv }] = calls as [(typeof calls)[number]];
  let reply: Reply;
  if (calls.length > 1) reply = await path.executeTogether(calls, [], sender);
  else reply = await path.execute(command, argv, sender);
  return done === "" ? codeOf(reply) : done;
}

/** Returns the same for a unit that a client has signed without `decide`; if it is refused, the code. */
function ofClient(commands: readonly Argv[], multi = commands.length > 1): string {
  const verified = double<VerifiedEnvelope>({
    id: "i".repeat(32),
    envelope: double<Envelope>({
      key: pair.id,
      at: NOW,
      db: 0,
      decide: false,
      multi,
      commands,
      units: null,
      if: null,
      ifs: null,
    }),
  });
  const answer = orders.answer(verified, async () => double<RefusedEnvelope>({ code: "undecided" }));
  if (answer === null) return "recorded";
  return answer instanceof Promise ? "decided" : (answer as RefusedEnvelope).code;
}

/** A pattern for exactly one key, or for the keys with a beginning. */
const patternOf = (text: string, isBeginning = false) => ({
  glob: text.replace(/[*?[\\]/g, "\\$&") + (isBeginning ? "*" : ""),
  db: null,
  announcedAt: 1,
});
type NamedPattern = ReturnType<typeof patternOf>;

/** Returns what becomes of a unit at a port, and of one from a client before and after the patterns have begun. */
async function routes(commands: readonly Argv[], patterns: readonly NamedPattern[]): Promise<string> {
  const found: string[] = [];
  for (const isBegun of [false, true]) {
    ring.patterns = patterns.reduce((set, one) => set.with({ ...one, isBegun }), DecidedPatterns.NONE);
    found.push(await ofPort(commands), ofClient(commands));
  }
  ring.patterns = DecidedPatterns.NONE;
  const [port, announced, begunPort, begun] = found;
  assert.equal(port, begunPort, "the ports of a daemon do not wait for the beginning");
  return [port, announced, begun].join(" ");
}

/** Commands that change all keys of a database, so the members decide on them under any pattern. */
const OF_DATABASES: ReadonlySet<string> = new Set(["FLUSHALL", "FLUSHDB", "SWAPDB"]);

/** Commands that take an element of the first key that has one. A decision does not name it if a key is not decided. */
const TAKES_FROM_ONE: ReadonlySet<string> = new Set([
  "BLMOVE",
  "BLPOP",
  "BRPOPLPUSH",
  "LMOVE",
  "LMPOP",
  "RPOPLPUSH",
  "ZMPOP",
]);

const DECIDED = "decided needs-decision decided";
const RECORDED = "recorded recorded recorded";
const REFUSED = "ERR needs-decision cannot-decide";

/** Returns patterns for the keys that a command writes. */
function patternsOf(command: Command, argv: Argv): readonly NamedPattern[] {
  const touches = touchesOf(command.keys, argv).filter(({ access }) => access === "write");
  const patterns = touches.map(({ key, beginning = "" }) =>
    key === null ? patternOf(beginning, true) : patternOf(key),
  );
  return [...new Map(patterns.map((one) => [one.glob, one])).values()];
}

test("each command that writes is decided, recorded or refused, depending on its decided keys", async () => {
  const found = new Set<string>();
  const foundTwo = new Set<string>();
  for (const argv of linesOf(1).flatMap(commandsOf)) {
    const command = commandTable.resolve(argv);
    if (!("writes" in command) || !command.writes || isKeyCommand(argv)) continue;
    const { name } = command;
    const text = argv.join(" ");
    found.add(name);

    const none = OF_DATABASES.has(name) ? DECIDED : RECORDED;
    assert.equal(await routes([argv], [patternOf("no key of a unit", true)]), none, `${text}: none`);

    const patterns = patternsOf(command, argv);
    if (patterns.length > 0) assert.equal(await routes([argv], patterns), DECIDED, `${text}: all`);
    if (patterns.length < 2) continue;
    foundTwo.add(name);
    const some = TAKES_FROM_ONE.has(name) ? REFUSED : DECIDED;
    assert.equal(await routes([argv], patterns.slice(-1)), some, `${text}: some`);
  }

  const missing = commandTable
    .all()
    .filter((row) => row.writes && !isOfListener(row) && !isKeyCommand([row.name.split("|")[0] ?? ""]))
    .filter(({ name }) => !found.has(name));
  assert.deepEqual(
    missing.map(({ name }) => name),
    [],
    "add units with them to test/tables/semantics-1-units.txt",
  );
  assert.deepEqual(
    [...TAKES_FROM_ONE].filter((name) => !foundTwo.has(name)),
    [],
  );
});

const named = (...globs: readonly string[]) => globs.map((glob) => ({ glob, db: null, announcedAt: 1 }));
const linesAs = (...lines: readonly string[]) => lines.map((line) => line.split(" "));

test("a transaction is decided, recorded or refused as a whole", async () => {
  for (const [lines, route] of [
    [["SET d:a 1", "INCR b"], "decided needs-decision decided"],
    [["GET d:a", "INCR b"], "recorded recorded recorded"],
    [["GET a", "INCR d:b"], "decided needs-decision decided"],
    [["DEL a b d:c", "EXPIRE a 1"], "decided needs-decision decided"],
    [["LPOP d:a", "LPUSH b 1"], "decided needs-decision decided"],
    [["LPOP a", "LPUSH d:b 1"], "ERR needs-decision cannot-decide"],
    [["SPOP a", "FLUSHDB"], "ERR needs-decision cannot-decide"],
  ] as const)
    assert.equal(await routes(linesAs(...lines), named("d:*")), route, lines.join("; "));
});

test("the separate commands of a signed envelope are decided together, and each takes elements of its own keys", async () => {
  const separate = (...lines: readonly string[]) => {
    ring.patterns = DecidedPatterns.NONE.with({ ...(named("d:*")[0] ?? assert.fail()), isBegun: true });
    const answer = ofClient(linesAs(...lines), false);
    ring.patterns = DecidedPatterns.NONE;
    return answer;
  };
  assert.equal(separate("LPOP a", "LPUSH d:b 1"), "decided");
  assert.equal(separate("SET a 1", "LMOVE a d:b LEFT LEFT"), "cannot-decide");
});

/** Calls on a collection, a table, a document and an item, the names of their keys, and other names. */
const NAMES: readonly (readonly [call: Argv, name: string, other: string])[] = [
  [["MDB.INSERT", "shop", "orders", "1", "{}"], "mongo:shop.orders", "mongo:shop.order"],
  [["SQL", "shop", "insert into orders values (1)"], "sql:shop:orders", "sql:shop:order"],
  [["SQL", "shop", "update orders set a = 1"], "sql:shop:orders", "sql:other:orders"],
  [["DOC.INSERT", "orders", "{}"], "orders", "doc:orders"],
  [["SET", "orders", "1"], "orders", "memcached:orders"],
];

test("the pattern of a collection, a table, a document or an item is that of the page", async () => {
  const page = readFileSync(join(repositoryRoot, "docs/consistency.md"), "utf8");
  for (const [call, name, other] of NAMES) {
    const text = call.join(" ");
    assert.equal(await routes([call], named(name)), "decided needs-decision decided", text);
    assert.equal(await routes([call], named(other)), "recorded recorded recorded", text);
  }
  for (const form of ["mongo:DB.COLLECTION", "sql:DB:TABLE"])
    assert.ok(page.includes(`\`${form}\``), `docs/consistency.md names ${form}`);
  for (const [form, keys] of [
    ["mongo:DB.COLLECTION", collectionKey("shop", "orders")],
    ["sql:DB:TABLE", tableKey("shop", "orders")],
  ] as const)
    assert.equal(form.replace("DB", "shop").replace(/COLLECTION|TABLE/, "orders"), keys);
});
