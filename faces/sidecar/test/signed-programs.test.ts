/** Tests the programs of a sidecar with daemons that are one database. */
import "../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ReplyHandlers } from "../../../client/forwarding-client.js";
import { DbsyncError, type Outcome } from "../../../client/public-api.js";
import type { StepRunner } from "../../../daemon/engine/backends/command-path.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import { Database } from "../../../daemon/store/database.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { error, integer, NIL_ARRAY, type Reply, status } from "../../../protocol/reply.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";
import { type ProgramCarrier, SignedPrograms } from "../signed-programs.js";

type Argv = readonly ByteString[];

interface Sent {
  readonly commands: readonly Argv[];
  readonly conditions: readonly Condition[];
}

/** Daemons that decide at once. All keys that begin with `d:` are decided. */
class Daemons implements ProgramCarrier {
  timeout = 20_000;
  readonly database = new Database();
  readonly sent: Sent[] = [];
  reads = 0;
  /** Called before each decision. */
  before: (sent: Sent) => Reply | Error | null = () => null;
  /** Returns the daemons' answer in place of the one that is right. */
  altered: (reply: Reply) => Reply | Error = (reply) => reply;
  #units = 0;

  constructor() {
    this.database.isDecided = (_, key) => key.startsWith("d:");
  }

