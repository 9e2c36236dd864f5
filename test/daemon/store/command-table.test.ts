/**
 * Tests that each row has the properties that its command needs, and that each property that is taken from a row is
 * noticed. Each message names what to add.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { methodNames } from "../../../client/shared/commands.js";
import { commands } from "../../../daemon/store/command-table.js";
import { isKeyCommand } from "../../../daemon/store/key-command.js";
import { COMMAND_FAMILIES } from "../../../daemon/store/rows/command-families.js";
import type { Command, CommandRow } from "../../../daemon/store/rows/command-row.js";
import { touchesOf } from "../../../daemon/store/rows/key-spec.js";
import { hasCode } from "../../support/installed-families.js";
import { repositoryRoot } from "../../support/repository.js";
import type { Meaning } from "../../tables/semantics.js";
import { collectEvidence } from "./row-evidence.js";

test("the table has the commands of each family of a face", () => {
  for (const { name, rows } of COMMAND_FAMILIES)
    for (const row of rows)
      assert.ok(
        commands.includes(row),
        `${row.name}: add familyRows("${name}") to daemon/store/command-table.ts`,
      );
});

/** The least number of words of commands whose last parameters, of which some are required, have one name. */
const LEAST_WORDS: Readonly<Record<string, number>> = {
  SDIFFSTORE: 3,
  SINTERSTORE: 3,
  SUNIONSTORE: 3,
  ZADD: 4,
  XADD: 5,
  XTRIM: 4,
  GEOADD: 5,
  GEOSEARCH: 7,
};

type Optional<Properties> = {
  [Name in keyof Properties]-?: object extends Pick<Properties, Name> ? Name : never;
}[keyof Properties];

/** A property that a row may omit. The compiler requires the others. */
type Property = Optional<CommandRow>;

interface Need {
  /** What is true of each command that needs the property. */
  readonly because: string;
  /** Whether a command needs the property, which this function does not read. */
  readonly isNeeded: (command: Command) => boolean;
}

const seen = collectEvidence();
const semantics = JSON.parse(
  readFileSync(join(repositoryRoot, "test/tables/semantics-1.json"), "utf8"),
) as Meaning;

const shape = ({ name }: Command): readonly string[] => semantics.commands[name]?.split(", ") ?? [];
const ofRing = ({ name }: Command) => isKeyCommand([name.split("|")[0] as string]);
const isContainedIn = (names: string) => {
  const list = names.split(" ");
  return ({ name }: Command) => list.includes(name);
};
const isSubcommand = ({ name }: Command) => name.includes("|");
/** Whether a command removes something: according to COMMAND INFO, as in Redis, or the expiry of a key. */
const isForRemoval = ({ keyFlags, name }: Command) =>
  name === "PERSIST" || (keyFlags?.some((flags) => flags.includes("delete")) ?? false);
/** Whether the keys of a call follow from its other arguments, which are a script's. */
const takesScript = ({ group, keys }: Command) => group === "scripting" && typeof keys === "function";

/**
 * Whether a command removes what it returns, without a name for it in its arguments, or gives entries to a consumer.
 */
const takes = ({ keyFlags, method, summary }: Command) =>
  (keyFlags?.[0] === "RW access delete" && !/: (number|"OK")$/.test(method ?? "")) ||
  /^(Transfers|Delivers) to a consumer/.test(summary);

/** Commands that create and keep a key, although their rows name none of their keys in `keepsExpiryOf`. */
const keepsSeveral = isContainedIn("MSETNX");
const bringsItsExpiry = isContainedIn("COPY RENAMENX");
/** Calls that change nothing because they add nothing, or because their condition is unmet, set nothing again. */
const addsNothing = isContainedIn("APPEND DECRBY INCRBY INCRBYFLOAT HINCRBY HINCRBYFLOAT ZINCRBY");
const isConditional = (command: Command) =>
  /NX$/.test(command.name) ||
  ["document", "mongo", "sql"].includes(command.group) ||
  isContainedIn("COPY MOVE SET XGROUP|CREATECONSUMER")(command);

/**
 * Which commands need each property, according to their calls (row-evidence.ts), to other properties of the row, or to
 * a list. `null`: a property that another test compares.
 */
