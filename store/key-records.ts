/** Records of keys: what they begin with, and what the ring compares of those that are there. */
import type { ByteString } from "../protocol/byte-string.js";
import { findCommand } from "./command-table.js";
import type { KeyRequest } from "./commands/keys.js";
import { Acl } from "./rights/acl.js";
import type { KeyRecord, Role } from "./rights/key-record.js";
import { readSpki } from "./rights/spki.js";
import type { CommandIndex } from "./rows/command-index.js";

/** The rights of a key that a daemon is started with. */
export const RIGHTS: Readonly<Record<Role, readonly ByteString[]>> = {
  application: ["+@all", "-@admin", "~*"],
  root: ["+@all", "~*"],
  daemon: ["+@all", "-@admin", "~*"],
};

/** Commands that a key needs permission for to administer other keys. */
const ADMINISTRATION = ["KEY|ADD", "KEY|RULES", "KEY|REVOKE"];

/** Makes the record of a daemon's key that the ring does not contain yet. */
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

/** Whether a key may administer keys, now and as long as it is not revoked. */
export function isAdministrator({ acl, revokedAt, notBefore, notAfter }: KeyRecord): boolean {
  if (revokedAt !== null || notBefore !== null || notAfter !== null) return false;
  return ADMINISTRATION.every((name) => {
    const command = findCommand(name);
    return command !== undefined && acl.denial(command, name.split("|")) === null;
  });
}

export function isSame(record: KeyRecord, wanted: Omit<KeyRequest, "text">): boolean {
  const { role, label, notBefore, notAfter, rate } = wanted;
  return (
    (record.role === "daemon") === (role === "daemon") &&
    record.label === label &&
    record.notBefore === notBefore &&
    record.notAfter === notAfter &&
    record.rate === rate &&
    isEqual(record.rules, wanted.rules ?? [])
  );
}

export function isEqual(a: readonly ByteString[], b: readonly ByteString[]): boolean {
  return a.length === b.length && a.every((rule, i) => rule === b[i]);
}
