/**
 * Envelopes without a signature, for daemons without keys, and envelopes that are valid neither as signed nor as
 * unsigned ones.
 */
import { bodyOf, pairsFor, withPair } from "./body.js";
import { cluster, idOf, NOW, type Resp, STARTED_AT, signatureOf, signedBytesOf } from "./scene.js";
import type { UnsignedVector } from "./vector.js";

/** The key id and the cluster id of unsigned envelopes. */
const ZEROS = "\0".repeat(32);

interface Case {
  readonly name: string;
  readonly note: string;
  /** The fields that replace or extend those of the default header. */
  readonly header?: Readonly<Record<string, Resp>>;
  /** The commands; default: `SET k v`. */
  readonly commands?: readonly Resp[];
  readonly isSigned?: boolean;
  readonly withoutKeys: readonly string[] | string;
  /** The answer of a daemon with keys; default: its refusal of every unsigned envelope. */
  readonly withKeys?: string;
}

const NEEDS_KEYS =
  "-NOPERM this is for administrators, and the daemon was started without keys: -s, --root-key\r\n";

const CASES: readonly Case[] = [
  { name: "unsigned-set", note: "no key, no cluster, no signature", withoutKeys: ["+OK\r\n"] },
  {
    name: "unsigned-batch",
    note: "several units, some of which fail, each in words",
    commands: [["SET", "a", "hello world"], ["GET", "a"], ["GETT", "a"], ["INCR", "a"], ["GET"]],
    withoutKeys: [
      "+OK\r\n",
      "$11\r\nhello world\r\n",
      "-ERR unknown command 'GETT', with args beginning with: 'a' \r\n",
      "-ERR value is not an integer or out of range\r\n",
      "-ERR wrong number of arguments for 'get' command\r\n",
    ],
  },
  {
    name: "unsigned-multi",
    note: "one unit of several commands, in another database",
    header: { db: "3", multi: "1" },
    commands: [
      ["SET", "n", "1"],
      ["INCR", "n"],
    ],
    withoutKeys: ["*2\r\n+OK\r\n:2\r\n"],
  },
  {
    name: "unsigned-multi-malformed",
    note: "a command of one unit has too few arguments, so none is applied",
    header: { multi: "1" },
    commands: [["SET", "untouched", "1"], ["GET"]],
    withoutKeys: ["-ERR wrong number of arguments for 'get' command\r\n"],
  },
  {
    name: "unsigned-key-list",
    note: "the key ring is for whoever signs",
    commands: [["KEY", "LIST"]],
    withoutKeys: [NEEDS_KEYS],
  },
  {
    name: "unsigned-timeline",
    note: "and so is the timeline's past",
    commands: [["timeline", "STATUS"]],
    withoutKeys: [NEEDS_KEYS],
  },
  {
    name: "unsigned-with-signature",
    note: "a signature by somebody whom it does not name",
    isSigned: true,
    withoutKeys: "not-due",
    withKeys: "unknown-key",
  },
  {
    name: "unsigned-named",
    note: "it names a key, and is not signed by it",
    header: { key: pairsFor("unsigned-named")[0]?.[1] as Resp, cluster: cluster.toString("latin1") },
    withoutKeys: "not-due",
    withKeys: "bad-signature",
  },
  {
    name: "unsigned-signed-after-all",
    note: "signed as any, and the daemon without keys cannot tell by whom",
    header: { key: pairsFor("unsigned-signed")[0]?.[1] as Resp, cluster: ZEROS },
    isSigned: true,
    withoutKeys: "not-due",
    withKeys: "wrong-cluster",
  },
  {
    name: "unsigned-for-a-cluster",
    note: "a daemon without keys is of no cluster",
    header: { cluster: cluster.toString("latin1") },
    withoutKeys: "wrong-cluster",
  },
  {
    name: "unsigned-for-somebody",
    note: "only a daemon's key may say `as`",
    header: { as: "alice" },
    withoutKeys: "not-a-daemon",
  },
  { name: "unsigned-database-16", note: "0 to 15", header: { db: "16" }, withoutKeys: "wrong-db" },
  {
    name: "unsigned-for-another-daemon",
    note: "the id of no daemon",
    header: { only: ZEROS },
    withoutKeys: "wrong-daemon",
  },
  {
    name: "unsigned-late",
    note: "less than 30 s is due",
    header: { at: String(NOW - 30_000) },
    withoutKeys: "skew",
  },
  {
    name: "unsigned-early",
    note: "less than 5 s is due",
    header: { at: String(NOW + 5_000) },
    withoutKeys: "skew",
  },
  {
    name: "unsigned-at-the-start",
    note: "dated at the moment of the daemon's start",
    header: { at: String(STARTED_AT) },
    withoutKeys: "too-old",
  },
  {
    name: "unsigned-name-unknown",
    note: "the header has no such name",
    header: { ttl: "5" },
    withoutKeys: "malformed",
  },
];

export function unsignedVectors(): UnsignedVector[] {
  return CASES.map(({ name, note, header = {}, commands, isSigned = false, withoutKeys, withKeys }) => {
    const fields = { key: ZEROS, cluster: ZEROS, ...header };
    const pairs = Object.entries(fields).reduce(
      (all, [field, value]) => withPair(all, field, value),
      pairsFor(name),
    );
    const body = bodyOf(pairs, commands);
    const signature = isSigned ? signatureOf(signedBytesOf(body), "ed25519").toString("hex") : "";
    const id = idOf(body).toString("hex");
    return {
      name,
      note,
      body: body.toString("hex"),
      signature,
      id,
      withoutKeys,
      withKeys: withKeys ?? "unsigned",
    };
  });
}
