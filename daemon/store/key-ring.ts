/**
 * The public keys that are authorized, and their rules. The ring is a pure function of the initial keys and all KEY and
 * CLUSTER units since: it uses no clock and no files, and SHA-256 is passed in. Signatures are verified elsewhere.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import type { Condition, Envelope } from "../../protocol/version-2/envelope.js";
import { CommandFailure, custom, echoed } from "./arguments/command-errors.js";
import { commandTable, findCommand } from "./command-table.js";
import { type KeyRequest, type KeyUnit, keyHandlers, type Ring } from "./commands/key-ring-commands.js";
import { commandOfPast } from "./commands/timeline.js";
import { isKeyCommand, patternWordOf } from "./key-command.js";
import { Acl } from "./rights/acl.js";
import { DecidedPatterns } from "./rights/decided-patterns.js";
import { type KeyRecord, type Role, type Validity, validity } from "./rights/key-record.js";
import { readSpki, spkiOfText } from "./rights/spki.js";
import type { CommandIndex } from "./rows/command-index.js";
import { FIRST_SEMANTICS, SEMANTICS, type Semantics } from "./semantics.js";

export { isKeyCommand, type KeyRecord };

/** Maximum number of keys: each daemon keeps all of them in memory permanently. */
const KEYS_MAX = 100_000;

export interface JudgeOptions {
  /** Keys of the header's `if`, for which the signer needs read permission. */
  readonly conditions: readonly Condition[] | null;
  /** The semantics at the unit's position; default: those after all units. */
  readonly table?: CommandIndex;
}

export class KeyRing implements Ring {
  /** Number of records added or replaced so far. */
  changes = 0;
  readonly #hash: (bytes: ByteString) => ByteString;
  readonly #changed: ((record: KeyRecord) => void) | null;
  readonly #records = new Map<ByteString, KeyRecord>();
  /** Keys that units have named, whether or not they are in the ring. */
  named: NamedPublicKeys;
  /** The semantics that this release supports. */
  readonly known: Semantics;
  /** The patterns of keys on whose writes the members decide. */
  #patterns = DecidedPatterns.NONE;
  /** Number of the current semantics, which the last CLUSTER SEMANTICS has set. */
  semantics = FIRST_SEMANTICS;
  /**
   * The semantics after all units, or null if this release does not support them and therefore applies no later units.
   */
  table: CommandIndex | null;
  /** The same as `table`, or the newest supported semantics if `table` is null. */
  #table: CommandIndex;

  /**
   * @param parts.hash computes SHA-256
   * @param parts.changed called with each new record and each replacement
   * @param parts.known the supported semantics; default: those of this release
   */
  constructor(parts: {
    readonly hash: (bytes: ByteString) => ByteString;
    readonly changed?: ((record: KeyRecord) => void) | undefined;
    readonly known?: Semantics;
  }) {
    this.#hash = parts.hash;
    this.known = parts.known ?? SEMANTICS;
    this.table = this.known.table(this.semantics);
    this.#table = this.table ?? this.known.newest;
    this.named = new NamedPublicKeys(parts.hash);
    this.#changed = parts.changed ?? null;
  }

