/**
 * Tests which pages may connect, according to what a browser sends, including what a hostile page could make it send.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { test } from "node:test";
import { isWelcome } from "../ws-listener.js";
import { openWs } from "./open-ws.js";
import { startWs, statusOf } from "./scene.js";

const LOCAL: readonly [origin: string | undefined, host: string | undefined, isIn: boolean][] = [
  [undefined, "127.0.0.1:1180", true],
  [undefined, undefined, true],
  ["http://localhost:8080", "127.0.0.1:1180", true],
  ["https://localhost", "localhost:1180", true],
  ["http://127.0.0.1:3000", "127.0.0.1:1180", true],
  ["http://[::1]:3000", "[::1]:1180", true],
  // A page of another site, with its true origin.
  ["https://evil.example", "127.0.0.1:1180", false],
  ["http://localhost.evil.example", "127.0.0.1:1180", false],
  ["http://127.0.0.1.evil.example", "127.0.0.1:1180", false],
  ["http://evil.example/?http://localhost", "127.0.0.1:1180", false],
  ["http://localhost@evil.example", "127.0.0.1:1180", false],
  // DNS rebinding: the page has made its own name resolve to this address.
  ["http://evil.example:1180", "evil.example:1180", false],
  ["http://localhost:8080", "evil.example:1180", false],
  // A file, or a frame that a hostile page has sandboxed.
  ["null", "127.0.0.1:1180", false],
  ["", "127.0.0.1:1180", false],
  ["file://", "127.0.0.1:1180", false],
  ["chrome-extension://abcdef", "127.0.0.1:1180", false],
  ["http://10.0.0.1", "127.0.0.1:1180", false],
];

for (const [origin, host, isAccepted] of LOCAL) {
  test(`on loopback without named sites: ${origin} with the host ${host} is ${isAccepted ? "accepted" : "refused"}`, () => {
    assert.equal(isWelcome({ origin, host }, [], "127.0.0.1"), isAccepted);
  });
}

test("on other addresses than loopback only pages of named sites are accepted", () => {
  const request = { origin: "http://localhost:8080", host: "localhost" };
  assert.equal(isWelcome(request, [], "10.0.0.1"), false);
  assert.equal(isWelcome({ origin: undefined, host: "10.0.0.1" }, [], "10.0.0.1"), true);
  const named = ["https://shop.example"];
  const from = (origin: string) => isWelcome({ origin, host: "ws.shop.example" }, named, "10.0.0.1");
  assert.deepEqual(
    ["https://shop.example", "https://SHOP.example", "http://shop.example", "https://shop.example:444"].map(
      from,
    ),
    [true, true, false, false],
  );
  assert.equal(from("https://a.shop.example"), false);
  // A list of named sites replaces the loopback default.
  assert.equal(isWelcome(request, named, "127.0.0.1"), false);
});

test("a page of another site receives 403, and is logged with its site", async () => {
  await using daemon = await startWs();
  assert.equal(await statusOf(daemon.wsPort, { origin: "https://evil.example" }), 403);
  const line = daemon.log.find(({ reason }) => reason === "wrong-origin");
  assert.equal(line?.["detail"], "https://evil.example");
  assert.equal(await statusOf(daemon.wsPort, { origin: "http://localhost:8080" }), 101);
  assert.equal(await statusOf(daemon.wsPort, {}), 101);
});

test("a named site may connect", async () => {
  await using daemon = await startWs({ ws: openWs({ wsOrigins: ["https://shop.example"] }) });
  assert.equal(await statusOf(daemon.wsPort, { origin: "https://shop.example" }), 101);
  assert.equal(await statusOf(daemon.wsPort, { origin: "http://localhost" }), 403);
});

for (const [title, request, status] of [
  ["a plain request", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", 426],
  [
    "an unknown version of WebSocket",
    "GET / HTTP/1.1\r\nhost: a\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
    400,
  ],
  ["bytes of no known protocol", "abcd:4:abcd\r\n\r\n", 400],
  ["a head that is too long", `GET / HTTP/1.1\r\nx: ${"x".repeat(9000)}\r\n\r\n`, 431],
] as const) {
  test(`${title} is answered with ${status}, and the connection is closed`, async () => {
    await using daemon = await startWs();
    const raw = connect(daemon.wsPort, "127.0.0.1");
    let answer = "";
    raw.on("data", (chunk) => (answer += chunk));
    raw.write(request);
    await once(raw, "close");
    assert.equal(answer.split(" ")[1], String(status));
  });
}

test("a client that sends nothing, or half a request, is disconnected after --idle-timeout", async () => {
  await using daemon = await startWs({ limits: { idleTimeout: 200 } });
  const raws = ["", "GET / HT"].map((bytes) => {
    const raw = connect(daemon.wsPort, "127.0.0.1").on("data", () => {});
    if (bytes !== "") raw.write(bytes);
    return raw;
  });
  await Promise.all(raws.map((raw) => once(raw, "close")));
});
