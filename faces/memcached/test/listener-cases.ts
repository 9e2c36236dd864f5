/** The cases of --memcached for the tests of all listeners. */
import assert from "node:assert/strict";
import {
  firstLine,
  found,
  type ListenerCases,
  type NumberRow,
  type NumberSubject,
} from "../../../test/support/listener-cases.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { askMemcached } from "./memcached-lines.js";
import { replay } from "./replay.js";

const INT32 = 2n ** 31n - 1n;
const UINT32 = 2n ** 32n - 1n;
/** The integers of a `long` of Java and of PHP. */
const INT64 = 2n ** 63n - 1n;
/** The integers that JavaScript represents exactly. */
const SAFE = 2n ** 53n - 1n;
const ITEMS = 64;

const ask = ({ portOf }: NumberSubject, requests: string) => askMemcached(portOf("memcached"), requests);

const NUMBERS: Readonly<Record<string, NumberRow>> = {
  "memcached: the numbers of cas": {
    max: INT64,
    async read(subject) {
      const sets = Array.from({ length: ITEMS }, (_, i) => `set i${i} 0 0 1\r\nx\r\n`).join("");
      const keys = Array.from({ length: ITEMS }, (_, i) => `i${i}`);
      await ask(subject, sets);
      const gets = found(
        await ask(subject, `gets ${keys.join(" ")}\r\ngats 0 ${keys.join(" ")}\r\n`),
        / 1 (\d+)\r/g,
      );
      const meta = `${keys.map((key) => `mg ${key} c\r\n`).join("")}ms i0 1 c\r\ny\r\n`;
      const all = [...gets, ...found(await ask(subject, meta), / c(\d+)\r/g)];
      assert.equal(all.length, 3 * ITEMS + 1);
      assert.ok(all.every((number) => number !== "0"));
      return all;
    },
  },
  "memcached: the seconds until an item expires": {
    max: INT32,
    async read(subject) {
      await subject.redis("SET", "far", "x", "PXAT", "9223372036854775807");
      const seconds = found(await ask(subject, "mg far t\r\n"), / t(-?\d+)/g);
      // INFO contains the average of all expiry times.
      await subject.redis("DEL", "far");
      return seconds;
    },
  },
  "memcached: flags that a Redis client has written": {
    max: UINT32,
    async read(subject) {
      await subject.redis("SET", "flagged", "\0memcached 9999999999\0x");
      return found(await ask(subject, "get flagged\r\n"), /^VALUE flagged (\d+)/g);
    },
  },
  "memcached: the figures of stats": {
    max: SAFE,
    async read(subject) {
      const text = await ask(subject, "stats\r\nstats settings\r\n");
      return found(text, /STAT (?!version)\w+ (\d\S*)\r/g);
    },
  },
};

/** The first byte of the binary protocol, which receives an answer of its own. */
const BINARY = 0x80;

export const cases: ListenerCases = {
  option: "memcached",
  inputs: [
    "set k 0 0 5\r\nvalue\r\nget k\r\n",
    "incr k 1\r\ngets k b\r\n",
    "cas k 1 2 3 4\r\nabc\r\n",
    "incr k 18446744073709551615\r\nmg k v t f\r\n",
    Buffer.concat([
      Buffer.from("800100010800000000000000000000000000000000000000000000006b", "hex"),
      Buffer.alloc(9),
    ]),
  ],
  repeated: ["version\r\n", "\r\n"],
  users: {
    attempt: async (port) =>
      assert.match(await firstLine(port, "set k 0 0 1\r\n1\r\n"), /^(?:CLIENT_ERROR|ERROR) /),
    logIn: (port) => firstLine(port, "set k 0 0 13\r\nann topsecret\r\nste k 0 0 13\r\nann topsecret\r\n"),
  },
  text: { write: "set stolen 0 0 1\r\nx", answerTo: (byte) => (byte === BINARY ? null : "") },
  clients: {
    memcached: {
      beginning: "get SECRET\r\n",
      answer: /^CLIENT_ERROR [^\r\n]+\r\n$/,
      // It is also an inline command of Redis.
      servedAt: ["resp"],
    },
  },
  numbers: NUMBERS,
  async ofSidecar(port, untilAll) {
    await replay(port);
    using one = await RawClient.open(port);
    one.send("set n 0 0 1\r\n0\r\n");
    assert.equal(await one.read("STORED\r\n".length), "STORED\r\n");
    const counted = await Promise.all(
      [1, 2].map(async () => {
        using client = await RawClient.open(port);
        client.send("incr n 1\r\n".repeat(20));
        client.socket.end();
        return (await client.readToClose()).trim().split("\r\n").map(Number);
      }),
    );
    assert.deepEqual(
      counted.flat().sort((left, right) => left - right),
      Array.from({ length: 40 }, (_, i) => i + 1),
    );
    await untilAll(["GET", "n"], "40");
  },
};
