/**
 * Tests the rules of one key: the texts of denials, and differences from Redis. test/conformance/acl.test.ts compares
 * the decisions with those of Redis.
 */
import "../../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { commands, commandTable, findCommand } from "../../../../daemon/store/command-table.js";
import { Acl } from "../../../../daemon/store/rights/acl.js";
import type { Command } from "../../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../../protocol/byte-string.js";

const table = { all: () => commands, find: findCommand };
const aclOf = (...rules: ByteString[]) => new Acl(rules, table);

/** Returns why rules deny a line, or null if they permit it. */
function denial(rules: string, line: string): string | null {
  const argv = line.split(" ");
  return aclOf(rules).denial(commandTable.resolve(argv) as Command, argv);
}

test("without rules nothing is permitted", () => {
  assert.equal(denial("", "GET k"), "run 'get': no rule allows it");
  assert.equal(denial("", "PING"), "run 'ping': no rule allows it");
});

test("a denial names the rule that decided", () => {
  assert.equal(denial("+@all -@dangerous ~*", "FLUSHALL"), "run 'flushall': rule -@dangerous denies it");
  assert.equal(denial("+@all -SET ~*", "SET k v"), "run 'set': rule -SET denies it");
  assert.equal(denial("+@all nocommands +get ~*", "SET k v"), "run 'set': rule nocommands denies it");
  assert.equal(denial("+@read ~*", "SET k v"), "run 'set': no rule allows it");
  assert.equal(
    denial("+@all -command|info", "COMMAND INFO get"),
    "run 'command info': rule -command|info denies it",
  );
  assert.equal(denial("+@all -command|info", "COMMAND COUNT"), null);
});

test("a denial names the key and the missing permission", () => {
  assert.equal(denial("+@all ~app:*", "GET other"), "read key 'other', which 'get' needs: no rule allows it");
  assert.equal(
    denial("+@all %R~app:*", "SET app:1 v"),
    "write key 'app:1', which 'set' needs: no rule allows it",
  );
  assert.equal(
    denial("+@all %R~a %W~a*", "INCR a"),
    "read and write key 'a', which 'incr' needs: no rule allows it",
  );
  assert.equal(
    denial("+@all %W~a", "SET a v GET"),
    "read and write key 'a', which 'set' needs: no rule allows it",
  );
  assert.equal(denial("+@all %W~a", "SET a v"), null);
  assert.equal(denial("+@all %R~a %W~a", "INCR a"), null);
  assert.equal(denial("+@all ~a", "TYPE b"), "touch key 'b', which 'type' needs: no rule allows it");
  assert.equal(denial("+@all ~a", "MGET a b c"), "read key 'b', which 'mget' needs: no rule allows it");
});

test("with several selectors the denial is that of the selector that came closest", () => {
  assert.equal(denial("+set ~a (+get ~b)", "GET a"), "read key 'a', which 'get' needs: no rule allows it");
  assert.equal(denial("+set ~a (+get ~b)", "GET b"), null);
  const rejected = "read key 'c', which 'mget' needs: no rule allows it";
  for (const rules of ["+@all ~x (+@all ~a ~b) (+@all ~a)", "+mget ~a (-@all ~c) (+mget ~a ~b)"])
    assert.equal(denial(rules, "MGET a b c"), rejected, rules);
  assert.equal(denial("-get ~a (+set) (-mget ~b)", "GET a"), "run 'get': rule -get denies it");
});

test("the history of other keys requires a selector that permits both the history and all keys", () => {
  for (const rules of ["+@all ~*", "+timeline %R~*", "+timeline|blame ~a (+timeline|blame ~*)"])
    assert.equal(aclOf(rules).mayReadAll, true, rules);
  for (const rules of ["+timeline|blame ~a (+get ~*)", "+get ~* (+timeline|blame ~a)", "+@all ~a"])
    assert.equal(aclOf(rules).mayReadAll, false, rules);
});

test("a command on a complete database requires rules for all keys", () => {
  const all = "and no rule allows that";
  assert.equal(denial("+@all ~a*", "KEYS *"), `run 'keys': it may read all keys, ${all}`);
  assert.equal(denial("+@all ~a*", "FLUSHDB"), `run 'flushdb': it may write all keys, ${all}`);
  assert.equal(denial("+@all %R~*", "FLUSHDB"), `run 'flushdb': it may write all keys, ${all}`);
  for (const line of ["KEYS *", "DBSIZE", "SCAN 0", "RANDOMKEY"])
    assert.equal(denial("+@all %R~*", line), null);
  for (const line of ["FLUSHDB", "FLUSHALL", "SWAPDB 0 1"]) assert.equal(denial("+@all allkeys", line), null);
  assert.equal(denial("+get ~x (+@all ~*)", "FLUSHALL"), null);
});

test("rules on writing never permit access to the key ring", () => {
  const add = "KEY ADD text";
  assert.equal(denial("+@all -@admin ~*", add), "run 'key add': rule -@admin denies it");
  for (const rules of ["+@write ~*", "+@read ~*", "+@all -@dangerous ~*", "+key|list"])
    assert.notEqual(denial(rules, add), null, rules);
  for (const rules of ["+@all", "+key", "+key|add", "+@admin"]) assert.equal(denial(rules, add), null, rules);
});