const NEEDS: Readonly<Record<Property, Need | null>> = {
  events: {
    because: "it writes: a rule of daemon/store/events/event-rules.ts (noEvents, if it has none)",
    isNeeded: ({ writes }) => writes,
  },
  writesOtherDatabases: {
    because: "its keys may be those of other databases",
    isNeeded: ({ name }) => seen.writesElsewhere.has(name),
  },
  otherRow: {
    because: "test/tables/semantics-1.json has calls that belong to another row",
    isNeeded: (command) => shape(command).includes("other row by arguments"),
  },
  cost: {
    because: "its time follows from its arguments (test/tables/semantics-1.json), or it is a query in steps",
    isNeeded: (command) =>
      shape(command).includes("linear") ||
      isContainedIn("LCS SQL_RO MDB.FIND MDB.COUNT MDB.DISTINCT MDB.AGGREGATE")(command),
  },
  isStatement: {
    because: "its arguments are a statement, which must be parsed",
    isNeeded: ({ name }) => /^(SQL(_RO)?$|MDB\.)/.test(name),
  },
  countsOwnSteps: {
    because: "commands of documents limit their steps",
    isNeeded: ({ group }) => group === "document",
  },
  isUse: {
    because: "it describes a key",
    isNeeded: ({ name, reads, group, keys }) =>
      reads &&
      ["keyspace", "server", "dbsync"].includes(group) &&
      typeof keys !== "function" &&
      keys.length > 0 &&
      !/^(DUMP|TOUCH)$/.test(name),
  },
  lookedUp: {
    because: "Redis counts its look-ups, although it writes",
    isNeeded: (command) => {
      const { writes, keys, keyFlags = [] } = command;
      const copies =
        keyFlags.includes("RO access") ||
        (typeof keys !== "function" && keys.some(({ access, needs }) => access === "read" && needs === "R"));
      const counts = isContainedIn("GETDEL GETEX GETSET BITFIELD XACK XAUTOCLAIM XCLAIM")(command);
      return writes && ((copies && command.name !== "XREADGROUP") || counts);
    },
  },
  waitsFor: {
    because: "it has the flag `blocking`",
    isNeeded: ({ flags }) => flags.includes("blocking"),
  },
  serves: {
    because: "it adds no entry, changes only an expiry time, or adds nothing if it replies 0 or nil",
    isNeeded: (command) =>
      command.writes &&
      ((command.group === "stream" && !command.summary.startsWith("Appends")) ||
        /^P?(EXPIRE|PERSIST)/.test(command.name) ||
        (/NX$/.test(command.name) && ["string", "keyspace"].includes(command.group)) ||
        isContainedIn("SET COPY MOVE")(command)),
  },
  runsScript: { because: "it runs a script", isNeeded: takesScript },
  connectionUse: {
    because: "it changes, ends or blocks its connection, or receives more than one reply",
    isNeeded: (command) =>
      command.group === "transaction" ||
      command.flags.includes("no_auth") ||
      (command.group === "pubsub" && command.flags.includes("noscript") && !isSubcommand(command)) ||
      isContainedIn(
        "ASKING CLIENT CLIENT|REPLY DEBUG FAILOVER MONITOR PSYNC READONLY READWRITE REPLCONF SCRIPT SELECT SHUTDOWN SYNC WAIT",
      )(command),
  },
  anyMaster: {
    because: "each master of a Redis Cluster has the same answer, or none has one",
    isNeeded: isContainedIn("COMMAND ECHO LOLWUT PING PUBLISH SCRIPT|DEBUG TIME"),
  },
  sidecarLacks: {
    because: "it concerns the storage, replicas or internals of a server",
    isNeeded: isContainedIn("BGREWRITEAOF BGSAVE DEBUG LASTSAVE MONITOR SAVE WAIT"),
  },
  recordedAs: {
    because: "its effect depends on an id that it chooses",
    // No command of an envelope depends on the id of a new document: DOC.INSERT is recorded with its keys.
    isNeeded: ({ name }) => name !== "DOC.CREATE" && seen.choosesId.has(name),
  },
  isClaim: {
    because: "it returns what it takes: use `choice` and `taken` of its unit",
    isNeeded: (command) => seen.takes.has(command.name) || takes(command),
  },
  peek: {
    because: "the state shows what it takes (test/daemon/cluster/replica/recorded-choices.test.ts)",
    isNeeded: isContainedIn("LPOP RPOP ZPOPMAX ZPOPMIN XREADGROUP"),
  },
  keepsExpiryOf: {
    because: "it may create a key without an expiry, and keeps the expiry of one that exists",
    isNeeded: (command) =>
      seen.keepsExpiry.has(command.name) && !keepsSeveral(command) && !bringsItsExpiry(command),
  },
  setsAgain: {
    because: "a call that changes nothing sets what is there already",
    isNeeded: (command) =>
      seen.setsAgain.has(command.name) &&
      command.name !== "PFDEBUG" &&
      !isForRemoval(command) &&
      !seen.takes.has(command.name) &&
      !addsNothing(command) &&
      !isConditional(command),
  },
  cursorAt: {
    because: "it returns pages",
    isNeeded: ({ method }) => method?.endsWith(": @scan") === true,
  },
  inEnvelope: {
    because: "it is for transactions, or concerns a connection",
    isNeeded: (command) =>
      command.group === "transaction" ||
      (command.flags.includes("no_auth") && command.name !== "AUTH") ||
      isContainedIn("SELECT DBSYNC|REPLY")(command),
  },
  isSecret: { because: "it has a password", isNeeded: isContainedIn("ACL|SETUSER AUTH CONFIG|SET HELLO") },
  publicKeyAt: {
    because: "its argument is a public key",
    isNeeded: (command) => ofRing(command) && / public key/.test(command.summary),
  },
  isRecorded: {
    because: "it only reads the key ring",
    isNeeded: (command) => ofRing(command) && /^(Returns|Checks) /.test(command.summary),
  },
  channels: {
    because: "it names channels",
    isNeeded: (command) => command.flags.includes("pubsub") && command.arity !== -1 && !isSubcommand(command),
  },
  reply: {
    because: "its replies have a type that RESP2 does not have",
    isNeeded: ({ name, reads, writes }) => (reads || writes) && seen.isTyped.has(name),
  },
  method: {
    because: "client/shared/commands.ts has its method",
    isNeeded: ({ name }) => methodNames().includes(name),
  },
  // test/conformance/command-table.test.ts compares these with redis-server's, and notices each that is missing.
  categories: null,
  keyFlags: null,
  keyRange: null,
  keySearches: null,
  tips: null,
  // test/tables/semantics.test.ts requires these of a row that differs from that of a frozen number.
  sinceSemantics: null,
  earlier: null,
};

