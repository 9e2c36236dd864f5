/** Calls as spans: each a child of the span that was active when it was made, with its outcome. */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { tracingChannel } from "node:diagnostics_channel";
import { test } from "node:test";
import { createClient } from "../../../client/entry.js";
import { type Span, type Tracer, traceCalls } from "../../../examples/recipes/tracing.js";
import { startDaemon } from "../../support/daemon-process.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { refusingAddress } from "../../support/free-port.js";

interface Told {
  readonly name: string;
  readonly parent: string | undefined;
  readonly attributes: Readonly<Record<string, string | string[]>>;
  readonly problems: string[];
  isEnded: boolean;
}

/** Makes a tracer that stores its spans, with the active span in `active`, as in OpenTelemetry's context manager. */
function keepingTracer() {
  const active = new AsyncLocalStorage<string>();
  const spans: Told[] = [];
  const tracer: Tracer = {
    startSpan(name, { attributes }): Span {
      const span: Told = { name, attributes, parent: active.getStore(), problems: [], isEnded: false };
      spans.push(span);
      return {
        spanContext: () => ({ traceId: "ab".repeat(16), spanId: "cd".repeat(8), traceFlags: 1 }),
        recordException: ({ message }) => span.problems.push(message),
        setStatus: ({ code }) => span.problems.push(`status ${code}`),
        end: () => (span.isEnded = true),
      };
    },
  };
  return { active, spans, tracer };
}

test("each call is a span below the one that is active, with the command's name and key and no value", async () => {
  const { active, spans, tracer } = keepingTracer();
  const key = makeKeyPair();
  await using daemon = await startDaemon(["-s", key.file]);
  await using client = createClient({ servers: `127.0.0.1:${daemon.port}`, key: key.privateKey });
  const stop = traceCalls(tracer);
  await active.run("one", () => client.call(["SET", "greeting", "secret"]));
  await active.run("two", () => Promise.all([client.send("GET greeting"), client.sendAll("INCR visits")]));
  await active.run("three", () => client.multi(["INCR visits", "INCR visits"]));
  await assert.rejects(active.run("four", () => client.call(["LPUSH", "greeting", "secret"])));
  stop();
  await client.call("GET greeting");
  const told = spans.map(({ parent, attributes }) => `${parent}: ${attributes["db.query.summary"]}`);
  assert.deepEqual(told, [
    "one: SET greeting",
    "two: GET greeting",
    "two: INCR visits",
    "three: INCR visits and 1 more",
    "four: LPUSH greeting",
  ]);
  assert.ok(spans.every(({ isEnded }) => isEnded));
  assert.deepEqual(spans[0]?.attributes["dbsync.servers"], [`127.0.0.1:${daemon.port}`]);
  const [problem = "", status] = spans[4]?.problems ?? [];
  assert.match(problem, /WRONGTYPE/);
  assert.doesNotMatch(problem, /secret/);
  assert.equal(status, "status 2");
  assert.deepEqual(
    spans.slice(0, 4).flatMap(({ problems }) => problems),
    [],
  );
});

test("what a subscriber binds to a call's start is active in the call, and a bad option is an error of the call", async () => {
  const bound = new AsyncLocalStorage<unknown>();
  const calls = tracingChannel<unknown, object>("dbsync:call");
  const seen: unknown[] = [];
  const note = () => seen.push(bound.getStore());
  const subscribers = { start: note, end: note, asyncStart() {}, asyncEnd() {}, error() {} };
  calls.start.bindStore(bound, () => "span");
  calls.subscribe(subscribers);
  await using client = createClient({ servers: await refusingAddress(), key: false });
  await assert.rejects(client.call("GET k", { timeout: -1 }), /timeout/);
  calls.unsubscribe(subscribers);
  calls.start.unbindStore(bound);
  assert.deepEqual(seen, ["span", "span"]);
});
