/** Tests the conditions of commands that write only if a key is absent or present. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { commandNames } from "../../client/shared/commands.js";
import { findCommand } from "../../daemon/store/command-table.js";
import { missingCode } from "../../daemon/store/family-code.js";
import {
  CONDITIONAL_NAME,
  hasImplicitCondition,
  implicitCondition,
  isOneConditional,
  SHARING_NAME,
} from "../../protocol/implicit-condition.js";
import { NIL, ONE, ZERO } from "../../protocol/reply.js";
import { repositoryRoot } from "../support/repository.js";

test("commands with a condition are run without it, or not at all", () => {
  const counted = { expected: 0, applied: ONE, unmet: ZERO };
  assert.deepEqual(implicitCondition(["setnx", "k", "v"]), {
    ...counted,
    check: ["EXISTS", "k"],
    unconditional: ["SET", "k", "v"],
  });
  assert.deepEqual(implicitCondition(["HSETNX", "k", "f", "v"]), {
    ...counted,
    check: ["HEXISTS", "k", "f"],
    unconditional: ["HSET", "k", "f", "v"],
  });
  assert.deepEqual(implicitCondition(["MSETNX", "k", "v", "l", "w"]), {
    ...counted,
    check: ["EXISTS", "k", "l"],
    unconditional: ["MSET", "k", "v", "l", "w"],
  });

  const set = { check: ["EXISTS", "k"], applied: null, unmet: NIL };
  assert.deepEqual(implicitCondition(["SET", "k", "NX", "nx", "PX", "10"]), {
    ...set,
    expected: 0,
    unconditional: ["SET", "k", "NX", "PX", "10"],
  });
  assert.deepEqual(implicitCondition(["SET", "k", "v", "KEEPTTL", "XX"]), {
    ...set,
    expected: 1,
    unconditional: ["SET", "k", "v", "KEEPTTL"],
  });
});

test("other commands have no condition that a decision could replace", () => {
  const others = [
    ["SET", "k", "v"],
    ["SET", "k", "v", "NX", "GET"],
    ["SET", "k", "v", "NX", "XX"],
    ["GET", "k"],
    ["INCR", "k"],
    [],
  ];
  for (const argv of others) {
    assert.equal(implicitCondition(argv), null);
    assert.ok(!CONDITIONAL_NAME.test(argv[0] ?? "") || !hasImplicitCondition(argv), argv.join(" "));
  }
});

test("the names of the commands that may have a condition are those of which one has", () => {
  const conditional = commandNames().filter((name) =>
    [
      ["k", "v"],
      ["k", "f", "v"],
      ["k", "v", "NX"],
    ].some((rest) => implicitCondition([name, ...rest]) !== null),
  );
  assert.deepEqual(
    conditional,
    commandNames().filter((name) => CONDITIONAL_NAME.test(name)),
  );
  assert.equal(conditional.length, 4);
});

test("an envelope is one unit with a condition if it has `if`, or a single command with one", () => {
  const isOne = (...commands: string[]) =>
    isOneConditional({ if: null, multi: false, commands: commands.map((one) => one.split(" ")) });

  const conditional = ["SET k v NX", "set k v px 5 xx", "setnx k v", "MSETNX k v", "HSETNX k f v"];
  for (const command of conditional) assert.ok(isOne(command), command);
  for (const command of [
    "SET k v",
    "SET k v NX GET",
    "SET k v NX XX",
    "SET k v EX 5",
    "GET k",
    "SETEX k 5 v",
  ])
    assert.ok(!isOne(command), command);

  assert.ok(!isOne("SETNX k v", "SETNX j v"));
  const commands = [["SET", "k", "v"]];
  assert.ok(isOneConditional({ if: [], multi: true, commands }));
  assert.ok(!isOneConditional({ if: null, multi: true, commands: [["SETNX", "k", "v"]] }));
});

test("docs/protocol-v2.md names the commands that share an envelope", () => {
  const page = readFileSync(join(repositoryRoot, "docs/protocol-v2.md"), "utf8");
  const [, list = ""] = /each command is one of ([^:]*):/.exec(page) ?? [];
  const named = [...list.matchAll(/`(\w+)`/g)].map(([, name]) => name);
  assert.deepEqual(
    named,
    commandNames()
      .filter((name) => SHARING_NAME.test(name))
      .toSorted(),
  );
});

test("commands that share an envelope are writes whose cost follows from their arguments, without random choices", () => {
  const sharing = commandNames().filter((name) => SHARING_NAME.test(name));
  for (const name of sharing) {
    const command = findCommand(name);
    assert.ok(command?.writes && command.isLinear, name);
    assert.equal(missingCode([[name]]), null, "each build has its code");
    assert.ok(!SHARING_NAME.test(`${name}_`) && !SHARING_NAME.test(`_${name}`), name);
    assert.ok(SHARING_NAME.test(name.toLowerCase()), name);
  }
  for (const name of commandNames())
    if (CONDITIONAL_NAME.test(name)) assert.ok(SHARING_NAME.test(name), name);
  for (const name of ["SPOP", "EVAL", "GET", "SET EX", " SET", "SET\n", "", "SORT"])
    assert.ok(!SHARING_NAME.test(name), JSON.stringify(name));
});
