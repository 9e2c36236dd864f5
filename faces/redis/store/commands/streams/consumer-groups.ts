/**
 * Consumer groups of streams. Behaviour and error texts are those of Redis 7; test/conformance checks them.
 * docs/consistency.md describes their meaning among several daemons.
 */

import {
  type CommandFailure,
  custom,
  echoed,
  wrongArity,
} from "../../../../../daemon/store/arguments/command-errors.js";
import { integerArgument } from "../../../../../daemon/store/arguments/number-arguments.js";
import {
  always,
  event,
  ifCounted,
  noEvents,
  secondArgument,
} from "../../../../../daemon/store/events/event-rules.js";
import type { Data } from "../../../../../daemon/store/keyspace/mutators.js";
import { allLookedUp, family } from "../../../../../daemon/store/rows/command-row.js";
import { streamsSearch } from "../../../../../daemon/store/rows/key-searches.js";
import { none, read, write } from "../../../../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { array, integer, OK, ONE, type Reply, status, ZERO } from "../../../../../protocol/reply.js";
import {
  addConsumer,
  createGroup,
  destroyGroup,
  markGroup,
  removeConsumer,
  setSkipped,
} from "../../keyspace/stream-mutators.js";
import { Stream } from "../../values/streams/stream.js";
import { xack, xautoclaim, xclaim } from "./group-claims.js";
import { xreadgroup } from "./group-reads.js";
import { groupReadPeek } from "./new-entries.js";
import { waitsForEntries, xreadgroupKeys } from "./read-options.js";
import { edgeArgument, type GroupOfStream, idArgument, noGroup } from "./stream-arguments.js";
import { addedConsumerEvents, removedConsumerEvents } from "./stream-events.js";
import { xinfoConsumers, xinfoGroups, xpending } from "./stream-info.js";

