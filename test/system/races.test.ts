/**
 * Tests two clients that compete for thousands of locks (`SET lock NX`). Each client counts the daemons that answer OK.
 * The clients never both have a majority. DBSYNC_SEED replays the random choices, but not the timing of the machine.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import type { CallReport } from "../../client/shared/outcome.js";
import { judge } from "../../client/shared/policy.js";
import { replyValues } from "../../client/shared/reply-conversion.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type RunningReplica, startReplicas } from "../daemon/program/replicas.js";
import { amount } from "../support/amount.js";
import { type AcceptedResult, EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { pause } from "../support/pause.js";
import { SeededRandom, seedOfRun } from "../support/seeded-random.js";

const DAEMONS = 3;
const ROUNDS = amount(4, 50);
/** The maximum number of rounds, in case the machine is too busy for enough races. */
const ROUNDS_MAX = 400;
/** The number of envelopes per client in a round, and of locks per envelope. */
const ENVELOPES = 10;
const LOCKS = 20;
/** The maximum delay of a copy in milliseconds. Daemons send each other entries that are older than 25 ms. */
const LATE_MS = [0, 0, 0, 1, 3, 10, 40];
/** Milliseconds by which the dates of envelopes precede the current time. */
const BACK_MS = 20;

const seed = seedOfRun();
const app = makeKeyPair();

/** A client of one daemon that can have any number of envelopes in flight. */
class Voter implements Disposable {
  readonly #client: EnvelopeClient;
  readonly #waiting = new Map<ByteString, (result: AcceptedResult | null) => void>();

  private constructor(client: EnvelopeClient) {
    this.#client = client;
    void this.#read();
  }

  static async open({ port }: RunningReplica): Promise<Voter> {
    return new Voter(await EnvelopeClient.open(port, app));
  }

  sign(commands: readonly (readonly ByteString[])[], at: number) {
    return this.#client.sign(commands, { at });
  }

  /** Sends an envelope. @returns the daemon's result, or null if the daemon refuses */
  async ask({ id, frame }: ReturnType<EnvelopeClient["sign"]>): Promise<AcceptedResult | null> {
    return await new Promise((resolve) => {
      this.#waiting.set(id, resolve);
      this.#client.raw.send(frame);
    });
  }

  async #read(): Promise<void> {
    for (;;) {
      const message = await this.#client.next().catch(() => null);
      if (message === null) return;
      if (message.kind !== "hello")
        this.#waiting.get(message.id)?.(message.kind === "result" ? message : null);
    }
  }

  [Symbol.dispose](): void {
    this.#client[Symbol.dispose]();
  }
}

/** Returns the result of one command on a daemon, in the form of a client's report. */
function reportOf(result: AcceptedResult | null, index: number): CallReport {
  const reply = result?.replies[index];
  if (result === null || reply === undefined || reply.kind === "error")
    return { ok: false, stage: "refused", detail: "", written: false, at: 0 };
  const flags = result.flags[index] ?? "";
  return { ok: true, values: replyValues(reply), reply, flags, isForAll: false, at: 0 };
}

test(`none of ten thousand races for a lock has two winners (seed ${seed})`, async (t) => {
  const random = new SeededRandom(seed);
  const open: (AsyncDisposable | Disposable)[] = [];
  t.after(async () => {
    for (const each of open.toReversed())
      await (Symbol.asyncDispose in each ? each[Symbol.asyncDispose]() : each[Symbol.dispose]());
  });
  const replicas = await startReplicas(DAEMONS, ["-s", app.file]);
  open.push(replicas);
  const clients = await Promise.all(
    [0, 1].map(() => Promise.all(replicas.map((replica) => Voter.open(replica)))),
  );
  open.push(...clients.flat());

  let late = 0;
  let won = 0;
  let round = 0;
  /** Returns for each lock whether a majority of daemons answered OK to this client. */
  const vote = async (voters: readonly Voter[], locks: readonly string[]): Promise<boolean[]> => {
    const [first] = voters as [Voter];
    const commands = locks.map((lock) => ["SET", lock, "mine", "NX"]);
    const envelope = first.sign(commands, Date.now() - random.between(0, BACK_MS));
    const delays = voters.map(() => random.oneOf(LATE_MS));
    const results = await Promise.all(
      voters.map(async (voter, index) => {
        const ms = delays[index] as number;
        if (ms > 0) await pause(ms);
        return await voter.ask(envelope);
      }),
    );
    return locks.map((_, index) => {
      const reports = results.map((result) => reportOf(result, index));
      late += reports.filter((report) => report.ok && report.flags !== "").length;
      const verdict = judge("majority", reports, true);
      return verdict.kind === "value" && verdict.answer.values[0] === "OK";
    });
  };
  for (; round < ROUNDS || ((late === 0 || won === 0) && round < ROUNDS_MAX); round++) {
    const races = Array.from({ length: ENVELOPES }, (_, number) =>
      Array.from({ length: LOCKS }, (_, lock) => `lock:${round}:${number}:${lock}`),
    );
    await Promise.all(
      races.map(async (locks) => {
        const votes = await Promise.all(clients.map((voters) => vote(voters, locks)));
        for (const [index, lock] of locks.entries()) {
          const winners = votes.filter((vote) => vote[index]).length;
          assert.ok(winners <= 1, `${lock} has ${winners} winners`);
          won += winners;
        }
      }),
    );
  }
  t.diagnostic(`${round * ENVELOPES * LOCKS} races, ${won} won, ${late} answers late`);
  assert.ok(late > 0 && won > 0, "some races were won, with late answers");
});
