/** A member of a stream without the code of GEOADD. */
import { pino } from "pino";
import { makeIdentity } from "../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { optionProgram, parseArguments } from "../../../daemon/options/parse-options.js";
import { settingsOf } from "../../../daemon/options/read-settings.js";
import { Metrics } from "../../../daemon/program/inspection/metrics.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { type FamilyCode, installFamilies } from "../../../daemon/store/family-code.js";
import { OrderedReplica } from "../ordered-replica.js";

const log = pino({ level: "silent" });

/** Starts a member with the given families, as a daemon does, and connects it to a stream. */
export function memberWith(
  families: Readonly<Record<string, FamilyCode>>,
  args: readonly string[],
  last: number,
) {
  installFamilies([{ families }]);
  const program = optionProgram({ faces: BUILD.faces, version: "0", everything: true, print: () => {} });
  for (const option of program.options) delete option.envVar;
  parseArguments(program, args, {});

  const settings = settingsOf(program);
  const { order } = settings;
  if (order === null) throw new Error("--order is missing");

  const context = {
    settings,
    identity: makeIdentity(),
    signers: loadSigners(settings, log),
    environment: realEnvironment,
    log,
    startThread: BUILD.startThread,
    arrived() {},
    page: () => null,
    clientTotals: () => new Metrics().totals,
    named: null,
  };

  const replica = new OrderedReplica(context, order, null);
  const facts = { first: 1, last, created: "today", replicas: 1, others: 1, maxBytes: 1000 };
  return { replica, connected: replica.connected(facts) };
}

/** What a member reports. */
export function reportOf({ recording, state }: OrderedReplica) {
  return {
    seq: state.seq,
    state: recording.state,
    reason: recording.reason,
    refusal: recording.refusal()?.code ?? null,
    readStatus: recording.readStatus,
  };
}

export interface LackingReport extends ReturnType<typeof reportOf> {
  /** The reason why it does not read the stream, or null if it does. */
  readonly connected: string | null;
}
