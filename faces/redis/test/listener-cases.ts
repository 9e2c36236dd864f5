/** The cases of --resp for the tests of all listeners. */
import assert from "node:assert/strict";
import { firstLine, type ListenerCases } from "../../../test/support/listener-cases.js";

export const AUTH = "AUTH ann topsecret\r\nHELLO 3 AUTH ann topsecret\r\nAUHT ann topsecret\r\n";
const LOGIN = `${AUTH}ACL DRYRUN ann AUTH ann topsecret\r\nCONFIG SET requirepass topsecret\r\n`;

export const cases: ListenerCases = {
  option: "resp",
  inputs: [
    "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n",
    "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
    "SET k value\r\nGET k\r\nINFO\r\n",
  ],
  repeated: ["PING\r\n", "+PONG\r\n"],
  users: {
    attempt: async (port) => assert.match(await firstLine(port, "SET k resp\r\n"), /^-NOAUTH /),
    logIn: (port) => firstLine(port, LOGIN),
  },
  text: {
    write: "SET stolen 1",
    answerTo: (byte) => (byte === 0x16 ? "" : "-ERR Protocol error: the first byte is not text\r\n"),
  },
  clients: {
    resp: { beginning: "*2\r\n$3\r\nGET\r\n$6\r\nSECRET\r\n", answer: /^-ERR [^\r\n]+\r\n$/ },
  },
};