export const consumerGroups = family("stream", {
  XACK: {
    arity: -4,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "5.0.0",
    complexity: "O(M*log(N)), M: ids named, N: entries that are pending",
    summary: "Acknowledges entries: they are no longer pending.",
    cost: "arguments",
    events: noEvents,
    lookedUp: allLookedUp,
    keyFlags: ["RW update"],
    method: "key group id ...ids: number",
    serves: "none",
    run: xack,
  },
  XAUTOCLAIM: {
    arity: -6,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "6.2.0",
    complexity: "O(M*log(N)), M: entries checked, at most ten times COUNT, N: entries that are pending",
    summary:
      "Transfers to a consumer, starting at an id, entries that other consumers have left pending for a given time.",
    events: addedConsumerEvents,
    lookedUp: allLookedUp,
    keyFlags: ["RW delete"],
    tips: ["nondeterministic_output"],
    serves: "none",
    isClaim: true,
    run: xautoclaim,
  },
  XCLAIM: {
    arity: -6,
    flags: ["write", "fast"],
    keys: [write(1)],
    since: "5.0.0",
    complexity: "O(M*log(N)), M: ids named, N: entries that are pending",
    summary: "Transfers to a consumer entries that other consumers have left pending for a given time.",
    events: addedConsumerEvents,
    lookedUp: allLookedUp,
    keyFlags: ["RW update"],
    tips: ["nondeterministic_output"],
    serves: "none",
    isClaim: true,
    run: xclaim,
  },
  "XGROUP|CREATE": {
    arity: -5,
    flags: ["write", "denyoom"],
    keys: [write(2)],
    since: "5.0.0",
    complexity: "O(1)",
    summary: "Creates a consumer group; with MKSTREAM, also the stream.",
    cost: "arguments",
    events: event("t", "xgroup-create", always, secondArgument),
    keyFlags: ["RW insert"],
    serves: "none",
    keepsExpiryOf: (argv) => (createsStream(argv) ? 2 : undefined),
    run: xgroupCreate,
  },
  "XGROUP|CREATECONSUMER": {
    arity: 5,
    flags: ["write", "denyoom"],
    keys: [write(2)],
    since: "6.2.0",
    complexity: "O(1)",
    summary: "Creates a consumer of a group.",
    cost: "arguments",
    events: event("t", "xgroup-createconsumer", ifCounted, secondArgument),
    keyFlags: ["RW insert"],
    serves: "none",
    run: xgroupCreateConsumer,
  },
  "XGROUP|DELCONSUMER": {
    arity: 5,
    flags: ["write"],
    keys: [write(2)],
    since: "5.0.0",
    complexity: "O(M*log(N)), M: entries delivered to it, N: all pending entries",
    summary: "Removes a consumer, and its pending entries.",
    events: removedConsumerEvents,
    keyFlags: ["RW delete"],
    serves: "none",
    run: xgroupDeleteConsumer,
  },
  "XGROUP|DESTROY": {
    arity: 4,
    flags: ["write"],
    keys: [write(2)],
    since: "5.0.0",
    complexity: "O(1)",
    summary: "Removes a consumer group.",
    events: event("t", "xgroup-destroy", ifCounted, secondArgument),
    keyFlags: ["RW delete"],
    serves: "unless-empty",
    run: xgroupDestroy,
  },
  "XGROUP|HELP": {
    arity: 2,
    flags: ["loading", "stale"],
    keys: none,
    since: "5.0.0",
    complexity: "O(1)",
    summary: "Lists the subcommands.",
    run: xgroupHelp,
  },
  "XGROUP|SETID": {
    arity: -5,
    flags: ["write"],
    keys: [write(2)],
    since: "5.0.0",
    complexity: "O(1)",
    summary: "Sets the id after which a group continues.",
    cost: "arguments",
    events: event("t", "xgroup-setid", always, secondArgument),
    keyFlags: ["RW update"],
    // It can make entries available again, but even then Redis serves no client.
    serves: "none",
    setsAgain: true,
    run: xgroupSetId,
  },
  "XINFO|CONSUMERS": {
    arity: 4,
    flags: ["readonly"],
    keys: [read(2)],
    since: "5.0.0",
    complexity: "O(N*log(N)), N: consumers",
    summary: "Returns the consumers of a group.",
    tips: ["nondeterministic_output"],
    reply: "maps",
    run: xinfoConsumers,
  },
  "XINFO|GROUPS": {
    arity: 3,
    flags: ["readonly"],
    keys: [read(2)],
    since: "5.0.0",
    complexity: "O(N*log(N)), N: groups",
    summary: "Returns a stream's consumer groups, and how far they have read.",
    reply: "maps",
    run: xinfoGroups,
  },
  XPENDING: {
    arity: -3,
    flags: ["readonly"],
    keys: [read(1)],
    since: "5.0.0",
    complexity:
      "O(C*log(C)), C: consumers; for a range O(log(N)+M), N: entries that are pending, M: entries checked",
    summary: "Returns the entries that a group's consumers received and have not acknowledged.",
    tips: ["nondeterministic_output"],
    run: xpending,
  },
  XREADGROUP: {
    arity: -7,
    flags: ["write", "blocking", "movablekeys"],
    keys: xreadgroupKeys,
    since: "5.0.0",
    complexity: "O(K+M*log(N)), K: streams, M: entries delivered, N: entries that are pending",
    categories: ["blocking"],
    summary:
      "Delivers to a consumer the entries that its group has not received, or again those that the consumer has not acknowledged.",
    events: addedConsumerEvents,
    keyFlags: ["RO access"],
    keySearches: streamsSearch(4),
    reply: "streams",
    waitsFor: waitsForEntries("group"),
    serves: "none",
    isClaim: (argv) => argv.includes(">"),
    peek: groupReadPeek,
    run: xreadgroup,
  },
}).concat(
  family("server", {
    XGROUP: {
      arity: -2,
      flags: [],
      keys: none,
      since: "5.0.0",
      complexity: "Depends on the subcommand",
      summary: "Commands for a stream's consumer groups.",
      run: () => {
        throw wrongArity("xgroup");
      },
    },
  }),
);

const noStream = () =>
  custom(
    "ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an empty stream automatically.",
  );

/** Maximum number of arguments of CREATE. */
const CREATE_ARGUMENTS_MAX = 8;
/** Maximum number of arguments of SETID. */
const SETID_ARGUMENTS_MAX = 7;

function xgroupCreate(data: Data, argv: readonly ByteString[]): Reply {
  const { mkstream, entriesRead } = groupOptions(argv, true);
  const existing = data.getAs(Stream, argv[2]!)?.value;
  if (existing === undefined && !mkstream) throw noStream();
  if (argv.length > CREATE_ARGUMENTS_MAX) throw badArguments(argv);
  const name = argv[3]!;
  const lastId = argv[4] === "$" ? (existing?.marks.lastId ?? 0n) : idArgument(argv[4]!);
  if (existing?.group(name) !== undefined) throw custom("BUSYGROUP Consumer Group name already exists");
  const stream = existing ?? data.getOrPut(Stream, argv[2]!).value;
  createGroup(data, stream, name, { lastId, entriesRead });
  return OK;
}

