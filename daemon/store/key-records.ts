/** Records of keys: their initial contents, and comparisons of existing records. */
import type { ByteString } from "../../protocol/byte-string.js";
import { findCommand } from "./command-table.js";
import type { KeyRequest } from "./commands/key-ring-commands.js";
import { Acl } from "./rights/acl.js";
import type { KeyRecord, Role } from "./rights/key-record.js";
import { readSpki } from "./rights/spki.js";
import type { CommandIndex } from "./rows/command-index.js";

/** The rules of the keys with which a daemon is started. */
export const RIGHTS: Readonly<Record<Role, readonly ByteString[]>> = {
  application: ["+@all", "-@admin", "~*"],
  root: ["+@all", "~*"],
  daemon: ["+@all", "-@admin", "~*"],
};

/** The commands that a key must be permitted to run in order to administer other keys. */
const ADMINISTRATION = ["KEY|ADD", "KEY|RULES", "KEY|REVOKE"];

/** Creates the record of a daemon's key that is not in the ring yet. */
export function daemonRecord(id: ByteString, spki: ByteString, at: number, table: CommandIndex): KeyRecord {
  const acl = new Acl(RIGHTS.daemon, table);
  return {
    id,
    spki,
    ...readSpki(spki),
    role: "daemon",
    label: "",
    acl,
    rules: acl.rules,
    rate: 0,
    version: 0,
    notBefore: null,
    notAfter: null,
    revokedAt: null,
    addedAt: at,
    addedBy: id,
  };
}

/** Whether a key may administer other keys, without a time limit, until it is revoked. */
export function isAdministrator({ acl, revokedAt, notBefore, notAfter }: KeyRecord): boolean {
  if (revokedAt !== null || notBefore !== null || notAfter !== null) return false;
  return ADMINISTRATION.every((name) => {
    const command = findCommand(name);
    return command !== undefined && acl.denial(command, name.split("|")) === null;
  });
}

export function isSame(record: KeyRecord, request: Omit<KeyRequest, "text">): boolean {
  const { role, label, notBefore, notAfter, rate } = request;
  return (
    (record.role === "daemon") === (role === "daemon") &&
    record.label === label &&
    record.notBefore === notBefore &&
    record.notAfter === notAfter &&
    record.rate === rate &&
    isEqual(record.rules, request.rules ?? [])
  );
}

export function isEqual(a: readonly ByteString[], b: readonly ByteString[]): boolean {
  return a.length === b.length && a.every((rule, i) => rule === b[i]);
}
