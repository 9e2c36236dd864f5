/** The reasons for closing a connection that do not depend on the protocol, by code. Programs have further codes. */
export const CONNECTION_REFUSALS = {
  "internal-error": {
    sentence: "Parsing a client's bytes failed because of an error in this program: please report it.",
  },
  malformed: { sentence: "The bytes do not conform to the protocol." },
  "answer-too-long": {
    sentence: "The answer, or the total that a client has not read, is longer than --max-output-bytes.",
  },
  "frame-unfinished": { sentence: "The client stopped sending in the middle of a frame." },
  "output-stuck": { sentence: "The client read none of its answer for --idle-timeout." },
  "tls-handshake": { sentence: "The TLS handshake failed." },
  "not-tls": {
    sentence:
      "The client does not use TLS, and this port accepts only TLS: write dbsyncs:// in its list of servers.",
  },
  "too-many-connections": {
    sentence: "--max-connections clients are connected, and this one was not authenticated.",
  },
  "too-much-buffered": {
    sentence:
      "All clients together exceed --max-buffered-bytes, and this one holds most; or the unauthenticated ones exceed --max-unproven-bytes.",
  },
} as const;

export type ConnectionRefusal = keyof typeof CONNECTION_REFUSALS;
