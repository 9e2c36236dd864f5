/** The cases of --sentinel for the tests of all listeners. */
import assert from "node:assert/strict";
import { firstLine, type ListenerCases } from "../../../test/support/listener-cases.js";
import { AUTH } from "../../redis/test/listener-cases.js";

export const cases: ListenerCases = {
  option: "sentinel",
  inputs: [
    "*3\r\n$8\r\nSENTINEL\r\n$6\r\nmaster\r\n$1\r\nm\r\n",
    "*2\r\n$9\r\nSUBSCRIBE\r\n$6\r\n+sdown\r\n",
    "SENTINEL masters\r\nHELLO 3\r\nINFO\r\n",
  ],
  repeated: ["PING\r\n", "+PONG\r\n"],
  users: {
    attempt: async (port) => assert.match(await firstLine(port, "SENTINEL MASTERS\r\n"), /^-NOAUTH /),
    logIn: (port) => firstLine(port, AUTH),
  },
  text: null,
  clients: {},
};
