/**
 * A dead letter as a line of JSON, from the daemon's program to the client that started it: ids hexadecimal, bytes base64, times
 * milliseconds since 1970.
 */

export interface ToldLetter {
  readonly id: string;
  readonly at: number;
  /** Why it was let go. */
  readonly reason: "missing" | "possible" | "unknown-key" | "evicted";
  /**
   * `undecided`: its daemon was stopped while it took a snapshot over, and its next start decides. `begun`: it was written again, or
   * not: the program was stopped, or no daemon said.
   */
  readonly state: "waiting" | "undecided" | "begun" | "written";
  /** When it was begun or written; null: neither. */
  readonly since: number | null;
  readonly file: string;
  /** Bytes that it takes. */
  readonly bytes: number;
  /** null: its bytes are damaged. */
  readonly envelope: ToldEnvelope | null;
}

export interface ToldEnvelope {
  readonly signer: string;
  readonly as: string | null;
  readonly db: number;
  readonly multi: boolean;
  /** `writer` empty: the key was to be absent. */
  readonly conditions: readonly { readonly db: number; readonly key: string; readonly writer: string }[];
  /** Number of commands. */
  readonly count: number;
  /** In brief: the beginning of the first alone. */
  readonly commands: readonly (readonly string[])[];
}

/** What cannot be read of a file of letters: the last bytes of it. */
export interface ToldUnread {
  readonly unread: string;
  readonly bytes: number;
}

/** What became of a letter that was handed over; `unknown`: no daemon said so for certain. */
export interface LetterOutcome {
  readonly outcome: "written" | "unwritten" | "unknown";
}

/** What became of what a daemon had taken that was left out; held: by the members. forgotten: too old to be told. */
export type Fate = "held" | "undecided" | "dead-letter" | "forgotten";

/** What is to be asked of members: places in hexadecimal, of what the daemon of that id holds. */
export interface FateQuestion {
  readonly daemon: string;
  readonly places: readonly string[];
}

/** A fate for each place that was asked for. */
export interface FateAnswer {
  readonly fates: readonly Fate[];
}

/** What came of all questions. */
export interface FoundFates {
  /** Letters that are new. */
  readonly kept: number;
  /** Pages of the folder that cannot be read: what they hold is not known. */
  readonly unread: number;
  readonly fates: Readonly<Record<Fate, number>>;
}
