/** Tests that a sidecar's replies equal the store's for each command, with random arguments on random data. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { resultReply } from "../../../daemon/engine/answers/result-writer.js";
import { commandTable, findCommand } from "../../../daemon/store/command-table.js";
import { Database } from "../../../daemon/store/database.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import { bulk } from "../../../protocol/reply.js";
import { RespReader } from "../../../protocol/resp/resp-reader.js";
import { writeReply } from "../../../protocol/resp/resp-writer.js";
import { randomCall } from "../../../test/conformance/call.js";
import { commandGrammars, families } from "../../../test/conformance/families.js";
import { Generator } from "../../../test/conformance/grammar.js";
import { amount } from "../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../test/support/seeded-random.js";
import { writeReply3 } from "../../redis/bytes/reply-bytes.js";
import { sessionHandlers } from "../../redis/commands/session-handlers.js";
import { ANSWERED_HERE, converterOf } from "../signed-path.js";

const seed = seedOfRun();
const EPISODES_PER_FAMILY = amount(1, 3);
const CALLS = 400;
const AT = Date.UTC(2026, 0, 1);
/** The minimum number of commands whose reply differs between RESP3 and RESP2. */
const CHANGED_MIN = 20;

function isCarried(command: Command): boolean {
  return (
    !ANSWERED_HERE.has(command) &&
    !sessionHandlers.has(command.name) &&
    !/^(KEY|CLUSTER|TIMELINE)\b/.test(command.name)
  );
}

test(`a sidecar's replies have the types of the daemons' replies (seed ${seed})`, () => {
  const changed = new Set<string>();
  for (const [number, family] of families.entries()) {
    for (let episode = 0; episode < EPISODES_PER_FAMILY; episode++) {
      const random = new SeededRandom(seed, number, episode);
      const g = new Generator({ random, now: AT });
      const database = new Database();
      for (let call = 0; call < CALLS; call++) {
        const grammar = random.oneOf(random.chance(0.9) ? family.commands : commandGrammars);
        const command = findCommand(grammar.name) as Command;
        if (!isCarried(command)) continue;
        const argv = randomCall(g, grammar);
        const reply = database.execute(argv, { at: AT, db: 0, id: `${episode}.${call}` });
        if (reply.kind === "error") continue;
        const wire = writeReply(resultReply(reply));
        // As in a session: some arguments have another row.
        const row = commandTable.resolve(argv) as Command;
        const typed = converterOf(row, argv)(new RespReader(Buffer.from(wire, "latin1")).readReply());
        const shown = `${JSON.stringify(argv)}: add or correct \`reply\` in the row of ${row.name}`;
        assert.equal(writeReply3(typed), writeReply3(reply), shown);
        assert.equal(writeReply(typed), writeReply(reply), shown);
        const differs =
          writeReply3(reply).replaceAll("_\r\n", "$-1\r\n") !== wire.replaceAll("*-1\r\n", "$-1\r\n");
        if (differs) changed.add(command.name);
      }
    }
  }
  assert.ok(changed.size >= CHANGED_MIN, `RESP3 replies that differ: ${[...changed].join(" ")}`);
});

test("the result of ZADD INCR, and the reply of ZSCORE, is a double", () => {
  const database = new Database();
  for (const argv of [
    ["ZADD", "z", "INCR", "1.5", "m"],
    ["ZSCORE", "z", "m"],
  ]) {
    const reply = database.execute(argv, { at: AT, db: 0, id: "" });
    const typed = converterOf(findCommand(argv[0] as string) as Command, argv)(bulk("1.5"));
    assert.equal(writeReply3(typed), ",1.5\r\n");
    assert.equal(writeReply3(typed), writeReply3(reply));
  }
});

test("a key that is named like an option is not an option", () => {
  const database = new Database();
  const execute = (argv: readonly string[]) => database.execute(argv, { at: AT, db: 0, id: "" });
  for (const key of ["WITHSCORES", "IDX", "withvalues"]) execute(["ZADD", key, "1", "m"]);
  execute(["HSET", "h", "WITHVALUES", "1"]);

  for (const argv of [
    ["ZDIFF", "2", "WITHSCORES", "withscores"],
    ["ZUNION", "2", "none", "WITHSCORES"],
    ["ZINTER", "1", "WITHSCORES", "WITHSCORES"],
    ["ZRANGE", "WITHSCORES", "0", "-1"],
    ["ZRANDMEMBER", "WITHSCORES", "2"],
    ["LCS", "none", "other"],
  ]) {
    const reply = execute(argv);
    const wire = Buffer.from(writeReply(resultReply(reply)), "latin1");
    const typed = converterOf(
      findCommand(argv[0] as string) as Command,
      argv,
    )(new RespReader(wire).readReply());
    assert.equal(writeReply3(typed), writeReply3(reply), argv.join(" "));
  }
});