/** Whether a call of XGROUP CREATE creates the stream if it is absent. */
const createsStream = (argv: readonly ByteString[]): boolean =>
  argv.slice(5).some((word) => word.toUpperCase() === "MKSTREAM");

function xgroupSetId(data: Data, argv: readonly ByteString[]): Reply {
  const { entriesRead } = groupOptions(argv, false);
  const { stream, group } = groupOf(data, argv);
  if (argv.length > SETID_ARGUMENTS_MAX) throw badArguments(argv);
  const lastId = argv[4] === "$" ? stream.marks.lastId : edgeArgument(argv[4]!);
  markGroup(data, group, { lastId, entriesRead });
  setSkipped(
    data,
    group,
    [...group.skipped].map(([from]) => [from, undefined]),
  );
  return OK;
}

function xgroupDestroy(data: Data, argv: readonly ByteString[]): Reply {
  const stream = streamOf(data, argv);
  if (stream.group(argv[3]!) === undefined) return ZERO;
  destroyGroup(data, stream, argv[3]!);
  return ONE;
}

function xgroupCreateConsumer(data: Data, argv: readonly ByteString[]): Reply {
  const { group } = groupOf(data, argv);
  if (group.consumer(argv[4]!) !== undefined) return ZERO;
  addConsumer(data, group, argv[4]!);
  return ONE;
}

/** Removes a consumer with its pending entries, and returns the number of these entries. */
function xgroupDeleteConsumer(data: Data, argv: readonly ByteString[]): Reply {
  const { group } = groupOf(data, argv);
  const consumer = group.consumer(argv[4]!);
  if (consumer === undefined) return ZERO;
  const { size } = consumer.pending;
  removeConsumer(data, group, consumer);
  return integer(size);
}

interface GroupOptions {
  readonly mkstream: boolean;
  readonly entriesRead: bigint | null;
}

/** @param creates whether the command is CREATE, which has MKSTREAM */
function groupOptions(argv: readonly ByteString[], creates: boolean): GroupOptions {
  let mkstream = false;
  let entriesRead: bigint | null = null;
  for (let i = 5; i < argv.length; i++) {
    const word = argv[i]!.toUpperCase();
    if (creates && word === "MKSTREAM") mkstream = true;
    else if (word === "ENTRIESREAD" && i + 1 < argv.length) {
      const value = BigInt(integerArgument(argv[++i]!));
      if (value < -1n) throw custom("ERR value for ENTRIESREAD must be positive or -1");
      entriesRead = value === -1n ? null : value;
    } else throw badArguments(argv);
  }

  return { mkstream, entriesRead };
}

const badArguments = ([, subcommand]: readonly ByteString[]): CommandFailure =>
  custom(
    `ERR unknown subcommand or wrong number of arguments for '${echoed(subcommand!)}'. Try XGROUP HELP.`,
  );

function streamOf(data: Data, argv: readonly ByteString[]): Stream {
  const stream = data.getAs(Stream, argv[2]!)?.value;
  if (stream === undefined) throw noStream();
  return stream;
}

function groupOf(data: Data, argv: readonly ByteString[]): GroupOfStream {
  const stream = streamOf(data, argv);
  const group = stream.group(argv[3]!);
  if (group === undefined) throw noGroup(argv[2]!, argv[3]!);
  return { stream, group };
}

const XGROUP_HELP = [
  "XGROUP <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
  "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <number>]",
  "    Creates a group that reads the entries after the id; with MKSTREAM, also creates the stream.",
  "CREATECONSUMER <key> <group> <consumer>",
  "    Creates a consumer, as reading does.",
  "DELCONSUMER <key> <group> <consumer>",
  "    Removes a consumer and its pending entries.",
  "DESTROY <key> <group>",
  "    Removes a group.",
  "SETID <key> <group> <id|$> [ENTRIESREAD <number>]",
  "    Sets the id after which a group continues.",
  "HELP",
  "    Prints this help.",
];

function xgroupHelp(): Reply {
  return array(XGROUP_HELP.map(status));
}
