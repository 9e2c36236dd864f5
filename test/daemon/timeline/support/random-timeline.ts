/**
 * Random entries by several signers, with all commands on databases and on the key ring. Some are `multi`, have
 * conditions or equal dates, or are malformed or forbidden.
 */
import { createHash } from "node:crypto";
import {
  type Chosen,
  choicesOf,
  inRecordedForm,
  NOTHING_CHOSEN,
} from "../../../../daemon/cluster/replica/recorded-choices.js";
import { Database } from "../../../../daemon/store/database.js";
import { isKeyCommand, KeyRing } from "../../../../daemon/store/key-ring.js";
import { pemOfSpki } from "../../../../daemon/store/rights/spki.js";
import { SEMANTICS } from "../../../../daemon/store/semantics.js";
import type { Entry } from "../../../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../../../protocol/byte-string.js";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import {
  type Condition,
  commandsIn,
  type Envelope,
  hexOf,
  signedBytes,
  unitsIn,
} from "../../../../protocol/version-2/envelope.js";
import { writeBody } from "../../../../protocol/version-2/envelope-body.js";
import { unitId } from "../../../../protocol/version-2/unit-names.js";
import { randomCall } from "../../../conformance/call.js";
import {
  type CommandGrammar,
  commandGrammars,
  type Family,
  families,
} from "../../../conformance/families.js";
import { Generator } from "../../../conformance/grammar.js";
import type { SeededRandom } from "../../../support/seeded-random.js";
import { EPOCH } from "../../store/random-unit.js";

export const hash = (bytes: ByteString) => bytesOf(createHash("sha256").update(bytes, "latin1").digest());

/** Returns an Ed25519 public key without a private key. */
const spkiOf = (number: number): ByteString =>
  `\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00${hash(`key ${number}`)}`;

/** Public keys: one of an application, two of administrators, and some that may be added later. */
export const SPKIS: readonly ByteString[] = Array.from({ length: 8 }, (_, i) => spkiOf(i));
export const KEY_IDS: readonly ByteString[] = SPKIS.map(hash);
const [APPLICATION, ROOT, OTHER_ROOT, DAEMON] = [0, 1, 2, 7] as const;
const UNIT_STEPS = 1_000_000;

export interface Genesis {
  readonly hasRoots: boolean;
}

/** Returns the initial key ring. @param known  default: the versions of this release */
export function genesisRing({ hasRoots }: Genesis, known = SEMANTICS): KeyRing {
  const ring = new KeyRing({ hash, known });
  ring.addGenesis("application", SPKIS[APPLICATION] as ByteString);
  if (hasRoots) for (const root of [ROOT, OTHER_ROOT]) ring.addGenesis("root", SPKIS[root] as ByteString);
  return ring;
}

/** Returns an entry as the timeline stores it, with a signature that is not checked here. */
export function entryOf(
  fields: Partial<Envelope> & Pick<Envelope, "commands" | "at">,
  id: ByteString = hash(JSON.stringify(fields)),
): Entry {
  const envelope: Envelope = {
    key: KEY_IDS[APPLICATION] as ByteString,
    cluster: "c".repeat(32),
    seq: 0,
    nonce: "n".repeat(16),
    db: 0,
    multi: false,
    units: null,
    if: null,
    ifs: null,
    after: null,
    only: null,
    as: null,
    choices: null,
    expiries: null,
    decide: false,
    decided: null,
    ...fields,
  };
  const { commands, ...header } = envelope;
  const body = Buffer.from(writeBody(header, commands.map(writeCommand)), "latin1");
  return { id, body, signature: Buffer.alloc(0), envelope };
}

/** Returns an entry with the id of its body, as a storage expects it. */
export function withId(entry: Entry): Entry {
  return { ...entry, id: hash(bytesOf(signedBytes(entry.body))) };
}

