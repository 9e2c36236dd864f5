/**
 * Tests the spans of calls. Each span is a child of the span that was active at the time of the call, and contains the
 * outcome of the call.
 */
import assert from "node:assert/strict";
import { AsyncLocalStorage } from "node:async_hooks";
import { tracingChannel } from "node:diagnostics_channel";
import { test } from "node:test";
import { createClient } from "../../../client/public-api.js";
import { type Span, type Tracer, traceCalls } from "../../../examples/recipes/tracing.js";
import { startDaemonHere } from "../../support/daemon-here.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { refusingAddress } from "../../support/free-port.js";

interface RecordedSpan {
  readonly name: string;
  readonly parent: string | undefined;
  readonly attributes: Readonly<Record<string, string | string[]>>;
  readonly problems: string[];
  isEnded: boolean;
}

/** Creates a tracer that stores its spans. The active span is in `active`, as in OpenTelemetry's context manager. */
function recordingTracer() {
  const active = new AsyncLocalStorage<string>();
  const spans: RecordedSpan[] = [];
  const tracer: Tracer = {
    startSpan(name, { attributes }): Span {
      const span: RecordedSpan = {
        name,
        attributes,
        parent: active.getStore(),
        problems: [],
        isEnded: false,
      };
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

test("each call is a child span of the active span, with the command's name and key but no values", async () => {
  const { active, spans, tracer } = recordingTracer();
  const key = makeKeyPair();
  await using daemon = await startDaemonHere(["-s", key.file]);
  await using client = createClient({ servers: `127.0.0.1:${daemon.port}`, key: key.privateKey });

  const stop = traceCalls(tracer);
  await active.run("one", () => client.call(["SET", "greeting", "secret"]));
  await active.run("two", () => Promise.all([client.send("GET greeting"), client.sendAll("INCR visits")]));
  await active.run("three", () => client.multi(["INCR visits", "INCR visits"]));
  await assert.rejects(active.run("four", () => client.call(["LPUSH", "greeting", "secret"])));

  stop();
  await client.call("GET greeting");

  const summaries = spans.map(({ parent, attributes }) => `${parent}: ${attributes["db.query.summary"]}`);
  assert.deepEqual(summaries, [
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

test("a value that a subscriber binds to the start of a call is active in the call, and an invalid option is an error of the call", async () => {
  const bound = new AsyncLocalStorage<unknown>();
  const calls = tracingChannel<unknown, object>("dbsync:call");
  const activeValues: unknown[] = [];
  const note = () => activeValues.push(bound.getStore());
  const subscribers = { start: note, end: note, asyncStart() {}, asyncEnd() {}, error() {} };
  calls.start.bindStore(bound, () => "span");
  calls.subscribe(subscribers);
  await using client = createClient({ servers: await refusingAddress(), key: false });
  await assert.rejects(client.call("GET k", { timeout: -1 }), /timeout/);
  calls.unsubscribe(subscribers);
  calls.start.unbindStore(bound);
  assert.deepEqual(activeValues, ["span", "span"]);
});