const needs = Object.entries(NEEDS) as [Property, Need | null][];

/** The values of properties that a row does not state, as `family` sets them. */
const DEFAULTS: Partial<Command> = {
  events: null,
  lookedUp: null,
  reply: null,
  method: null,
  writesOtherDatabases: false,
  isStatement: false,
  countsOwnSteps: false,
  isUse: true,
  isRecorded: true,
};

function states(command: Command, property: Property): boolean {
  if (property === "cost") return command.isLinear || command.isQuery;
  return command[property] !== DEFAULTS[property];
}

/** Returns a command as if its row did not state a property. */
const without = (command: Command, property: Property): Command =>
  property === "cost"
    ? { ...command, isLinear: false, isQuery: false }
    : { ...command, [property]: DEFAULTS[property] };

/** Returns what is wrong with a row. */
function problemsOf(command: Command): string[] {
  return needs.flatMap(([property, need]) => {
    if (need === null || need.isNeeded(command) === states(command, property)) return [];
    return states(command, property)
      ? `${command.name} needs no \`${property}\`, or no call of row-evidence.ts shows that ${need.because}`
      : `add \`${property}\` to the row of ${command.name}: ${need.because}`;
  });
}

const tested = commands.filter(({ name }) => hasCode(name));

test("each row has the properties that its command needs, and no others", () => {
  assert.deepEqual(tested.flatMap(problemsOf), []);
});

test("each property that is taken from a row is noticed", () => {
  const unnoticed = tested.flatMap((command) =>
    needs.flatMap(([property, need]) =>
      need !== null && states(command, property) && problemsOf(without(command, property)).length === 0
        ? `${property} of ${command.name}`
        : [],
    ),
  );
  assert.deepEqual(unnoticed, []);
});

test("the keys and the arity of each row are those of the parameters of its method", () => {
  const problems = commands.flatMap(({ name, keys, arity, method }) => {
    const [, parameters] = /^([^:]*):/.exec(typeof method === "string" ? method : "") ?? [];
    if (parameters === undefined) return [];
    const words = parameters.split(" ").filter((word) => word !== "");
    const required = words.filter((word) => !/^\.\.\.|\?$/.test(word));
    const argv = [name, ...required, ...(words.includes("...keys") ? ["key2", "key3"] : [])];
    const named = argv.filter((word) => word.startsWith("key"));
    const touched = touchesOf(keys, argv).flatMap(({ key }) => key ?? []);
    const least = LEAST_WORDS[name] ?? required.length + 1;
    const expected = required.length === words.length ? least : -least;
    return [
      ...(isDeepStrictEqual(touched, named) ? [] : [`${name} has the keys ${touched}, not ${named}`]),
      ...(arity === expected ? [] : [`${name} has the arity ${arity}, not ${expected}`]),
    ];
  });
  assert.deepEqual(problems, []);
});

test("the recipe for a command in CONTRIBUTING.md names each property", () => {
  const page = readFileSync(join(repositoryRoot, "CONTRIBUTING.md"), "utf8");
  const [, recipe = ""] = /^\*\*A command\.\*\*\n([\s\S]*?)^\*\*/m.exec(page) ?? [];
  assert.deepEqual(
    needs.flatMap(([property]) => (recipe.includes(`\`${property}`) ? [] : property)),
    [],
  );
});
