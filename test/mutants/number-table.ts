/** Mutants of the bounds of numbers that clients receive. */
import type { Mutant } from "./mutant.js";

const BOUNDS = "test/faces/number-bounds.test.js";
const MEMCACHED = "faces/memcached/test/memcached-listener.test.js";

export const numberMutants: readonly Mutant[] = [
  {
    name: "numbers: the number of cas has 64 bits",
    file: "faces/memcached/memcached-session.js",
    find: "const UNIQUE_BITS = 63",
    replace: "const UNIQUE_BITS = 64",
    test: BOUNDS,
  },
  {
    name: "numbers: all stores of a process give an item the same number of cas",
    file: "faces/memcached/memcached-session.js",
    find: "update(writer, ",
    replace: "update(writer.slice(0, 32), ",
    test: MEMCACHED,
  },
  {
    name: "numbers: the seconds until an item expires may exceed 32 bits",
    file: "faces/memcached/memcached-session.js",
    find: "const SECONDS_MAX = 2 ** 31 - 1",
    replace: "const SECONDS_MAX = 2 ** 53 - 1",
    test: BOUNDS,
  },
  {
    name: "numbers: flags that another client has written may exceed 32 bits",
    file: "faces/memcached/memcached-session.js",
    find: "Number(flags) > FLAGS_MAX",
    replace: "false",
    test: BOUNDS,
  },
  {
    name: "numbers: the id that XADD chooses has 64 bits",
    file: "faces/redis/store/commands/streams/streams.js",
    find: "slot >>= 1n;",
    replace: "",
    test: BOUNDS,
  },
  {
    name: "numbers: the id of a MongoDB cursor has 63 bits",
    file: "faces/mongo/session/cursors.js",
    find: "const ID_BITS = 53",
    replace: "const ID_BITS = 63",
    test: BOUNDS,
  },
];
