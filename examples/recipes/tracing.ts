/** Records calls as spans of OpenTelemetry. Each span is a child of the span that is active when the call is made. */
import { tracingChannel } from "node:diagnostics_channel";
import type { CallMessage } from "dbsyncd";

/** The required part of OpenTelemetry's `Span`. */
export interface Span {
  spanContext(): { readonly traceId: string; readonly spanId: string; readonly traceFlags: number };
  recordException(reason: Error): unknown;
  setStatus(status: { code: number; message?: string }): unknown;
  end(): void;
}

/** The required part of OpenTelemetry's `Tracer`. `trace.getTracer("shop")` returns a tracer. */
export interface Tracer {
  startSpan(
    name: string,
    options: { kind: number; attributes: Readonly<Record<string, string | string[]>> },
  ): Span;
}

/** OpenTelemetry's `SpanKind.CLIENT` and `SpanStatusCode.ERROR`. */
const CLIENT = 2;
const ERROR = 2;

/** Begins to trace all clients of the process. Returns a function that stops the tracing. */
export function traceCalls(tracer: Tracer): () => void {
  const calls = tracingChannel<unknown, CallMessage>("dbsync:call");
  const spans = new WeakMap<object, Span>();
  const subscribers = {
    start(call: CallMessage) {
      const [operation = ""] = call.command.split(" ");
      const attributes = {
        "db.system.name": "dbsync",
        "db.operation.name": operation,
        "db.query.summary": call.command,
        "dbsync.servers": [...call.servers],
      };
      const span = tracer.startSpan(operation, { kind: CLIENT, attributes });
      spans.set(call, span);
      const { traceId, spanId, traceFlags } = span.spanContext();
      call.traceparent = `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, "0")}`;
    },
    error(call: CallMessage) {
      const reason = call.error as Error;
      spans.get(call)?.recordException(reason);
      spans.get(call)?.setStatus({ code: ERROR, message: reason.message });
    },
    asyncEnd: (call: CallMessage) => spans.get(call)?.end(),
    end() {},
    asyncStart() {},
  };
  calls.subscribe(subscribers);
  return () => void calls.unsubscribe(subscribers);
}
