/**
 * Lists the differences of this daemon from php-dbsync's that test/vectors/php-dbsync shows. The table of
 * docs/protocol.md lists them in the same order. All other answers are equal, byte for byte.
 */

export interface OwnOutcome {
  /** All bytes of the response, one character each; null: none. */
  readonly response: string | null;
  /** Whether the daemon closes the connection immediately. */
  readonly closed: boolean;
  /** A further command and its answer, if the response does not show the difference. */
  readonly afterwards?: readonly [command: string, value: string];
  /** The only backend with the difference; absent: both. */
  readonly only?: "memory" | "redis";
}

export interface Difference {
  readonly original: string;
  readonly ours: string;
  /** The result that a caller of the original PHP extension receives from this daemon. */
  readonly php: string;
  readonly vectors: Readonly<Record<string, OwnOutcome | readonly OwnOutcome[]>>;
}

const CLOSED: OwnOutcome = { response: null, closed: true };
const NO_VALUE: OwnOutcome = { response: "ds:1:\0", closed: false };
const chunk = (value: string) => `redis:${value.length + 1}:${value}\0`;
const answer = (value: string) => `ds:${chunk(value).length}:${chunk(value)}`;
const value = (text: string): OwnOutcome => ({ response: answer(text), closed: false });

const NO_HTTP_TEXT =
  "this port serves dbsync's protocol (--port), and this is a browser or another HTTP client; --admin serves the dashboard, and --ws serves web pages that send commands\n";
const NO_HTTP_HERE =
  "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n" +
  `Connection: close\r\nContent-Length: ${NO_HTTP_TEXT.length}\r\n\r\n${NO_HTTP_TEXT}`;

