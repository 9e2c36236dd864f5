/** The cases of --sql for the tests of all listeners. */
import assert from "node:assert/strict";
import { firstLine, type ListenerCases } from "../../../test/support/listener-cases.js";
import { RawClient } from "../../../test/support/raw-client.js";

export const cases: ListenerCases = {
  option: "sql",
  inputs: [
    "use d; select 'a;b' x, 1 + 2 y;",
    "create database d; drop database d;",
    "pages 10;login a b;",
    "create database shop;\nuse shop;\ncreate table t (k number);\n",
    "insert into t values (1, 'it''s', null);\nselect * from t;\n",
  ],
  repeated: ["create database again;\n", "END\n"],
  users: {
    async attempt(port) {
      using client = await RawClient.open(port);
      client.send("create database k;\n");
      assert.equal(await client.readTo("\n"), "RESULT_MESSAGE\n");
      assert.match(await client.readTo("\n"), /log|auth/i);
    },
    logIn: (port) => firstLine(port, "login ann topsecret;\nlgoin ann topsecret;\n"),
  },
  text: { write: ";manamboara tahiry stolen;" },
  clients: {
    sql: {
      beginning: "select SECRET from SECRET where SECRET = 1;\n",
      answer: /^RESULT_MESSAGE\nHadisoana : [^\n]+\nEND\n$/,
    },
    // A startup message: its length, version 3.0, and the user's name.
    postgresql: {
      beginning: "\0\0\0\x15\0\x03\0\0user\0SECRET\0\0",
      answer: /^E[\s\S]{4}SFATAL\0VFATAL\0C08P01\0M[^\0]+\0\0$/,
    },
  },
};
