/** One write of the crash test: its commands, and the outcome that its client received. */
import { type Client, DbsyncError } from "../../../client/public-api.js";
import type { SeededRandom } from "../../support/seeded-random.js";

/**
 * The outcome of a write. `replicated`: two daemons have it on disk. `acknowledged`: one daemon has it on disk.
 * `unknown`: it may have been applied. `not-applied`: it will certainly never be applied.
 */
export type Outcome = "replicated" | "acknowledged" | "unknown" | "not-applied";

export interface Write {
  /** A name that is unique to this write. */
  readonly token: string;
  readonly waits: boolean;
  /** Whether the write sets a key named by the token. */
  readonly sets: boolean;
  /** The shared counter that the write increments, or "". */
  readonly counter: string;
  /** The shared list to which the write adds the token, or "". */
  readonly list: string;
  /** The shared key that the write sets to the token if it is absent, or "". The members decide on this. */
  readonly claim: string;
}

/**
 * A write with its outcome. `why` contains the code and the stages at which daemons failed, or "" if the write was
 * acknowledged.
 */
export type ReportedWrite = Write & { readonly outcome: Outcome; readonly why: string };

const COUNTERS = 4;
const LISTS = 4;
/** The approximate number of elements per list. */
const LIST_WRITES = 1000;
/** The number of claims that writers compete for at a time, and the approximate number of writes for which they do. */
const CLAIMS = 4;
const CLAIM_WRITES = 50;
const WAITS = 0.3;

export function makeWrite(random: SeededRandom, writer: number, number: number): Write {
  const token = `w${writer}:${number}`;
  const counter = `counter:${random.below(COUNTERS)}`;
  const list = `list:${Math.floor(number / LIST_WRITES)}:${random.below(LISTS)}`;
  const claim = `claim:${Math.floor(number / CLAIM_WRITES)}:${random.below(CLAIMS)}`;
  const waits = random.chance(WAITS);
  const none = { token, waits, sets: false, counter: "", list: "", claim: "" };
  switch (random.below(5)) {
    case 0:
      return { ...none, sets: true };
    case 1:
      return { ...none, counter };
    case 2:
      return { ...none, list };
    case 3:
      return { ...none, waits: false, claim };
    default:
      return { ...none, sets: true, counter, list };
  }
}

/** Returns the commands of a write, which form one unit. */
export function commandsOf({ token, sets, counter, list, claim }: Write): string[][] {
  return [
    ...(sets ? [["SET", token, token]] : []),
    ...(counter === "" ? [] : [["INCR", counter]]),
    ...(list === "" ? [] : [["RPUSH", list, token]]),
    ...(claim === "" ? [] : [["SET", claim, token, "NX"]]),
  ];
}

/** Sends a write. @returns the write with the outcome that its client received */
export async function sendWrite(client: Client, write: Write): Promise<ReportedWrite> {
  const options = write.waits ? { replicated: 2 } : {};
  const commands = commandsOf(write);
  try {
    const [only] = commands;
    if (only === undefined || commands.length > 1) await client.multi(commands, options);
    else if ((await client.call(only, options)) === null)
      return { ...write, outcome: "not-applied", why: "nil" };
    return { ...write, outcome: write.waits ? "replicated" : "acknowledged", why: "" };
  } catch (problem) {
    if (!(problem instanceof DbsyncError)) throw problem;
    return { ...write, outcome: problem.effect, why: reasonOf(problem) };
  }
}

/** Returns the code of an error, and the stages at which daemons failed. */
export function reasonOf({ code, outcomes }: DbsyncError): string {
  const stages = outcomes.map((each) => (each.status === "ok" ? "ok" : whyOf(each.stage, each.detail)));
  return [code, ...stages.sort()].join(" ");
}

const whyOf = (stage: string, detail: string) => (stage === "refused" ? detail.split(":", 1).join() : stage);
