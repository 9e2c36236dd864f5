/** The reasons for closing a connection, and the log of closed connections. */
import type { Logger } from "pino";
import type { Environment } from "../process/clock-and-randomness.js";
import { LogThrottle } from "../process/log-throttle.js";

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

/** The maximum number of lines for one reason in a period, and the period in milliseconds. Further ones are counted. */
const LINES_MAX = 20;
const PERIOD_MS = 10_000;

interface RefusalDetails {
  /** The client's address and port. */
  readonly remote: string;
  /** What is particular to this refusal, for people. */
  readonly detail: string;
  /** The key that an envelope names, in hexadecimal digits, and its label if it is known. */
  readonly key?: string;
  readonly label?: string;
  /** The number of bytes in the connection's stream before the first invalid one. */
  readonly offset?: number;
}

/** Sentences by code. */
export type RefusalSentences = Readonly<Record<string, { readonly sentence: string }>>;

/** The log of the reasons for closing connections, with a limited number of lines for each reason and period. */
export class RefusalLog {
  readonly #refusals: RefusalSentences;
  readonly #throttle: LogThrottle;

  /** @param refusals  the sentences of all codes of the program */
  constructor(log: Logger, { uptime }: Environment, refusals: RefusalSentences) {
    this.#refusals = refusals;
    this.#throttle = new LogThrottle({ log, uptime, periodMs: PERIOD_MS, lines: LINES_MAX });
  }

  /** Writes one line at level warn, or only counts the refusal. A code without a sentence is its own sentence. */
  logRefusal(code: string, details: RefusalDetails): void {
    this.#throttle.warn(code, { reason: code, ...details }, this.#refusals[code]?.sentence ?? code);
  }
}