/** Runs commands on the state of the daemon that signs them. @returns what they choose there */
function choicesAt(
  database: Database,
  {
    commands,
    db,
    multi,
    units,
    if: conditions,
    at,
    seq,
  }: Pick<Envelope, "commands" | "db" | "multi" | "units" | "if" | "at" | "seq">,
  id: ByteString,
): Chosen {
  if (db === DATABASE_ABSENT || commands.some(isKeyCommand)) return NOTHING_CHOSEN;
  const trialId = unitId(id, 0);
  const state = { database, stepsMax: UNIT_STEPS, unitId: () => trialId };
  const choices = choicesOf({ commands, db, multi, units, conditions }, { at, seq }, state);
  if (conditions !== null && !database.holds(conditions, at)) return choices;
  const unit = { at, seq, db, id: trialId };
  for (const range of unitsIn({ commands, multi, units, if: null, decided: null })) {
    const own = commandsIn({ commands }, range);
    if (multi || own.length > 1) database.executeMulti(own, unit);
    else database.execute(own[0] ?? [], unit);
  }
  return choices;
}

const RULES: readonly (readonly ByteString[])[] = [
  ["+@all", "~*"],
  ["+@all", "-@admin", "~*"],
  ["+@read", "~*"],
  ["+@all", "-@admin", "~s:*"],
  ["+@write", "%R~*", "%W~x:*"],
  ["-@all"],
];
/** The number of databases in use, and the number of a database that does not exist. */
const DATABASES_USED = 3;
const DATABASE_ABSENT = 16;

export class RandomTimeline {
  readonly genesis: Genesis;
  readonly #random: SeededRandom;
  readonly #g: Generator;
  readonly #grammars: readonly CommandGrammar[];
  /** The share of entries that concern the key ring. */
  readonly #ringShare: number;
  /** The range of dates in milliseconds. */
  readonly #span: number;
  readonly #made: Entry[] = [];
  /**
   * The state of the daemon that records choices: its commands in the order in which they were made, which is not that
   * of their dates. Null if there is no such daemon.
   */
  readonly #daemon: Database | null;

  /** Creates a generator. @param family  the family whose commands it prefers; default: one family or all */
  constructor(random: SeededRandom, family?: Family) {
    this.#random = random;
    this.#g = new Generator({ random, now: EPOCH });
    this.genesis = { hasRoots: random.chance(0.8) };
    this.#daemon = this.genesis.hasRoots && random.chance(0.7) ? new Database() : null;
    this.#ringShare = random.oneOf([0, 0, 0.1, 0.3]);
    this.#span = random.oneOf([10, 1000, 1_000_000, 100_000_000]);

    const isComplete = random.chance(0.3);
    // After an unknown semantics version nothing is folded: test/daemon/timeline/fold/semantics.test.ts tests that.
    const known = commandGrammars.filter(({ name }) => name !== "CLUSTER|SEMANTICS");
    const allowed = known.filter(({ name }) => isComplete || !/^(FLUSH|SWAPDB|DBSIZE|SORT)/.test(name));
    const { commands } = family ?? random.oneOf(families);
    const focus = allowed.filter(({ name }) => commands.some((command) => command.name === name));
    this.#grammars =
      focus.length > 0 && (family !== undefined || random.chance(0.7))
        ? [...focus, ...focus, ...allowed]
        : allowed;
  }