  /**
   * Adds one of the keys with which a daemon is started.
   * @param spki the SubjectPublicKeyInfo in DER
   * @throws CommandFailure if the key cannot be used, is in the ring with another role, or is one too many
   */
  addGenesis(role: Role, spki: ByteString, label: ByteString = ""): KeyRecord {
    const id = this.#hash(spki);
    const known = this.#records.get(id);
    if (known?.role === role) return known;
    if (known !== undefined) throw custom(`ERR the same key has two roles, ${known.role} and ${role}`);

    const acl = new Acl(RIGHTS[role], this.#table);
    const facts = readSpki(spki);
    if (this.isFull) throw full();

    return this.#put({
      id,
      spki,
      ...facts,
      role,
      label,
      acl,
      rules: acl.rules,
      notBefore: null,
      notAfter: null,
      revokedAt: null,
      rate: 0,
      addedAt: null,
      addedBy: null,
      version: 1,
    });
  }

  /** Returns an independent ring with the same records. */
  clone(changed?: (record: KeyRecord) => void): KeyRing {
    const copy = new KeyRing({ hash: this.#hash, known: this.known, changed });
    copy.semantics = this.semantics;
    copy.#patterns = this.#patterns;
    copy.table = this.table;
    copy.#table = this.#table;
    for (const [id, record] of this.#records) copy.#records.set(id, record);
    copy.named = new NamedPublicKeys(this.#hash, this.named);
    return copy;
  }

  /** @param id the id as raw bytes */
  find(id: ByteString): KeyRecord | undefined {
    return this.#records.get(id);
  }

  /** Returns all records in the order in which they were added, including revoked ones. */
  all(): Iterable<KeyRecord> {
    return this.#records.values();
  }

  validity(record: KeyRecord, at: number): Validity {
    return validity(record, at);
  }

  /**
   * Decides from the bytes alone whether a key may run a unit.
   * @param unit its commands: one, or with `multi` all commands of an envelope
   * @returns null if the key may run the unit; otherwise the unit's reply, which is NOPERM or the error of a command. A
   * command that is not in the table is permitted to keys whose rules exclude only administration, because the daemon's
   * backend may know it.
   */
  judge(
    record: KeyRecord,
    unit: readonly (readonly ByteString[])[],
    { conditions, table = this.#table }: JudgeOptions,
  ): ErrorReply | null {
    const { acl } = record;
    if (unit.some(isKeyCommand)) {
      if (conditions !== null || !unit.every(isKeyCommand))
        return error(
          'ERR KEY and CLUSTER commands must be in separate units, without other commands and without "if"',
        );
      // No backend receives these commands, so their errors are detected here.
      for (const argv of unit) {
        const command = table.resolve(argv);
        if (command instanceof CommandFailure) return command.reply;
      }
    }
    if (acl.isUnlimited || this.#mayDecide(record, unit)) return null;

    for (const argv of unit) {
      const historyCommand = commandOfPast(argv);
      const denial =
        denialOf(acl, argv, table) ?? (historyCommand === null ? null : denialOf(acl, historyCommand, table));
      if (denial !== null) return denial;
    }
    if (conditions === null) return null;

    const forbidden = conditions.find(({ key }) => !acl.mayRead(key));
    if (forbidden === undefined) return null;

    return error(`NOPERM this key may not read key '${echoed(forbidden.key)}' of "if": no rule allows it`);
  }

  /**
   * If a unit is a CLUSTER ADD that adds the key with which it is signed, returns the record of this key, which may be
   * in the ring already. A daemon may add its own key in this way if genesis names no administrator. Returns null for
   * any other unit.
   * @param key id of the unit's signer
   * @param at the unit's date
   */
  introduction(unit: readonly (readonly ByteString[])[], key: ByteString, at: number): KeyRecord | null {
    const [argv] = unit;
    if (argv === undefined || unit.length !== 1 || !isKeyCommand(argv)) return null;

    const command = this.#table.resolve(argv);
    if (command instanceof CommandFailure || command.name !== "CLUSTER|ADD" || this.#hasRoots()) return null;

    const known = this.#records.get(key);
    if (known !== undefined && known.role !== "daemon") return null;

    try {
      const spki = spkiOfText(argv[2] as ByteString);
      if (this.#hash(spki) !== key) return null;
      return known ?? daemonRecord(key, spki, at, this.#table);
    } catch (failure) {
      if (failure instanceof CommandFailure) return null;
      throw failure;
    }
  }

  /**
   * Returns the key that verifies an envelope. A daemon that adds itself to the ring sends its key in the command.
   * Returns undefined if the key is unknown.
   */
  spkiOf({ key, commands, at }: Pick<Envelope, "key" | "commands" | "at">): ByteString | undefined {
    return (this.find(key) ?? this.introduction(commands, key, at))?.spki ?? this.named.find(key);
  }

  /**
   * Runs a KEY or CLUSTER command that `judge` has permitted.
   * @returns the reply; if it is an error, nothing has changed
   */
  execute(argv: readonly ByteString[], unit: Omit<KeyUnit, "signer">, signer: KeyRecord): Reply {
    const command = this.#table.resolve(argv);
    if (command instanceof CommandFailure) return command.reply;

    const run = keyHandlers.get(command.name);
    if (run === undefined) throw new Error(`${command.name} is not a command on keys`);

    try {
      const { at, db, id, isDecided = false } = unit;
      return run(this, argv, { at, db, id, signer, isDecided });
    } catch (failure) {
      if (failure instanceof CommandFailure) return failure.reply;
      throw failure;
    }
  }

  /** Whether the ring has the maximum number of keys. */
  get isFull(): boolean {
    return this.#records.size >= KEYS_MAX;
  }

  get patterns(): DecidedPatterns {
    return this.#patterns;
  }

  set patterns(patterns: DecidedPatterns) {
    this.#patterns = patterns;
    this.changes++;
  }

  /**
   * Whether a daemon's key may send a unit about decided patterns: that a pattern begins, on which the members vote;
   * the others only if the cluster has no administrators, as an order of an operator of its machine.
   */
  #mayDecide({ role }: KeyRecord, unit: readonly (readonly ByteString[])[]): boolean {
    if (role !== "daemon") return false;
    return unit.every((argv) => {
      const word = patternWordOf(argv);
      return word === "DECIDED" || (word !== null && !this.#hasRoots());
    });
  }

  #hasRoots(): boolean {
    for (const { role } of this.#records.values()) if (role === "root") return true;
    return false;
  }

  add({ text, rules, ...request }: KeyRequest, { signer, at }: KeyUnit): KeyRecord {
    const spki = spkiOfText(text);
    const facts = readSpki(spki);
    const id = this.#hash(spki);
    const acl = new Acl(rules ?? RIGHTS[request.role], this.#table);
    const known = this.#records.get(id);
    if (known?.revokedAt != null)
      throw custom("ERR this key was revoked, and a revoked key cannot be added again: generate a new pair");
    if (known !== undefined) {
      if (isSame(known, { ...request, rules: acl.rules })) return known;
      throw custom("ERR this key exists with other rules, dates, rate or label; KEY RULES changes its rules");
    }
    if (this.isFull) throw full();

    return this.#put({
      id,
      spki,
      ...facts,
      ...request,
      acl,
      rules: acl.rules,
      revokedAt: null,
      addedAt: at,
      addedBy: signer.id,
      version: 1,
    });
  }

  setRules(record: KeyRecord, rules: readonly ByteString[]): void {
    if (record.revokedAt !== null) throw custom("ERR this key was revoked: its rules can no longer change");
    const acl = new Acl(rules, this.#table);
    if (isEqual(acl.rules, record.rules)) return;
    this.#change({ ...record, acl, rules: acl.rules });
  }

  revoke(record: KeyRecord, at: number): void {
    if (record.revokedAt !== null) return;
    this.#change({ ...record, revokedAt: at });
  }

  /** Sets the semantics. The texts of rules stay the same and now refer to the rows of the new table. */
  setSemantics(number: number): void {
    const next = this.semantics + 1;
    if (number !== next)
      throw custom(
        `ERR the current version of the semantics is ${this.semantics}: only version ${next} can follow, not ${number}`,
      );

    this.semantics = number;
    this.changes++;
    const table = this.known.table(number);
    this.table = table;
    if (table === null || table === this.#table) return;

    this.#table = table;
    for (const record of this.#records.values()) this.#put({ ...record, acl: new Acl(record.rules, table) });
  }

  #change(record: KeyRecord): void {
    const before = this.#records.get(record.id);
    if (before !== undefined && isAdministrator(before) && !isAdministrator(record)) {
      const others = [...this.#records.values()].filter(({ id }) => id !== record.id);
      if (!others.some(isAdministrator))
        throw custom(
          "ERR this is the last key that may run KEY ADD, RULES and REVOKE: add another one first",
        );
    }
    this.#put({ ...record, version: record.version + 1 });
  }

  #put(record: KeyRecord): KeyRecord {
    this.#records.set(record.id, record);
    this.#changed?.(record);
    this.changes++;
    return record;
  }

  dryRun(record: KeyRecord, argv: readonly ByteString[], at: number): ByteString | null {
    const state = validity(record, at);
    if (state !== "valid") return `this key is ${state.replaceAll("-", " ")}`;
    return this.judge(record, [argv], { conditions: null })?.text ?? null;
  }
}

const full = () => custom(`ERR the ring is full: ${KEYS_MAX} keys`);

function denialOf(acl: Acl, argv: readonly ByteString[], table: CommandIndex): ErrorReply | null {
  const command = table.resolve(argv);
  let denial: string | null;
  if (!(command instanceof CommandFailure))
    denial = acl.denial(command, argv) ?? acl.channelDenial(command, argv);
  else if (table.isForeign(argv)) denial = acl.foreignDenial(argv[0] as ByteString);
  else return command.reply;
  return denial === null ? null : error(`NOPERM this key may not ${denial}`);
}

/**
 * Public keys that units have named, permitted or not. Members verify signatures with them: an entry that one member
 * has accepted must be acceptable to all members, but whether a key is in the ring depends on which entries a member
 * has received so far.
 */
class NamedPublicKeys {
  readonly #hash: (bytes: ByteString) => ByteString;
  /** The SubjectPublicKeyInfo of each key, by its id. */
  readonly #keys: Map<ByteString, ByteString>;

  constructor(hash: (bytes: ByteString) => ByteString, from: NamedPublicKeys | null = null) {
    this.#hash = hash;
    this.#keys = new Map(from === null ? [] : from.#keys);
  }

  /** Records the keys that a unit would add. */
  addOf(unit: readonly (readonly ByteString[])[]): void {
    for (const argv of unit) {
      const command = commandTable.resolve(argv);
      if (command instanceof CommandFailure || command.publicKeyAt === undefined) continue;
      try {
        this.add(spkiOfText(argv[command.publicKeyAt] as ByteString));
      } catch (failure) {
        if (!(failure instanceof CommandFailure)) throw failure;
      }
    }
  }

  /** @throws CommandFailure if the key cannot be used */
  add(spki: ByteString): void {
    readSpki(spki);
    this.#keys.set(this.#hash(spki), spki);
  }

  /** Returns the SubjectPublicKeyInfo of a key, or undefined if no unit has named the key. */
  find(id: ByteString): ByteString | undefined {
    return this.#keys.get(id);
  }

  /** Returns all named keys. */
  all(): Iterable<ByteString> {
    return this.#keys.values();
  }
}

/** The rules of the keys with which a daemon is started. */
const RIGHTS: Readonly<Record<Role, readonly ByteString[]>> = {
  application: ["+@all", "-@admin", "~*"],
  root: ["+@all", "~*"],
  daemon: ["+@all", "-@admin", "~*"],
};

/** The commands that a key must be permitted to run in order to administer other keys. */
const ADMINISTRATION = ["KEY|ADD", "KEY|RULES", "KEY|REVOKE"];

/** Creates the record with which a daemon's own key may only order CLUSTER MEMBERS, DECIDE and UNDECIDE here. */
export const ownKeyRecord = (id: ByteString, spki: ByteString): KeyRecord => ({
  ...daemonRecord(id, spki, 0, commandTable, ["+cluster|decide", "+cluster|members", "+cluster|undecide"]),
  addedAt: null,
  addedBy: null,
});

/** Creates the record of a daemon's key that is not in the ring yet. */
function daemonRecord(
  id: ByteString,
  spki: ByteString,
  at: number,
  table: CommandIndex,
  rules = RIGHTS.daemon,
): KeyRecord {
  const acl = new Acl(rules, table);
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
function isAdministrator({ acl, revokedAt, notBefore, notAfter }: KeyRecord): boolean {
  if (revokedAt !== null || notBefore !== null || notAfter !== null) return false;
  return ADMINISTRATION.every((name) => {
    const command = findCommand(name);
    return command !== undefined && acl.denial(command, name.split("|")) === null;
  });
}

/** Whether the record has what the request asks for. */
function isSame(record: KeyRecord, request: Omit<KeyRequest, "text">): boolean {
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

function isEqual(a: readonly ByteString[], b: readonly ByteString[]): boolean {
  return a.length === b.length && a.every((rule, i) => rule === b[i]);
}
