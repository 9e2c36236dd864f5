/** The rules of consumer groups, each broken in one position. */
import type { Mutant } from "./mutant.js";

const COMMANDS = "test/store/commands/streams/consumer-groups.test.js";

export const groupMutants: readonly Mutant[] = [
  {
    name: "groups: what a consumer was handed is not brought back with it",
    file: "store/values/streams/consumer-group.js",
    find: "for (const [id, pending] of consumer.pending)\n            this.pending.set(id, pending);",
    replace: "",
    test: COMMANDS,
  },
  {
    name: "groups: the last change of what is pending is taken back last",
    file: "store/keyspace/undo.js",
    find: "groupPending: (_, { group, ids, old }) => {\n        for (let i = ids.length - 1; i >= 0; i--)",
    replace: "groupPending: (_, { group, ids, old }) => {\n        for (let i = ids.length - 1; i > 0; i--)",
    killer: "fold",
  },
  {
    name: "groups: a read of a group counts as what only reads",
    file: "store/commands/streams/read-options.js",
    find: 'return keysAfter(argv, index, "write");',
    replace: 'return keysAfter(argv, index, "read");',
    test: COMMANDS,
  },
  {
    name: "groups: how far a group has read is not taken back",
    file: "store/keyspace/undo.js",
    find: "group.marks = old;",
    replace: "",
    killer: "fold",
  },
  {
    name: "groups: a copy shares its groups",
    file: "store/values/streams/stream.js",
    find: "copy.setGroup(name, group.clone());",
    replace: "copy.setGroup(name, group);",
    test: COMMANDS,
  },
  {
    name: "groups: a snapshot leaves them out",
    file: "timeline/snapshots/snapshot.js",
    find: 'value instanceof Stream && value.groupCount > 0 ? "stream-of-groups" : typeName(value)',
    replace: "typeName(value)",
    test: "test/timeline/snapshots/snapshot.test.js",
  },
];
