/** The cases of --json for the tests of all listeners. */
import assert from "node:assert/strict";
import { firstLine, type ListenerCases } from "../../../test/support/listener-cases.js";

export const cases: ListenerCases = {
  option: "json",
  inputs: [
    '["getall","d"]\n',
    '["set","d",{"a":[1,{"b":null}],"c":"\\u00e9"}]\n',
    '{"a":"}',
    '{"action":"create","document":"users"}\n{"action":"insert","document":"users","data":[{"name":"Ada","n":1.5e3}]}\n',
    '{"action":"get","document":"users","query":{"name":["\\u00e9\\ud83d\\ude00",null,true]}}\n',
  ],
  repeated: ['{"action":"list"}\n', "}\n"],
  users: {
    attempt: async (port) =>
      assert.match(await firstLine(port, '{"action":"create","document":"k"}\n'), /Authentication required/),
    logIn: (port) =>
      firstLine(
        port,
        '{"action":"auth","user":"ann","password":"topsecret"}\n{"action":"atuh","password":"topsecret"}\n',
      ),
  },
  text: { write: '["set","stolen",{"a":1}]' },
  clients: {
    json: {
      beginning: '["get","SECRET"]\n',
      answer: /^\{"status":"error","message":"[^"]+"\}\n\r$/,
    },
  },
};
