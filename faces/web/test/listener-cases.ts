/** The cases of --ws for the tests of all listeners. */
import { deflateRawSync } from "node:zlib";
import type { ListenerCases } from "../../../test/support/listener-cases.js";

const UPGRADE = [
  "GET / HTTP/1.1",
  "Host: 127.0.0.1",
  "Upgrade: websocket",
  "Connection: Upgrade",
  "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits",
  "\r\n",
].join("\r\n");

/** Returns a frame that is masked with zeros. @param first  the first byte: FIN, RSV1 (deflated) and the opcode */
function frame(first: number, payload: Buffer): Buffer {
  const { length } = payload;
  const size = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([first, ...size, 0, 0, 0, 0]), payload]);
}

const PING = frame(0x89, Buffer.from("hi"));
const deflated = deflateRawSync(Buffer.alloc(3_000, 65));
const half = deflated.length >> 1;

const FRAMES = [
  frame(0x82, Buffer.from("ds:10:*1\r\n$4\r\nPING\r\n")),
  frame(0xc2, deflated),
  frame(0xc2, Buffer.alloc(0)),
  Buffer.concat([frame(0x42, deflated.subarray(0, half)), PING, frame(0x80, deflated.subarray(half))]),
  Buffer.concat([frame(0xc2, deflated), frame(0x88, Buffer.alloc(0))]),
];

/** Frames after an upgrade, with each kind of first byte. */
const CONNECTIONS = [0x82, 0xc2, 0x81, 0xc1, 0x02, 0x42, 0x88, 0x89, 0xc9].map((first) =>
  Buffer.concat([Buffer.from(UPGRADE), frame(first, Buffer.from("ds:11:SET k value\0")), PING]),
);

export const cases: ListenerCases = {
  option: "ws",
  inputs: [
    UPGRADE,
    ...FRAMES,
    ...CONNECTIONS,
    Buffer.concat([Buffer.from(UPGRADE), frame(0xc2, Buffer.from("aa56050000ffff0300", "hex"))]),
  ],
  opening: [UPGRADE, "\r\n\r\n"],
  repeated: [PING.toString("latin1"), "hi"],
  users: null,
  text: null,
  clients: {},
};
