/** Mutants of the rules of streams and their consumer groups. */
import type { Mutant } from "./mutant.js";

const COMMANDS = "faces/redis/test/store/commands/streams/consumer-groups.test.js";

export const groupMutants: readonly Mutant[] = [
  {
    name: "groups: an undo restores a consumer without its pending entries",
    file: "faces/redis/store/values/streams/consumer-group.js",
    find: "for (const [id, pending] of consumer.pending)\n            this.pending.set(id, pending);",
    replace: "",
    test: COMMANDS,
  },
  {
    name: "groups: changes of pending entries are undone in the wrong order",
    file: "faces/redis/store/keyspace/stream-mutators.js",
    find: "for (let i = old.length - 1; i >= 0; i--)",
    replace: "for (let i = old.length - 1; i > 0; i--)",
    killer: "fold",
  },
  {
    name: "groups: reading a group counts as a read-only command",
    file: "faces/redis/store/commands/streams/read-options.js",
    find: 'return keysAfter(argv, index, "write");',
    replace: 'return keysAfter(argv, index, "read");',
    test: COMMANDS,
  },
  {
    name: "groups: an undo does not restore the position of a group",
    file: "faces/redis/store/keyspace/stream-mutators.js",
    find: "group.marks = old;",
    replace: "",
    killer: "fold",
  },
  {
    name: "groups: a copy of a stream shares the groups of the original",
    file: "faces/redis/store/values/streams/stream.js",
    find: "copy.setGroup(name, group.clone());",
    replace: "copy.setGroup(name, group);",
    test: COMMANDS,
  },
  {
    name: "groups: a snapshot contains no consumer groups",
    file: "faces/redis/store/values/streams/stream.js",
    find: 'return this.groupCount > 0 ? "stream-of-groups" : "stream";',
    replace: 'return "stream";',
    test: "test/daemon/timeline/snapshots/snapshot.test.js",
  },
  {
    name: "streams: ~ leaves up to two nodes more than requested",
    file: "faces/redis/store/commands/streams/stream-trimming.js",
    find: "max - (max % NODE_ENTRIES)",
    replace: "max - (max % (2 * NODE_ENTRIES))",
    test: "faces/redis/test/store/commands/streams/streams.test.js",
  },
  {
    name: "streams: CONFIG SET refuses the nodes of streams as they are",
    file: "faces/redis/commands/config-settings.js",
    find: "text(session) === value ? nothing : reason",
    replace: "reason === undefined ? nothing : reason",
    test: "faces/redis/test/config.test.js",
  },
];