export const differences: readonly Difference[] = [
  {
    original: "nil and empty array: nothing is sent",
    ours: 'answered: a payload of one NUL, "no value"',
    php: "an empty string immediately, instead of null after 3 s",
    vectors: {
      "unsigned-get-missing": NO_VALUE,
      "unsigned-lrange-empty": NO_VALUE,
      "signed2048-get-missing": NO_VALUE,
    },
  },
  {
    original: "command error: nothing is sent, the connection stays open",
    ours: "closed immediately; the log has the error",
    php: "null immediately, instead of after 3 s",
    vectors: {
      "unsigned-quoted-two-words": CLOSED,
      "unsigned-unknown-command": CLOSED,
      "unsigned-wrongtype": CLOSED,
      "signed2048-unknown-command": CLOSED,
      "hazard-auth": CLOSED,
      "debug-prefix-on-release-build": CLOSED,
    },
  },
  {
    original: "debug build: one command ends the daemon",
    ours: "an unknown command: closed immediately, the daemon continues to run",
    php: "null immediately",
    vectors: { "debug-quit": { ...CLOSED, afterwards: ["PING", "PONG"] } },
  },
  {
    original: "a database does not answer: nothing is sent, the connection stays open",
    ours: "closed immediately; earlier databases keep the write, as in the original",
    php: "null immediately, instead of after 3 s",
    vectors: { "second-database-down": CLOSED, "only-database-down": CLOSED },
  },
  {
    original: "no -d option: Redis on 127.0.0.1:6379",
    ours: "the database in memory, unless --compat php-dbsync",
    php: "the value",
    vectors: { "no-database-configured": value("PONG") },
  },
  {
    original: "unknown database type: accepted, never answered",
    ours: "the daemon does not start and says why (exit code 2)",
    php: "null immediately: no server listens",
    vectors: { "unknown-database-type": CLOSED },
  },
  {
    original: "array that holds nil, an integer or an array: the daemon dies",
    ours: "answered: elements joined by line feeds, nil as an empty line, nested arrays flattened",
    php: "the value",
    vectors: {
      "hazard-nested-array": value("0\nhere"),
      "hazard-mget-with-missing": value("1\n"),
      "hazard-integer-array": [
        { ...value("1\n2"), only: "redis" },
        { ...CLOSED, only: "memory" },
      ],
    },
  },
  {
    original: "SUBSCRIBE and similar commands: the daemon dies",
    ours: "closed immediately: version 1 has one answer for a request",
    php: "null immediately",
    vectors: { "hazard-subscribe": CLOSED },
  },
  {
    original: "a percent sign is a format character: the daemon dies, stores stray memory or halves the sign",
    ours: "only a character",
    php: "the value",
    vectors: {
      "hazard-percent-s": NO_VALUE,
      "hazard-percent-n": { ...value("OK"), afterwards: ["GET p1", "%d"] },
      "hazard-percent-percent": { ...value("OK"), afterwards: ["GET p2", "50%%"] },
    },
  },
  {
    original: "a value is cut at its first NUL",
    ours: "stored completely",
    php: "the complete value",
    vectors: { "hazard-get-binary": value("ab\0cd") },
  },
  {
    original: "a blocking command blocks the daemon and all its clients",
    ours: "redis: closed after --backend-timeout, no other client waits; memory: answered immediately, as within MULTI",
    php: "null after --backend-timeout, at most 3 s; with memory null immediately",
    vectors: {
      "hazard-blocking-command": [
        { ...CLOSED, only: "redis" },
        { ...NO_VALUE, only: "memory" },
      ],
    },
  },
  {
    original: "CONFIG and similar commands query the Redis server that the daemon uses",
    ours: "memory: there is no such server, an error, closed immediately",
    php: "null immediately",
    vectors: { "hazard-array-with-newline": { ...CLOSED, only: "memory" } },
  },
  {
    original: "empty or blank command: the daemon hangs forever",
    ours: "closed immediately",
    php: "null immediately",
    vectors: { "blank-command": CLOSED, "empty-command": CLOSED },
  },
  {
    original:
      "a payload without its NUL (also a signed frame to a daemon without a key): " +
      "ignored until the idle limit",
    ours: "closed immediately",
    php: "null immediately, instead of after 3 s",
    vectors: { "no-trailing-nul": CLOSED, "length-zero": CLOSED, "signed-to-plain-daemon": CLOSED },
  },
  {
    original: "a length of ten digits above 2^31 is taken modulo 2^32",
    ours: "above --max-request-bytes: closed immediately",
    php: "never sent by the extension",
    vectors: { "length-int-overflow": CLOSED },
  },
  {
    original: "a request of a browser (HTTP): closed, nothing is sent",
    ours: "answered in HTTP, 400 and the options that serve browsers, and closed",
    php: "never sent by the extension",
    vectors: { "garbage-http": { response: NO_HTTP_HERE, closed: true } },
  },
  {
    original: "fewer than five bytes of garbage: waits for more",
    ours: "closed at the first byte that no frame has",
    php: "never sent by the extension",
    vectors: { "garbage-short": CLOSED },
  },
  {
    original: "the client half-closes after a complete frame: mostly dropped, not executed",
    ours: "executed and answered, then closed",
    php: "never done by the extension",
    vectors: { "complete-then-halfclose": { response: answer("PONG"), closed: true } },
  },
  {
    original: "two frames in one segment: closed, neither executed",
    ours: "two requests, two answers, in order",
    php: "never sent by the extension",
    vectors: { "two-frames-one-segment": { response: answer("1") + answer("2"), closed: false } },
  },
  {
    original: "a request frame of 10240 bytes or more is cut without an error",
    ours: "executed, up to --max-request-bytes",
    php: "the value",
    vectors: {
      "frame-10240-bytes": value("OK"),
      "frame-10241-bytes": value("OK"),
      "frame-11264-bytes": value("OK"),
    },
  },
];

/**
 * Returns this daemon's outcome of a vector for a backend if it differs from php-dbsync's; null: it does not differ.
 */
export function differenceOf(name: string, backend: "memory" | "redis"): OwnOutcome | null {
  for (const { vectors } of differences) {
    const outcome = vectors[name];
    if (outcome === undefined) continue;
    const outcomes: readonly OwnOutcome[] = "closed" in outcome ? [outcome] : outcome;
    return outcomes.find(({ only }) => only === undefined || only === backend) ?? null;
  }
  return null;
}
