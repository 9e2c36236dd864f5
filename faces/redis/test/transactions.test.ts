/** Tests transactions of recorded commands: the user under which the path runs them, and their date. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ALL_COMMANDS_SUPPORTED,
  type CommandPath,
  type CommandSender,
} from "../../../daemon/engine/backends/command-path.js";
import { LocalUnits, NewestDate } from "../../../daemon/engine/backends/local-units.js";
import { MemoryBackend } from "../../../daemon/engine/backends/memory-backend.js";
import { type ChannelMessage, Channels } from "../../../daemon/engine/channels/channels.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { array, integer, NIL_ARRAY, type Reply } from "../../../protocol/reply.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { nextTurn } from "../../../test/support/until.js";
import { LocalPath } from "../../users/user-listeners.js";
import { publishingAfter } from "../commands/script-commands.js";
import { answers, lines } from "./redis-comparison.js";
import { startResp } from "./scene.js";

const users = [
  "user default off",
  "user ann on >pw ~* +@all",
  "user ben on >pw ~* +@all",
  "user cy on >pw +echo +acl|whoami",
];

/** Returns a path to an in-memory database that claims to record commands. */
function recording() {
  const local = new LocalPath(
    new MemoryBackend(realEnvironment),
    new LocalUnits(realEnvironment, new NewestDate()),
  );

  const senders: CommandSender[] = [];
  const state = {
    hasConflict: false,
    /** Whether the members of a list decide on conditions; such a unit runs in a later turn. */
    decides: false,
  };

  const path: CommandPath = {
    databases: local.databases,
    records: true,
    others: null,
    keyCounts: [],
    expiredKeys: 0,
    changes: null,
    execute: (command, argv, sender) => local.execute(command, argv, sender),
    send: (command, argv, sender) => local.send(command, argv, sender),
    executeTogether(calls, conditions, sender) {
      senders.push(sender);
      if (state.decides && conditions.length > 0)
        return nextTurn().then(() => local.executeTogether(calls, conditions, sender));
      return state.hasConflict ? NIL_ARRAY : local.executeTogether(calls, conditions, sender);
    },
    sharing: (run) => run(),
    executeInSteps: () => assert.fail(),
    observeWrites: (observer) => local.observeWrites(observer),
    writersOf: (db, keys) => local.writersOf(db, keys),
    get appliesAhead() {
      return state.decides;
    },
    get decides() {
      return state.decides;
    },
    whenSafe: (reply) => reply,
    localData: local,
    unsupported: ALL_COMMANDS_SUPPORTED,
    hold: (conditions) => local.hold(conditions),
  };
  return { path, senders, state };
}

test("a transaction is recorded with the user that called its commands", async () => {
  const { path, senders } = recording();
  await using ours = await startResp({ path, users });
  const reply = await answers(
    ours.port,
    lines("AUTH ann pw", "MULTI", "SET a 1", "GET a", "AUTH ben pw", "EXEC", "ACL WHOAMI"),
  );
  assert.match(reply, /\*3\r\n\+OK\r\n\$1\r\n1\r\n\+OK\r\n\$3\r\nben\r\n/);
  assert.deepEqual(
    senders.map(({ as, readsAll }) => [as, readsAll]),
    [["ann", true]],
  );
});

test("a transaction of two users' commands cannot be recorded, and its logins have no effect", async () => {
  const { path, senders } = recording();
  await using ours = await startResp({ path, users });
  const reply = await answers(
    ours.port,
    lines("AUTH ann pw", "MULTI", "SET a 1", "AUTH ben pw", "SET a 2", "EXEC", "ACL WHOAMI", "EXISTS a"),
  );
  assert.match(reply, /\r\n-EXECABORT .* only one user\r\n\$3\r\nann\r\n:0\r\n/);
  assert.deepEqual(senders, []);
});