test("keys of `if` need read permission, by any selector", () => {
  const acl = aclOf("+set %W~a", "(+get %R~b)");
  assert.deepEqual(
    ["a", "b", "c"].map((key) => acl.mayRead(key)),
    [false, true, false],
  );
});

test("rules are unlimited only if nothing is denied", () => {
  const unlimited = ["+@all ~*", "allkeys allcommands", "-get +@all ~*", "+get ~a (+@all ~*)"];
  const limited = [
    "",
    "+@all",
    "~*",
    "+@all -get ~*",
    "+@all ~a",
    "+@all ~* resetkeys",
    "(+@all ~*) clearselectors",
  ];
  for (const rules of unlimited) assert.equal(aclOf(rules).isUnlimited, true, rules);
  for (const rules of limited) assert.equal(aclOf(rules).isUnlimited, false, rules);
});

test("commands that only the daemon's Redis knows are judged by the rules that name them", () => {
  const permits = (rules: string, name: string) => new Acl([rules], table).foreignDenial(name) === null;
  assert.ok(permits("allkeys +@all", "migrate"));
  assert.ok(!permits("allkeys +@all -migrate", "MIGRATE"));
  assert.ok(permits("allkeys +@all -migrate", "restore-asking"));
  assert.ok(permits("allkeys +get +restore-asking", "restore-asking"));
  assert.ok(!permits("~a* +restore-asking", "restore-asking"), "the keys of the command are unknown");
  assert.ok(!permits("allkeys +restore-asking -@write", "restore-asking"));
  assert.ok(!permits("allkeys +@all -cluster|slots", "cluster"), "subcommands are not distinguished");
  assert.ok(!permits("allkeys +cluster|slots", "cluster"));
  assert.ok(permits("allkeys -migrate +@all", "migrate"));
  assert.match(
    new Acl(["allkeys +@all -migrate"], table).foreignDenial("migrate") ?? "",
    /rule -migrate denies it/,
  );
});

test("channel rules apply to channels; without any, permission for all keys includes all channels", () => {
  const permits = (rules: string, ...argv: string[]) => {
    const command = findCommand(argv[0] as string) ?? assert.fail();
    return aclOf(rules).channelDenial(command, argv) === null;
  };
  for (const open of [
    "+@all ~*",
    "+@all -@admin ~*",
    "+publish ~a &*",
    "+publish allchannels",
    "+@all ~a (+publish ~*)",
  ])
    assert.ok(permits(open, "PUBLISH", "news", "text"), open);
  for (const shut of [
    "+@all ~a",
    "+@all ~* resetchannels",
    "+publish",
    "+@all ~a (+get ~*)",
    "&* resetchannels",
  ])
    assert.ok(!permits(shut, "PUBLISH", "news", "text"), shut);

  const some = "+@all ~* &news.* &own";
  assert.ok(permits(some, "SUBSCRIBE", "news.1", "own"));
  assert.ok(!permits(some, "SUBSCRIBE", "news.1", "other"));
  assert.ok(permits(some, "PSUBSCRIBE", "news.*"), "a pattern exactly as in a rule");
  assert.ok(!permits(some, "PSUBSCRIBE", "news.1*"), "a pattern that might match more");
  assert.ok(permits(some, "GET", "k"));
  assert.match(
    aclOf(some).channelDenial(findCommand("SPUBLISH") ?? assert.fail(), ["spublish", "other", "text"]) ?? "",
    /use channel 'other': no rule allows it/,
  );
  assert.ok(!aclOf("+@all ~* &news").isUnlimited);
});

test("rules may be in one text or in several", () => {
  const expected = ["+get", "(+set ~a)", "~b"];
  assert.deepEqual(aclOf("+get (+set ~a) ~b").rules, expected);
  assert.deepEqual(aclOf("+get", "(+set", "~a)", "~b").rules, expected);
  assert.deepEqual(aclOf(" +get  ", "", "(  +set ~a )", "~b").rules, expected);
});

test("an invalid rule is rejected and named", () => {
  const cases: readonly [ByteString, RegExp][] = [
    ["+nonsense", /rule '\+nonsense': there is no such command$/],
    ["+hgetal", /there is no such command; did you mean HGETALL\?$/],
    ["+@nonsense", /there is no such category; the categories are all, keyspace, read/],
    ["+@reads", /there is no such category; did you mean read\? the categories are/],
    ["+command|nonsense", /no such subcommand/],
    ["+select|0", /first arguments are not distinguished/],
    [">password", /passwords/],
    ["#abc", /passwords/],
    ["on", /do not apply to keys/],
    ["&* &news", /rule '&news': after &\* it has no effect/],
    ["(&news)", /is not permitted in a selector/],
    ["nopass", /passwords/],
    ["%X~a", /expected %R~pattern/],
    ["%~a", /expected %R~pattern/],
    ["(+get", /not closed/],
    ["((+get))", /a selector cannot contain a selector/],
    ["(clearselectors)", /is not permitted in a selector/],
    ["~* ~a", /rule '~a': after ~\* it has no effect/],
    ["~a\nb", /control characters/],
    ["nonsense", /unknown; rules begin with/],
    ["+get ".repeat(200), /200 rules, above 128/],
    ["~".repeat(9000), /9000 bytes, above 8192/],
  ];
  for (const [rule, reason] of cases) assert.throws(() => aclOf(rule), reason, rule.slice(0, 40));
});
