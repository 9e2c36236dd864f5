/** Tests that no row is missing a property that its command needs. Each message names what to add. */
import "../../support/installed-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { commands } from "../../../daemon/store/command-table.js";
import { isKeyCommand } from "../../../daemon/store/key-command.js";
import { COMMAND_FAMILIES } from "../../../daemon/store/rows/command-families.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";

for (const { name, writes, events } of commands)
  test(`the row of ${name} has the properties that it needs`, () => {
    assert.equal(
      events !== null,
      writes,
      writes
        ? `${name} writes: add \`events\` to its row, a rule of daemon/store/events/event-rules.ts (noEvents, if it has none)`
        : `${name} does not write: remove \`events\` from its row`,
    );
  });

test("the table has the commands of each family of a face", () => {
  for (const { name, rows } of COMMAND_FAMILIES)
    for (const row of rows)
      assert.ok(
        commands.includes(row),
        `${row.name}: add familyRows("${name}") to daemon/store/command-table.ts`,
      );
});

interface Need {
  readonly property: keyof Command;
  /** What is true of each command that needs the property. */
  readonly because: string;
  readonly isNeeded: (command: Command) => boolean;
}

const ofRing = ({ name }: Command) => isKeyCommand([name.split("|")[0] as string]);

/** How the other properties of a row show that it needs a property. daemon/store/rows/command-row.ts explains each. */
const NEEDS: readonly Need[] = [
  {
    property: "isUse",
    because: "it describes a key",
    isNeeded: ({ reads, group, keys }) =>
      reads && (group === "server" || group === "dbsync") && keys.length > 0,
  },
  {
    property: "cursorAt",
    because: "it returns pages",
    isNeeded: ({ method }) => method?.endsWith(": @scan") === true,
  },
  {
    property: "publicKeyAt",
    because: "its argument is a public key",
    isNeeded: (command) => ofRing(command) && / public key/.test(command.summary),
  },
  {
    property: "isRecorded",
    because: "it only reads the key ring",
    isNeeded: (command) => ofRing(command) && /^(Returns|Checks) /.test(command.summary),
  },
  {
    property: "channels",
    because: "it names channels",
    isNeeded: ({ name, flags, arity }) => flags.includes("pubsub") && arity !== -1 && !name.includes("|"),
  },
  {
    property: "waitsFor",
    because: "it has the flag `blocking`",
    isNeeded: ({ flags }) => flags.includes("blocking"),
  },
  {
    property: "serves",
    because: "it adds no entry, changes only an expiry time, or adds nothing if it replies 0",
    isNeeded: ({ name, writes, group, summary }) =>
      writes &&
      ((group === "stream" && !summary.startsWith("Appends")) ||
        /^P?(EXPIRE|PERSIST)/.test(name) ||
        (/NX$/.test(name) && (group === "string" || group === "keyspace"))),
  },
  {
    property: "recordedAs",
    because: "its effect depends on a choice",
    isNeeded: ({ summary, writes }) => writes && / numbers them/.test(summary),
  },
  {
    property: "connectionUse",
    because: "it is for transactions, for connections without a login, or subscribes",
    isNeeded: ({ name, group, flags }) =>
      group === "transaction" ||
      flags.includes("no_auth") ||
      (group === "pubsub" && flags.includes("noscript") && !name.includes("|")),
  },
  {
    property: "sidecarLacks",
    because: "it runs or stores scripts",
    isNeeded: ({ group, flags, keySearches }) =>
      group === "scripting" && (keySearches !== undefined || flags.includes("denyoom")),
  },
  {
    property: "inEnvelope",
    because: "it is for transactions, or for connections without a login",
    isNeeded: ({ name, group, flags }) =>
      group === "transaction" || (flags.includes("no_auth") && name !== "AUTH"),
  },
];

/** The values of properties that a row does not state. */
const DEFAULTS: readonly unknown[] = [undefined, true];

for (const { property, because, isNeeded } of NEEDS)
  test(`rows have \`${property}\` if their commands need it`, () => {
    const needing = commands.filter(isNeeded);
    assert.ok(needing.length > 0);
    const missing = needing.filter((command) => DEFAULTS.includes(command[property])).map(({ name }) => name);
    assert.deepEqual(missing, [], `add \`${property}\` to the row: ${because}`);
  });

test("parsing costs something for the commands of SQL and MongoDB, whose arguments are statements", () => {
  const statements = commands.filter(({ isStatement }) => isStatement).map(({ name }) => name);
  const names = commands.map(({ name }) => name);
  assert.deepEqual(
    statements,
    names.filter((name) => /^(SQL(_RO)?$|MDB\.)/.test(name)),
  );
});

/**
 * Whether a command removes what it returns, without a name for it in its arguments, or gives entries to a consumer.
 */
const takes = ({ keyFlags, method, summary }: Command) =>
  (keyFlags?.[0] === "RW access delete" && !/: (number|"OK")$/.test(method ?? "")) ||
  /^(Transfers|Delivers) to a consumer/.test(summary);

test("rows of commands that return what they take have `isClaim`", () => {
  const missing = commands
    .filter((command) => takes(command) && command.isClaim === undefined)
    .map(({ name }) => name);
  assert.deepEqual(missing, [], "add `isClaim` to the row, and use `choice` and `taken` of its unit");
  assert.ok(commands.filter(takes).length > 10);
});
