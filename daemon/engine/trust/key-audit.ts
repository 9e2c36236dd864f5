/** Logs changes of the key ring with their signer, and unauthorized attempts. */
import type { Logger } from "pino";
import type { ByteString } from "../../../protocol/byte-string.js";
import { bytesOfHex, dateText, HASH_BYTES, hexOf } from "../../../protocol/version-2/envelope.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { type LineLog, LogThrottle } from "../../net/process/log-throttle.js";
import { CommandFailure } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import { isKeyCommand, type KeyRecord } from "../../store/key-ring.js";
import { spkiOfText } from "../../store/rights/spki.js";
import type { AddedEntry } from "../../timeline/entries/entry.js";
import { hashOf } from "./identity.js";

/** Maximum number of characters of a command in the log; a key in PEM and its rules are shorter. */
const AUDITED_CHARS = 4096;

/** Maximum number of log lines about denials in a period; further denials are only counted. */
const DENIALS_MAX = 20;
const PERIOD_MS = 10_000;

type Argv = readonly ByteString[];
type NamedKey = Pick<KeyRecord, "id" | "label">;

export class KeyAudit {
  readonly #log: LineLog;
  readonly #denials: LogThrottle;

  constructor(log: LineLog, environment: Environment) {
    this.#log = log;
    const { uptime } = environment;
    this.#denials = new LogThrottle({ log, uptime, periodMs: PERIOD_MS, lines: DENIALS_MAX });
  }

  /** Logs a change of the key ring. @param at  the unit's date @param unit  the unit's id */
  changed(argv: Argv, at: number, unit: ByteString, signer: NamedKey): void {
    const what = { key: changedKey(argv), command: textOf(argv), at: dateText(at) };
    this.#log.warn({ ...what, ...describeKey(signer), unit: hexOf(unit) }, "the keys were changed");
  }

  /** Logs a unit that was denied, if it contains KEY commands. */
  denied(unit: readonly Argv[], signer: NamedKey, reason: string): void {
    const argv = unit.find(isKeyCommand);
    if (argv === undefined) return;
    const facts = { command: textOf(argv), ...describeKey(signer), reason };
    this.#denials.warn("denied", facts, "a KEY command was denied");
  }
}

/** Logs the changes of the key ring in entries that another daemon sent. */
export function logReceivedChanges(entries: readonly AddedEntry[], log: Logger): void {
  for (const { id, at, ring } of entries) {
    if (ring === null) continue;
    const { key, commands } = ring.envelope;
    const by = { by: hexOf(key), at: dateText(at), id: hexOf(id) };
    const keys = [...new Set(commands.flatMap((argv) => changedKey(argv) ?? []))];
    log.warn(
      { keys, ...by, commands: commands.length },
      "received a change of the key ring from another daemon",
    );
  }
}

function describeKey({ id, label }: NamedKey): { by: string; label: string } {
  return { by: hexOf(id), label };
}

/**
 * Returns the fingerprint of the key that a command changes, as `dbsync keys list` prints it. Returns undefined for a
 * command that changes no key, and if its argument is not valid: entries of other daemons contain any arguments.
 */
function changedKey(argv: Argv): string | undefined {
  const command = commandTable.resolve(argv);
  if (command instanceof CommandFailure) return undefined;
  if (command.publicKeyAt !== undefined) return fingerprintOf(argv[command.publicKeyAt] as ByteString);
  const [, , id = ""] = command.name.startsWith("KEY|") ? argv : [];
  return bytesOfHex(id, HASH_BYTES) === undefined ? undefined : id;
}

function fingerprintOf(text: ByteString): string | undefined {
  try {
    return hexOf(hashOf(Buffer.from(spkiOfText(text), "latin1")));
  } catch (problem) {
    if (problem instanceof CommandFailure) return undefined;
    throw problem;
  }
}

function textOf(argv: Argv): string {
  return argv.join(" ").slice(0, AUDITED_CHARS);
}
