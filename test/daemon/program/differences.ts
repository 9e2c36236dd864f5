/**
 * Lists the differences between this daemon and php-dbsync's that test/vectors/php-dbsync shows. The table in
 * docs/protocol.md lists them in the same order. All other answers are equal, byte for byte.
 */

export interface OwnOutcome {
  /** All bytes of the response, one character each, or null if there is none. */
  readonly response: string | null;
  /** Whether the daemon closes the connection immediately. */
  readonly closed: boolean;
  /** A further command and its answer, if the response does not show the difference. */
  readonly afterwards?: readonly [command: string, value: string];
  /** The only backend with the difference. If it is absent, both backends have it. */
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
    original: "a nil or an empty array: the daemon sends nothing",
    ours: 'the daemon answers with a payload of one NUL, which means "no value"',
    php: "an empty string immediately, instead of null after 3 s",
    vectors: {
      "unsigned-get-missing": NO_VALUE,
      "unsigned-lrange-empty": NO_VALUE,
      "signed2048-get-missing": NO_VALUE,
    },
  },
  {
    original: "a command error: the daemon sends nothing, and the connection stays open",
    ours: "the daemon logs the error and closes the connection immediately",
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
    original: "in a debug build, one command ends the daemon",
    ours: "the command is unknown: the daemon closes the connection immediately and continues to run",
    php: "null immediately",
    vectors: { "debug-quit": { ...CLOSED, afterwards: ["PING", "PONG"] } },
  },
  {
    original: "a database does not answer: the daemon sends nothing, and the connection stays open",
    ours: "the daemon closes the connection immediately; earlier databases keep the write, as with the original",
    php: "null immediately, instead of after 3 s",
    vectors: { "second-database-down": CLOSED, "only-database-down": CLOSED },
  },
  {
    original: "without -d, the daemon uses Redis on 127.0.0.1:6379",
    ours: "it uses the database in memory, unless --compat php-dbsync is set",
    php: "the value",
    vectors: { "no-database-configured": value("PONG") },
  },
  {
    original: "an unknown type of database: the daemon accepts it and never answers",
    ours: "the daemon does not start, and prints the reason (exit code 2)",
    php: "null immediately: no server listens",
    vectors: { "unknown-database-type": CLOSED },
  },
  {
    original: "an array that contains nil, an integer or an array: the daemon crashes",
    ours: "the daemon joins the elements by line feeds, writes nil as an empty line, and flattens nested arrays",
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
    original: "SUBSCRIBE and similar commands: the daemon crashes",
    ours: "the daemon closes the connection immediately, because version 1 has only one answer for a request",
    php: "null immediately",
    vectors: { "hazard-subscribe": CLOSED },
  },
  {
    original:
      "a percent sign is a format character: the daemon crashes, stores unrelated memory, or turns two signs into one",
    ours: "a percent sign has no special meaning",
    php: "the value",
    vectors: {
      "hazard-percent-s": NO_VALUE,
      "hazard-percent-n": { ...value("OK"), afterwards: ["GET p1", "%d"] },
      "hazard-percent-percent": { ...value("OK"), afterwards: ["GET p2", "50%%"] },
    },
  },
  {
    original: "the daemon cuts a value at its first NUL",
    ours: "the daemon stores the complete value",
    php: "the complete value",
    vectors: { "hazard-get-binary": value("ab\0cd") },
  },
  {
    original: "a blocking command blocks the daemon and all its clients",
    ours: "redis: the daemon closes the connection after --backend-timeout, and no other client waits; memory: it answers immediately, as within MULTI",
    php: "null after --backend-timeout, at most 3 s; with memory, null immediately",
    vectors: {
      "hazard-blocking-command": [
        { ...CLOSED, only: "redis" },
        { ...NO_VALUE, only: "memory" },
      ],
    },
  },
  {
    original: "CONFIG and similar commands query the Redis server that the daemon uses",
    ours: "memory: there is no such server, so this is an error, and the daemon closes the connection immediately",
    php: "null immediately",
    vectors: { "hazard-array-with-newline": { ...CLOSED, only: "memory" } },
  },
  {
    original: "an empty command, or one of spaces only: the daemon hangs permanently",
    ours: "the daemon closes the connection immediately",
    php: "null immediately",
    vectors: { "blank-command": CLOSED, "empty-command": CLOSED },
  },
  {
    original:
      "a payload without its NUL (also a signed frame to a daemon without a key): " +
      "the daemon ignores it until the idle limit",
    ours: "the daemon closes the connection immediately",
    php: "null immediately, instead of after 3 s",
    vectors: { "no-trailing-nul": CLOSED, "length-zero": CLOSED, "signed-to-plain-daemon": CLOSED },
  },
  {
    original: "a length of ten digits above 2^31: the daemon takes it modulo 2^32",
    ours: "the length is above --max-request-bytes: the daemon closes the connection immediately",
    php: "never sent by the extension",
    vectors: { "length-int-overflow": CLOSED },
  },
  {
    original: "a browser's request (HTTP): the daemon closes the connection without an answer",
    ours: "the daemon answers with HTTP status 400 and the options that serve browsers, and closes the connection",
    php: "never sent by the extension",
    vectors: { "garbage-http": { response: NO_HTTP_HERE, closed: true } },
  },
  {
    original: "fewer than five bytes of garbage: the daemon waits for more",
    ours: "the daemon closes the connection at the first byte that cannot belong to a frame",
    php: "never sent by the extension",
    vectors: { "garbage-short": CLOSED },
  },
  {
    original:
      "the client closes its sending side after a complete frame: the daemon usually drops the command without executing it",
    ours: "the daemon executes the command, answers, and closes the connection",
    php: "never done by the extension",
    vectors: { "complete-then-halfclose": { response: answer("PONG"), closed: true } },
  },
  {
    original: "two frames in one segment: the daemon closes the connection and executes neither",
    ours: "the daemon treats them as two requests and sends two answers, in order",
    php: "never sent by the extension",
    vectors: { "two-frames-one-segment": { response: answer("1") + answer("2"), closed: false } },
  },
  {
    original: "the daemon cuts a request frame of 10240 bytes or more without an error",
    ours: "the daemon executes the command, up to --max-request-bytes",
    php: "the value",
    vectors: {
      "frame-10240-bytes": value("OK"),
      "frame-10241-bytes": value("OK"),
      "frame-11264-bytes": value("OK"),
    },
  },
];

/** Returns this daemon's outcome of a vector for a backend, or null if it is the same as php-dbsync's. */
export function differenceOf(name: string, backend: "memory" | "redis"): OwnOutcome | null {
  for (const { vectors } of differences) {
    const outcome = vectors[name];
    if (outcome === undefined) continue;
    const outcomes: readonly OwnOutcome[] = "closed" in outcome ? [outcome] : outcome;
    return outcomes.find(({ only }) => only === undefined || only === backend) ?? null;
  }
  return null;
}
