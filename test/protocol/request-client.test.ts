/**
 * Tests requests whose answers arrive in order: deadlines, partial answers, other messages between them, and reasons to
 * close a connection.
 */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { test } from "node:test";
import {
  type AnswerReader,
  ConnectionEnd,
  type EndCause,
  RequestClient,
  type RequestClientOptions,
} from "../../protocol/request-client.js";

class FakeSocket extends EventEmitter {
  written = "";
  isPaused = false;
  isDestroyed = false;

  write(bytes: string): void {
    this.written += bytes;
  }
  pause(): void {
    this.isPaused = true;
  }
  resume(): void {
    this.isPaused = false;
  }
  destroy(): void {
    this.isDestroyed = true;
  }
  say(text: string): void {
    this.emit("data", Buffer.from(text));
  }
}

/** A reader of answers, which end with a semicolon; "!" is invalid. */
class Reader implements AnswerReader<string> {
  problem: string | null = null;
  #text = "";

  get isMidAnswer(): boolean {
    return this.#text !== "";
  }

  push(chunk: Buffer): void {
    this.#text += chunk;
    if (this.#text.includes("?")) throw new Error("a fault of the reader");
    if (this.#text.includes("!")) this.problem = "no answer";
  }

  next(): string | null {
    const end = this.#text.indexOf(";");
    if (end < 0) return null;
    const answer = this.#text.slice(0, end);
    this.#text = this.#text.slice(end + 1);
    return answer;
  }
}

function scene(options: Partial<RequestClientOptions<string>> = {}) {
  const socket = new FakeSocket();
  const timers = new Set<() => void>();
  const ends: ConnectionEnd[] = [];
  const client = new RequestClient<string>({
    socket,
    reader: new Reader(),
    answerMs: 1000,
    setTimer(_, step) {
      timers.add(step);
      return () => void timers.delete(step);
    },
    ended: (end) => void ends.push(end),
    ...options,
  });
  return { socket, timers, ends, client };
}

const endsBy = (why: EndCause) => (problem: unknown) =>
  problem instanceof ConnectionEnd && problem.why === why;

test("answers are matched with requests in order, for any division into chunks", async () => {
  const { socket, client, timers } = scene();
  const answers = Promise.all([client.request("a"), client.request("b"), client.request("c")]);
  assert.equal(socket.written, "abc");
  for (const char of "one;two;three;") socket.say(char);
  assert.deepEqual(await answers, ["one", "two", "three"]);
  assert.deepEqual([client.pending, timers.size, client.end], [0, 0, null]);
});

test("each cause ends the connection once, and fails all waiting and later requests", async () => {
  const causes: readonly [EndCause, (socket: FakeSocket, timers: Set<() => void>) => void][] = [
    ["closed", (socket) => socket.emit("close")],
    ["broken", (socket) => socket.emit("error", Object.assign(new Error("reset"), { code: "ECONNRESET" }))],
    ["late", (_, timers) => [...timers].at(-1)?.()],
    ["malformed", (socket) => socket.say("!")],
    ["malformed", (socket) => socket.say("?")],
    ["unexpected", (socket) => socket.say("1;2;3;")],
  ];
  for (const [why, act] of causes) {
    const { socket, client, timers, ends } = scene();
    const all = Promise.allSettled([client.request("a"), client.request("b")]);
    act(socket, timers);
    socket.emit("close");
    const failed = (await all).filter(({ status }) => status === "rejected");
    assert.equal(failed.length, why === "unexpected" ? 0 : 2, why);
    assert.deepEqual([ends.length, ends[0]?.why, socket.isDestroyed, timers.size], [1, why, true, 0]);
    await assert.rejects(client.request("later"), endsBy(why));
  }
});

test("bytes without a request end the connection, unless they are an unrequested message", () => {
  const strict = scene();
  strict.socket.say("half");
  assert.equal(strict.client.end?.why, "unexpected");
  const messages: string[] = [];
  const { socket, client } = scene({
    hasMessages: true,
    handlesMessage: (answer) => answer.startsWith("m") && messages.push(answer) > 0,
  });
  socket.say("m1;m");
  socket.say("2;");
  assert.deepEqual([messages, client.end], [["m1", "m2"], null]);
});

test("parts of an answer arrive one by one, and a slow reader pauses the socket", async () => {
  const { socket, client } = scene();
  const parts = client.requestParts("a", (part) => part === "last");
  const first = parts.next();
  socket.say("1;".repeat(20));
  assert.equal(socket.isPaused, true);
  assert.equal((await first).value, "1");

  const read: string[] = [];
  const reading = (async () => {
    for await (const part of parts) read.push(part);
  })();
  for (let i = 0; i < 50; i++) await Promise.resolve();
  assert.equal(socket.isPaused, false);

  socket.say("last;");
  await reading;
  assert.deepEqual(read, [...Array.from({ length: 19 }, () => "1"), "last"]);
  assert.equal(client.end, null);
});

test("an answer that is not read to its end ends the connection", async () => {
  const { socket, client } = scene();
  const parts = client.requestParts("a", () => false);
  const first = parts.next();
  socket.say("1;");
  await first;
  await parts.return();
  assert.equal(client.end?.why, "dropped");
});

test("each answer restarts the time limit, and a limit of silence also restarts with each chunk", () => {
  for (const isSilence of [false, true]) {
    let begun = 0;
    const setTimer = () => {
      begun++;
      return () => {};
    };
    const { socket, client } = scene({ isSilence, setTimer });
    void client.request("a").catch(() => {});
    void client.request("b").catch(() => {});
    assert.equal(begun, 1);
    socket.say("on");
    assert.equal(begun, isSilence ? 2 : 1);
    socket.say("e;");
    assert.equal(begun, isSilence ? 4 : 2);
    client.close();
  }
});
