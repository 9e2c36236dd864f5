/** The cases of --mongo for the tests of all listeners. */
import assert from "node:assert/strict";
import { MongoClient } from "mongodb";
import type { ListenerCases } from "../../../test/support/listener-cases.js";

const PATIENT = { serverSelectionTimeoutMS: 10_000 };

/** Returns a message with one document. @param code  the operation: 2013 OP_MSG, 2004 OP_QUERY */
function message(code: number, fields: Readonly<Record<string, number | string>>): Buffer {
  const parts = Object.entries(fields).map(([name, value]) => {
    const key = Buffer.from(`${name}\0`);
    const size = Buffer.alloc(4);
    if (typeof value === "number") {
      size.writeInt32LE(value);
      return Buffer.concat([Buffer.from([0x10]), key, size]);
    }
    size.writeInt32LE(value.length + 1);
    return Buffer.concat([Buffer.from([0x02]), key, size, Buffer.from(`${value}\0`)]);
  });

  const body = Buffer.concat([Buffer.alloc(4), ...parts, Buffer.alloc(1)]);
  body.writeInt32LE(body.length);
  const before =
    code === 2013 ? Buffer.alloc(5) : Buffer.from("\0\0\0\0admin.$cmd\0\0\0\0\0\xff\xff\xff\xff", "latin1");
  const header = Buffer.alloc(16);
  header.writeInt32LE(16 + before.length + body.length);
  header.writeInt32LE(7, 4);
  header.writeInt32LE(code, 12);
  return Buffer.concat([header, before, body]);
}

/** Returns a message of kind 2013 with an empty body. */
function emptyMessage(): Buffer {
  const bytes = Buffer.alloc(21);
  bytes.writeInt32LE(bytes.length, 0);
  bytes.writeInt32LE(2013, 12);
  return bytes;
}

export const cases: ListenerCases = {
  option: "mongo",
  inputs: [
    ...["3a00000001000000000000000d40700000000000", "25000000010000000000000dd070000000000000"].map((head) =>
      Buffer.from(`${head}00100000001068656c6c6f000100000000`, "hex"),
    ),
    message(2013, { hello: 1, $db: "admin" }),
    message(2004, { isMaster: 1 }),
    message(2013, { insert: "c", $db: "shop" }),
  ],
  repeated: [message(2013, { hello: 1, $db: "admin" }).toString("latin1"), "maxWireVersion"],
  users: {
    async attempt(port) {
      await using client = new MongoClient(`mongodb://127.0.0.1:${port}/`, PATIENT);
      await assert.rejects(client.db("k").collection("k").insertOne({ a: 1 }), /auth/i);
    },
    async logIn(port) {
      const url = `mongodb://ann:topsecret@127.0.0.1:${port}/?authMechanism=PLAIN`;
      await using client = new MongoClient(url, PATIENT);
      await client.db("k").command({ ping: 1 });
    },
  },
  text: null,
  clients: {
    mongo: {
      beginning: emptyMessage(),
      answer: /ok\0{9}\x02errmsg\0[^\0]+\0[\s\S]*ProtocolError\0\0$/,
    },
  },
};
