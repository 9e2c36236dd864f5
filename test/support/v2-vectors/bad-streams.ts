/** Streams that are not frames of version 2, and frames whose payload is not a message. */
import { cluster, frame, NOW, raw, resp } from "./scene.js";
import type { BadVector } from "./vector.js";

const HELLO = ["hello", "2", "", "", String(NOW), "", "client", "", ""];

/** Returns a valid hello with one element changed. */
function helloWith(index: number, value: string): Buffer {
  return resp(HELLO.map((element, at) => (at === index ? value : element)));
}

/** The name of each vector, its bytes, and a note. */
const STREAMS: readonly (readonly [string, Buffer, string])[] = [
  ["frame-no-length", raw("ds2::"), "a length without digits"],
  ["frame-length-leading-zero", raw("ds2:05:hello"), "not canonical"],
  ["frame-length-two-zeros", raw("ds2:00:"), "not canonical"],
  ["frame-length-plus", raw("ds2:+5:hello"), "only version 1 accepts this length"],
  ["frame-length-blank", raw("ds2: 5:hello"), "only version 1 accepts this length"],
  ["frame-length-minus", raw("ds2:-5:hello"), "a sign"],
  ["frame-length-hexadecimal", raw("ds2:0x5:hello"), "not decimal"],
  ["frame-length-blank-behind", raw("ds2:5 :hello"), "a space before the colon"],
  ["frame-length-eleven-digits", raw("ds2:10000000000:"), "no frame is that long"],
  ["frame-above-limit", raw("ds2:67108865:"), "64 MiB and one byte, refused when announced"],
  ["frame-surplus", Buffer.concat([frame(resp(HELLO)), raw("x")]), "not a frame after an answered hello"],
  [
    "frame-version-1-later",
    Buffer.concat([frame(resp(HELLO)), raw("ds:5:PING\0")]),
    "the first frame, an answered hello, has determined the version of the connection",
  ],
];

/** Streams that do not determine the version. The daemon sends nothing, as in version 1. */
const SILENT: readonly (readonly [string, Buffer, string])[] = [
  ["frame-tag-other", raw("dx2:5:hello"), "not a frame of any version"],
  ["frame-tag-capitals", raw("DS2:5:hello"), "not a frame of any version"],
  ["frame-tag-version-3", raw("ds3:5:hello"), "a version that does not exist"],
];

const PAYLOADS: readonly (readonly [string, Buffer, string])[] = [
  ["message-empty", raw(""), "an empty frame"],
  ["message-inline", raw("PING\r\n"), "RESP's inline commands are not accepted"],
  ["message-status", raw("+hello\r\n"), "not an array"],
  ["message-empty-array", raw("*0\r\n"), "no name"],
  ["message-nil-array", raw("*-1\r\n"), "not an array"],
  ["message-nested-name", resp([["hello"]]), "the name is an array"],
  ["message-unknown", resp(["goodbye"]), "no such message"],
  ["message-capitals", resp(["HELLO", ...HELLO.slice(1)]), "names must be in lower case"],
  ["message-of-daemons", resp(["refused", "", "skew", "", "0", "unknown"]), "only daemons send this message"],
  ["message-count-leading-zero", raw("*03\r\n$7\r\ncommand\r\n$0\r\n\r\n$0\r\n\r\n"), "not canonical"],
  [
    "message-count-without-elements",
    raw("*3\r\n$7\r\ncommand\r\n$0\r\n\r\n"),
    "one element fewer than announced",
  ],
  ["message-line-feed-alone", raw("*3\n$7\ncommand\n$0\n\n$0\n\n"), "lines end with CR LF"],
  ["message-bytes-behind", Buffer.concat([resp(HELLO), raw("\r\n")]), "nothing may follow the array"],
  ["command-without-signature", resp(["command", "body"]), "two elements"],
  ["command-of-four", resp(["command", "body", "signature", ""]), "four elements"],
  ["command-body-integer", raw("*3\r\n$7\r\ncommand\r\n:1\r\n$0\r\n\r\n"), "a bulk string is required"],
  ["command-body-nil", raw("*3\r\n$7\r\ncommand\r\n$-1\r\n$0\r\n\r\n"), "nil is not a bulk string"],
  [
    "command-body-length-leading-zero",
    raw("*3\r\n$7\r\ncommand\r\n$04\r\nbody\r\n$0\r\n\r\n"),
    "not canonical",
  ],
  [
    "command-body-too-long",
    raw("*3\r\n$7\r\ncommand\r\n$99\r\nbody\r\n$0\r\n\r\n"),
    "longer than the payload",
  ],
  [
    "command-body-too-short",
    raw("*3\r\n$7\r\ncommand\r\n$3\r\nbody\r\n$0\r\n\r\n"),
    "no CR LF where the bulk string should end",
  ],
  ["hello-no-versions", helloWith(1, ""), "no version"],
  ["hello-versions-zero", helloWith(1, "0 2"), "versions are counted from 1"],
  ["hello-versions-comma", helloWith(1, "1,2"), "versions are separated by spaces"],
  ["hello-daemon-short", helloWith(2, "x".repeat(31)), "32 bytes or none"],
  ["hello-cluster-hexadecimal", helloWith(3, cluster.toString("hex")), "raw bytes are required"],
  ["hello-clock-empty", helloWith(4, ""), "a number is required"],
  ["hello-clock-fraction", helloWith(4, `${NOW}.5`), "whole milliseconds"],
  ["hello-clock-too-high", helloWith(4, "9007199254740992"), "2^53 is one above the maximum"],
  ["hello-state-unknown", helloWith(5, "dead"), "no such state"],
  ["hello-role-unknown", helloWith(6, "proxy"), "no such role"],
  ["hello-members-leading-zero", helloWith(7, "02"), "not canonical"],
  ["hello-members-too-high", helloWith(7, "10000"), "a number above the maximum"],
  ["hello-knows-two-spaces", helloWith(8, "listen  trace"), "capabilities are separated by one space"],
  ["hello-knows-capitals", helloWith(8, "LISTEN"), "capabilities are in lower case"],
];

/** Hellos of releases that this one cannot speak with. */
const OTHER_HELLOS: readonly (readonly [string, Buffer, string])[] = [
  ["hello-of-one", resp(HELLO.slice(0, 1)), "elements are missing"],
  ["hello-of-eight", resp(HELLO.slice(0, 8)), "an element is missing"],
  ["hello-of-ten", resp([...HELLO, ""]), "an element is not known"],
  ["hello-protocol-1", helloWith(1, "1"), "version 1 has no hello"],
  ["hello-protocol-3", helloWith(1, "3"), "a version that does not exist"],
];

export function badStreams(): BadVector[] {
  const vector = (
    stage: "frame" | "message",
    code: string | null,
    name: string,
    stream: Buffer,
    note: string,
  ) => ({
    name,
    stage,
    code,
    note,
    stream: stream.toString("hex"),
  });
  return [
    ...STREAMS.map(([name, stream, note]) => vector("frame", "malformed", name, stream, note)),
    ...SILENT.map(([name, stream, note]) => vector("frame", null, name, stream, note)),
    ...PAYLOADS.map(([name, payload, note]) => vector("message", "malformed", name, frame(payload), note)),
    ...OTHER_HELLOS.map(([name, payload, note]) =>
      vector("message", "other-protocol", name, frame(payload), note),
    ),
  ];
}
