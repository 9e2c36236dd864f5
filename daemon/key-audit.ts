/** The log's account of who changed the keys. */
import type { Logger } from "pino";
import type { ByteString } from "../protocol/byte-string.js";
import { hexOf } from "../protocol/envelope.js";
import type { KeyRecord } from "../store/key-ring.js";
import type { Unit } from "../store/unit.js";

/** Behind KEY or CLUSTER. */
const CHANGES_KEYS = /^(add|rules|revoke)$/i;
/** More than a key in PEM and its rules; longer ones are cut in the log. */
const AUDITED_CHARS = 4096;

/** Notes a command for the key ring that was applied, if it is one that changes it. */
export function auditKeys(
  log: Pick<Logger, "warn">,
  argv: readonly ByteString[],
  unit: Pick<Unit, "at" | "id">,
  signer: Pick<KeyRecord, "id" | "label">,
): void {
  if (!CHANGES_KEYS.test(argv[1] ?? "")) return;
  const by = { by: hexOf(signer.id), label: signer.label };
  const what = { command: argv.join(" ").slice(0, AUDITED_CHARS), at: new Date(unit.at).toISOString() };
  log.warn({ ...what, ...by, unit: hexOf(unit.id) }, "the keys were changed");
}
