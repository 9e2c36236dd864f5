/**
 * Consumer groups of streams. Behaviour and error texts are those of Redis 7; test/conformance checks them.
 * docs/consistency.md describes their meaning among several daemons.
 */

import { wrongArity } from "../../../../../daemon/store/arguments/command-errors.js";
import {
  always,
  event,
  ifCounted,
  noEvents,
  secondArgument,
} from "../../../../../daemon/store/events/event-rules.js";
import { family } from "../../../../../daemon/store/rows/command-row.js";
import { allLookedUp } from "../../../../../daemon/store/rows/counted-lookups.js";
import { streamsSearch } from "../../../../../daemon/store/rows/key-searches.js";
import { none, read, write } from "../../../../../daemon/store/rows/key-spec.js";
import { xack, xautoclaim, xclaim } from "./group-claims.js";
import {
  create,
  createConsumer,
  createsStream,
  deleteConsumer,
  destroy,
  setId,
  xgroupHelp,
} from "./group-management.js";
import { xpending } from "./group-pending.js";
import { xreadgroup } from "./group-reads.js";
import { groupReadPeek } from "./new-entries.js";
import { waitsForEntries, xreadgroupKeys } from "./read-options.js";
import { addedConsumerEvents, removedConsumerEvents } from "./stream-events.js";
import { xinfoConsumers, xinfoGroups } from "./stream-info.js";

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
    run: create,
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
    run: createConsumer,
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
    run: deleteConsumer,
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
    run: destroy,
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
    run: setId,
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