  entries(count: number): Entry[] {
    if (this.#daemon !== null) this.#made.push(this.#authorization());
    for (let left = count; left > 0; left--) this.#made.push(this.#entry());
    return this.#made;
  }

  #entry(): Entry {
    const random = this.#random;
    const id = this.#g.bytes(32);
    const isRing = random.chance(this.#ringShare);
    const multi = random.chance(0.2);
    const conditional = !isRing && random.chance(0.15);
    const count = conditional && !multi ? 1 : random.oneOf([1, 1, 1, 2, 3, 5]);
    const commands = Array.from({ length: count }, () =>
      (isRing && random.chance(0.97)) || random.chance(this.#ringShare / 50)
        ? this.#ringCommand()
        : randomCall(this.#g, random.oneOf(this.#grammars)),
    );

    const fields = {
      at: EPOCH + 1 + this.#date(),
      seq: random.oneOf([0, 0, 0, 1, 2]),
      multi,
      commands,
      key: this.#signer(isRing),
      db: random.chance(0.8) ? 0 : random.chance(0.05) ? DATABASE_ABSENT : random.below(DATABASES_USED),
      if: conditional ? this.#conditions() : null,
    };

    if (this.#daemon === null || !random.chance(0.8)) return entryOf(fields, id);
    const units = multi || conditional || random.chance(0.4) ? null : this.#lengths(count);
    const signed = { ...fields, units, key: KEY_IDS[DAEMON] as ByteString };
    const chosen = choicesAt(this.#daemon, signed, id);
    const { choices, expiries } = chosen;
    return entryOf({ ...signed, commands: inRecordedForm(commands, chosen), choices, expiries }, id);
  }

  /** Returns the numbers of commands of units, if there can be several units of which one has several commands. */
  #lengths(count: number): number[] | null {
    if (count < 3) return null;
    const first = this.#random.between(1, count - 2);
    return this.#random.chance(0.5) ? [first, count - first] : [count - first, first];
  }

  /** Returns the entry that lets the daemon record choices. */
  #authorization(): Entry {
    const commands = [["CLUSTER", "ADD", pemOfSpki(SPKIS[DAEMON] as ByteString)]];
    return entryOf({ at: EPOCH + 1, key: KEY_IDS[ROOT] as ByteString, commands }, this.#g.bytes(32));
  }

  #date(): number {
    const dates = 40;
    return Math.floor((this.#random.below(dates) * this.#span) / dates);
  }

  #signer(isRing: boolean): ByteString {
    const random = this.#random;
    if (random.chance(isRing ? 0.2 : 0.4)) return random.oneOf(KEY_IDS);
    return KEY_IDS[isRing ? random.oneOf([ROOT, OTHER_ROOT]) : APPLICATION] as ByteString;
  }

  #conditions(): Condition[] {
    const random = this.#random;
    return Array.from({ length: random.between(1, 3) }, () => {
      const writer = this.#made.length > 0 && random.chance(0.6) ? random.oneOf(this.#made) : null;
      const key = writer?.envelope.commands[0]?.[1] ?? this.#g.key();
      const db = random.chance(0.05) ? DATABASE_ABSENT : (writer?.envelope.db ?? 0);
      return { db, key, writer: writer === null ? "" : unitId(writer.id, 0) };
    });
  }

  #ringCommand(): ByteString[] {
    const random = this.#random;
    const number = random.below(KEY_IDS.length);
    const id = hexOf(KEY_IDS[number] as ByteString);
    const pem = pemOfSpki(SPKIS[number] as ByteString);
    const at = () => String(EPOCH + this.#date());

    switch (random.below(8)) {
      case 0:
      case 1:
        return ["KEY", "ADD", pem, "RULES", ...random.oneOf(RULES)];
      case 2:
        return ["KEY", "ADD", pem, ...random.oneOf([[], ["FROM", at()], ["UNTIL", at()]])];
      case 3:
      case 4:
        return ["KEY", "RULES", id, ...random.oneOf(RULES)];
      case 5:
        return random.chance(0.6) ? ["KEY", "REVOKE", id] : ["KEY", "REVOKE"];
      case 6:
        return ["CLUSTER", "ADD", pem, ...random.oneOf([[], [], ["LABEL", "d"], ["LABEL"]])];
      default:
        return random.oneOf([
          ["KEY", "LIST"],
          ["KEY", "INFO", id],
          ["KEY", "DRYRUN", id, "SET", "a", "1"],
        ]);
    }
  }
}