test("commands after a change of users are checked with the new user's rights", async () => {
  const { path, senders } = recording();
  await using ours = await startResp({ path, users });
  const reply = await answers(
    ours.port,
    lines("AUTH ann pw", "MULTI", "SET a 1", "AUTH cy pw", "SET a 2", "ACL WHOAMI", "EXEC"),
  );
  assert.match(reply, /\*4\r\n\+OK\r\n\+OK\r\n-NOPERM ACLs rules changed .*\r\n\$2\r\ncy\r\n/);
  assert.deepEqual(
    senders.map(({ as }) => as),
    ["ann"],
  );
});

test("a transaction that does not run selects neither a database nor a user", async () => {
  const { path, state } = recording();
  state.hasConflict = true;
  await using ours = await startResp({ path, users });
  const reply = await answers(
    ours.port,
    lines("AUTH ann pw", "MULTI", "SELECT 2", "SET a 1", "AUTH ben pw", "EXEC", "ACL WHOAMI", "CLIENT INFO"),
  );
  assert.match(reply, /\*-1\r\n\$3\r\nann\r\n.* db=0 /s);
});

test("commands after a transaction on which the members decide wait for it in a pipeline", async () => {
  const { path, state } = recording();
  state.decides = true;
  await using ours = await startResp({ path, users: ["user default on nopass ~* +@all"] });
  const reply = await answers(
    ours.port,
    lines("WATCH k", "MULTI", "INCR k", "EXEC", "INCR k", "MULTI", "INCR k", "EXEC", "GET k"),
  );
  assert.equal(
    reply,
    "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n:2\r\n+OK\r\n+QUEUED\r\n*1\r\n:3\r\n$1\r\n3\r\n$7\r\nthe end\r\n",
  );
});

test("all commands of a transaction have the same date", async () => {
  await using ours = await startResp();
  using client = await RedisConnection.open(ours.port);
  await client.call("SETRANGE", "big", String(2 ** 26), "x");
  const calls = [
    ...[["SET", "a", "1", "PX", "100000"], ["TIME"], ["BITCOUNT", "big"], ["SET", "b", "1", "PX", "100000"]],
    ...[["TIME"], ["PEXPIRETIME", "a"], ["PEXPIRETIME", "b"]],
  ];
  for (const argv of [["MULTI"], ...calls, ["EXEC"]]) client.queue(argv);
  const executed = (await client.flush()).at(-1);
  assert.ok(executed?.kind === "array");
  const [, before, bits, , after, endOfA, endOfB] = executed.items;
  assert.ok(bits?.kind === "integer" && bits.value === 4);
  assert.deepEqual(after, before);
  assert.deepEqual(endOfA, endOfB);
});

test("a long answer in a transaction does not contain the effects of later commands", async () => {
  await using ours = await startResp({});
  const fill = Array.from(
    { length: 11 },
    (_, part) => `MSET ${Array.from({ length: 1000 }, (_, key) => `k${part}:${key} v`).join(" ")}`,
  );
  const reply = await answers(
    ours.port,
    lines(...fill, "DOC.CREATE people", "MULTI", "DOC.LIST", "DOC.GETALL", "SET people v", "EXEC"),
  );
  assert.match(reply, /\*3\r\n\*1\r\n\$6\r\npeople\r\n\*2\r\n\$6\r\npeople\r\n\*0\r\n\+OK\r\n/);
});

test("a transaction publishes its messages only if it takes effect, and only those of its last run", async () => {
  const message = (text: string): ChannelMessage => ({ kind: "channel", channel: "c", text });

  /** @param end  runs the program, and returns the answer of its unit */
  const published = async (end: (run: (text: string) => Reply) => Reply): Promise<string[]> => {
    const texts: string[] = [];
    const channels = new Channels();
    channels.publishLocally = ({ text }) => texts.push(text);
    const program = (text: string): Reply => array([integer(channels.publish(message(text)))]);
    await publishingAfter(channels, program, async (run) => end(run));
    return texts;
  };

  assert.deepEqual(await published((run) => run("one")), ["one"]);
  const again = published((run) => {
    run("one");
    return run("two");
  });
  assert.deepEqual(await again, ["two"]);

  const unmet = published((run) => {
    run("one");
    return NIL_ARRAY;
  });
  assert.deepEqual(await unmet, []);
});