  write(...argv: string[]): Reply {
    return this.database.execute(argv, { at: Date.now(), db: 0, id: this.#nextId() });
  }

  readTogether(commands: readonly Argv[], { db }: { readonly db: number }, handlers: ReplyHandlers): void {
    this.reads++;
    answer(handlers, this.altered(this.database.executeMulti(commands, { at: Date.now(), db, id: "" })));
  }

  decideTogether(
    commands: readonly Argv[],
    conditions: readonly Condition[],
    { db }: { readonly db: number },
    handlers: ReplyHandlers,
  ): void {
    const sent = { commands, conditions };
    this.sent.push(sent);
    const reply = this.before(sent);
    const at = Date.now();
    if (reply !== null) answer(handlers, reply);
    else if (!this.database.holds(conditions, at)) answer(handlers, NIL_ARRAY);
    else answer(handlers, this.database.executeMulti(commands, { at, db, id: this.#nextId() }));
  }

  #nextId(): ByteString {
    return String(++this.#units).padStart(36, "u");
  }
}

function answer({ resolve, reject }: ReplyHandlers, reply: Reply | Error): void {
  setImmediate(() => (reply instanceof Error ? reject(reply) : resolve(reply)));
}

const open = (daemons: Daemons, environment = realEnvironment) =>
  new SignedPrograms(daemons, environment, ({ name }) => name === "TIME");

const LOST: Outcome = {
  address: "127.0.0.1:1",
  status: "failed",
  stage: "timeout",
  detail: "",
  effect: "unknown",
  ms: 1,
};

/** Runs commands, and returns the reply to the last one. */
function run(
  programs: SignedPrograms,
  commands: readonly Argv[],
  { keys = [], conditions = [], readsOnly = false }: Partial<Options> = {},
): Promise<Reply> {
  const sender = { db: 0, now: Date.now(), as: null, isStable: false, readsAll: true };
  const program = (step: StepRunner) =>
    commands.map((argv) => step(findCommand(argv[0] as string) as Command, argv, 0)).at(-1) as Reply;
  return programs.run(program, conditions, sender, { readsOnly, keys: () => keys });
}

interface Options {
  readonly keys: readonly ByteString[];
  readonly conditions: readonly Condition[];
  readonly readsOnly: boolean;
}

const INCREMENT: readonly Argv[] = [
  ["GET", "d:n"],
  ["INCR", "d:n"],
];

test("a program runs again on the newer state if another unit was decided first", async () => {
  const daemons = new Daemons();
  const programs = open(daemons);
  daemons.before = () => {
    if (daemons.sent.length < 3) daemons.write("INCR", "d:n");
    return null;
  };
  assert.deepEqual(await run(programs, INCREMENT, { keys: ["d:n"] }), integer(3));
  assert.equal(daemons.sent.length, 3);
});

test("programs are not repeated if the effect of their unit is unknown", async () => {
  const daemons = new Daemons();
  // Without the outcome of any daemon, nothing is known.
  daemons.before = () => new DbsyncError("all-failed", "", { outcomes: [LOST] });
  const programs = open(daemons, { ...realEnvironment, uptime: () => 0 });
  const replies = await Promise.all([1, 2].map(() => run(programs, [["INCR", "d:n"]], { keys: ["d:n"] })));
  for (const reply of replies) assert.match(reply.kind === "error" ? reply.text : "", /^MAYBEAPPLIED/);
  assert.equal(daemons.sent.length, 1);
});

test("a program whose keys change all the time is answered, and nothing of it is done", async () => {
  const daemons = new Daemons();
  daemons.timeout = 30;
  daemons.before = () => {
    daemons.write("APPEND", "d:n", "x");
    return null;
  };
  const reply = await run(open(daemons), [["APPEND", "d:n", "y"]], { keys: ["d:n"] });
  assert.match(reply.kind === "error" ? reply.text : "", /^NOTAPPLIED nothing was done/);
  assert.doesNotMatch(String((daemons.write("GET", "d:n") as { bytes?: string }).bytes), /y/);
});

test("programs that arrive together and share keys are one unit, and others have their own", async () => {
  const daemons = new Daemons();
  // A turn does not end, however busy the machine is.
  const programs = open(daemons, { ...realEnvironment, uptime: () => 0 });
  const replies = await Promise.all([
    ...[1, 2, 3].map(() => run(programs, INCREMENT, { keys: ["d:n"] })),
    run(programs, [["SET", "d:other", "v"]], { keys: ["d:other"] }),
  ]);
  assert.deepEqual(replies, [integer(1), integer(2), integer(3), status("OK")]);
  assert.deepEqual(daemons.sent.map(({ commands }) => commands.length).sort(), [1, 3]);
});

test("programs are one unit although a busy machine runs them slowly", async () => {
  const daemons = new Daemons();
  let now = 0;
  // A program takes a millisecond.
  const programs = open(daemons, { ...realEnvironment, uptime: () => now++ });
  const replies = await Promise.all(
    Array.from({ length: 16 }, () => run(programs, INCREMENT, { keys: ["d:n"] })),
  );
  assert.deepEqual(
    replies,
    replies.map((_, index) => integer(index + 1)),
  );
  assert.deepEqual(
    daemons.sent.map(({ commands }) => commands.length),
    [16],
  );
});

test("a program does not fail because of another one with which it shares a unit", async () => {
  const daemons = new Daemons();
  const programs = open(daemons);
  daemons.before = ({ commands }) =>
    commands.some(([, key]) => key === "d:forbidden") ? error("NOPERM not this key") : null;
  const [counted, refused] = await Promise.all([
    run(programs, INCREMENT, { keys: ["d:n"] }),
    run(programs, [...INCREMENT, ["SET", "d:forbidden", "v"]], { keys: ["d:n", "d:forbidden"] }),
  ]);
  assert.deepEqual(counted, integer(1));
  assert.deepEqual(refused, error("NOPERM not this key"));
});

test("a program that writes nothing is decided by a command that changes nothing", async () => {
  const daemons = new Daemons();
  daemons.write("RPUSH", "d:list", "a");
  const programs = open(daemons);
  const length = [["LLEN", "d:list"]];
  assert.deepEqual(await run(programs, length, { keys: ["d:list"] }), integer(1));
  assert.deepEqual(daemons.sent[0]?.commands, [["SETRANGE", "d:list", "0", ""]]);
  assert.equal(daemons.sent[0]?.conditions[0]?.writer, daemons.database.writerOf(0, "d:list", Date.now()));
  assert.deepEqual(await run(programs, length, { keys: ["d:list"], readsOnly: true }), integer(1));
  assert.equal(daemons.sent.length, 1);
});

test("watched keys are conditions, and a program whose watched key has changed does nothing", async () => {
  const daemons = new Daemons();
  daemons.write("SET", "plain", "v");
  const writer = daemons.database.writerOf(0, "plain", Date.now());
  const conditions = [{ db: 0, key: "plain", writer }];
  assert.deepEqual(await run(open(daemons), [["INCR", "d:n"]], { keys: ["d:n"], conditions }), integer(1));
  assert.ok(daemons.sent[0]?.conditions.some(({ key }) => key === "plain"));
  daemons.write("SET", "plain", "other");
  assert.deepEqual(await run(open(daemons), [["INCR", "d:n"]], { keys: ["d:n"], conditions }), NIL_ARRAY);
  assert.deepEqual(daemons.write("GET", "d:n"), { kind: "bulk", bytes: "1" });
});

test("what a program chooses is part of its commands", async () => {
  const daemons = new Daemons();
  daemons.write("SADD", "d:set", "a", "b", "c");
  const popped = await run(open(daemons), [["SPOP", "d:set"]], { keys: ["d:set"] });
  assert.deepEqual(daemons.sent[0]?.commands, [["SREM", "d:set", (popped as { bytes: string }).bytes]]);
  const added = await run(open(daemons), [["XADD", "d:s", "*", "f", "v"]], { keys: ["d:s"] });
  assert.deepEqual(daemons.sent[1]?.commands, [
    ["XADD", "d:s", `${(added as { bytes: string }).bytes}+`, "f", "v"],
  ]);
});

test("a program is refused if it writes other keys, or needs data without naming a key", async () => {
  const daemons = new Daemons();
  const refused = async (argv: Argv, expected: RegExp) => {
    const reply = await run(open(daemons), [["INCR", "d:n"], argv], { keys: ["d:n"] });
    assert.match(reply.kind === "error" ? reply.text : "", expected);
  };
  await refused(["SET", "lock:1", "v"], /dbsync decide add 'lock:\*'$/);
  await refused(["SET", "alone", "v"], /dbsync decide add 'alone'$/);
  await refused(["KEYS", "*"], /^NOTAPPLIED nothing was done, because KEYS/);
  await refused(["FLUSHALL"], /^NOTAPPLIED nothing was done, because FLUSHALL/);
  await refused(["XACK", "d:n", "g", "1-1"], /XACK in a script works only at a daemon/);
  await refused(["LASTSAVE"], /^NOTAPPLIED nothing was done, because LASTSAVE/);
  assert.deepEqual(daemons.sent, []);
});

test("a program that only reads is refused if it reads undecided keys, unless it is declared to only read", async () => {
  const daemons = new Daemons();
  daemons.write("SET", "lock:1", "owner");
  const reads: readonly Argv[] = [
    ["GET", "d:n"],
    ["GET", "lock:1"],
  ];
  const reply = await run(open(daemons), reads, { keys: ["d:n", "lock:1"] });
  assert.match(reply.kind === "error" ? reply.text : "", /^NOTAPPLIED .*dbsync decide add 'lock:\*'$/);
  assert.notEqual((await run(open(daemons), reads, { keys: ["lock:1"], readsOnly: true })).kind, "error");
  assert.deepEqual(await run(open(daemons), [...reads, ["INCR", "d:n"]], { keys: ["d:n"] }), integer(1));
});

test("keys that the daemons report in another form are not used", async () => {
  const daemons = new Daemons();
  daemons.write("SET", "d:n", "5");
  const alterations: readonly ((items: readonly Reply[]) => readonly Reply[])[] = [
    (items) => items.slice(0, -1),
    ([decided, , ...rest]) => [
      decided as Reply,
      { kind: "array", items: [{ kind: "bulk", bytes: "" }] },
      ...rest,
    ],
    (items) => [...items.slice(0, -1), { kind: "bulk", bytes: "no payload" }],
    (items) => [...items.slice(0, -1), error("NOPERM not this key")],
  ];
  for (const alter of alterations) {
    daemons.altered = (reply) =>
      reply.kind === "array" ? { kind: "array", items: alter(reply.items) as never } : reply;
    assert.equal((await run(open(daemons), INCREMENT, { keys: ["d:n"] })).kind, "error");
  }
  assert.deepEqual(daemons.sent, []);
});

test("keys on which no majority of the daemons agrees are loaded again", async () => {
  const daemons = new Daemons();
  daemons.altered = (reply) =>
    daemons.reads < 3 ? new DbsyncError("answers-differ", "", { isRead: true }) : reply;
  assert.deepEqual(await run(open(daemons), INCREMENT, { keys: ["d:n"] }), integer(1));
  assert.equal(daemons.reads, 3);
});
