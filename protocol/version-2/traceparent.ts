/**
 * `traceparent` of W3C Trace Context: version, trace id, parent id and flags, 55 characters. Version `ff` and ids of
 * zeros are invalid.
 * Source: https://www.w3.org/TR/trace-context/.
 */
const TRACEPARENT = /^(?!ff)[\da-f]{2}-(?!0{32})[\da-f]{32}-(?!0{16})[\da-f]{16}-[\da-f]{2}$/;

export const isTraceparent = (value: unknown): value is string =>
  typeof value === "string" && TRACEPARENT.test(value);
