/** Why a connection is closed whatever is spoken on it: code → sentence. Programs have more codes than these. */
export const CONNECTION_REFUSALS = {
  "internal-error": {
    sentence: "Reading what a client sent failed by an error in this program: please report it.",
  },
  malformed: { sentence: "The bytes are not what the protocol says." },
  "answer-too-long": {
    sentence: "The answer, or all that a client has not taken, is longer than --max-output-bytes.",
  },
  "frame-unfinished": { sentence: "The client stopped sending in the middle of a frame." },
  "output-stuck": { sentence: "The client took none of its answer for --idle-timeout." },
  "tls-handshake": { sentence: "The TLS handshake failed." },
  "not-tls": {
    sentence:
      "The client speaks without TLS, and only TLS is taken here: write dbsyncs:// in its list of servers.",
  },
  "too-many-connections": {
    sentence: "--max-connections clients are connected, and this one had proved nothing.",
  },
  "too-much-buffered": {
    sentence:
      "All clients together are above --max-buffered-bytes, and this one holds most; or those that have proved nothing above --max-unproven-bytes.",
  },
} as const;

export type ConnectionRefusal = keyof typeof CONNECTION_REFUSALS;
