/**
 * Makes calls as OpenTelemetry spans with examples/recipes/tracing.ts. Arguments: the compiled recipe, the client, the
 * port, the key.
 */
import assert from "node:assert/strict";
import { context, trace } from "@opentelemetry/api";
import { AsyncLocalStorageContextManager } from "@opentelemetry/context-async-hooks";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";

const [recipe, entry, port, key] = process.argv.slice(2);
const { traceCalls } = await import(recipe);
const { createClient } = await import(entry);
const exporter = new InMemorySpanExporter();
const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
trace.setGlobalTracerProvider(provider);
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
const tracer = trace.getTracer("shop");
traceCalls(tracer);

const client = createClient({ servers: `127.0.0.1:${port}`, key });
await tracer.startActiveSpan("order", async (order) => {
  await client.call(["SET", "greeting", "hello"]);
  await client.call(["LPUSH", "greeting", "hello"]).catch(() => {});
  order.end();
});
await client.close();

const spans = exporter.getFinishedSpans();
const order = spans.find(({ name }) => name === "order");
const calls = spans.filter(({ name }) => name !== "order");
assert.deepEqual(
  calls.map(({ name }) => name),
  ["SET", "LPUSH"],
);
for (const call of calls) {
  assert.equal(call.parentSpanContext.spanId, order.spanContext().spanId);
  assert.equal(call.spanContext().traceId, order.spanContext().traceId);
}
assert.equal(calls[0].attributes["db.query.summary"], "SET greeting");
assert.deepEqual(
  calls.map(({ status }) => status.code),
  [0, 2],
);
