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
    note: "several units, some of which fail with their own errors",
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
    note: "only an administrator may read the key ring",
    commands: [["KEY", "LIST"]],
    withoutKeys: [NEEDS_KEYS],
  },
  {
    name: "unsigned-timeline",
    note: "only an administrator may query the timeline",
    commands: [["timeline", "STATUS"]],
    withoutKeys: [NEEDS_KEYS],
  },
  {
    name: "unsigned-with-signature",
    note: "signed with a key that the header does not name",
    isSigned: true,
    withoutKeys: "not-due",
    withKeys: "unknown-key",
  },
  {
    name: "unsigned-named",
    note: "the header names a key, but there is no signature",
    header: { key: pairsFor("unsigned-named")[0]?.[1] as Resp, cluster: cluster.toString("latin1") },
    withoutKeys: "not-due",
    withKeys: "bad-signature",
  },
  {
    name: "unsigned-signed-after-all",
    note: "signed, but a daemon without keys cannot verify the signature",
    header: { key: pairsFor("unsigned-signed")[0]?.[1] as Resp, cluster: ZEROS },
    isSigned: true,
    withoutKeys: "not-due",
    withKeys: "wrong-cluster",
  },
  {
    name: "unsigned-for-a-cluster",
    note: "a daemon without keys belongs to no cluster",
    header: { cluster: cluster.toString("latin1") },
    withoutKeys: "wrong-cluster",
  },
  {
    name: "unsigned-for-somebody",
    note: "only a daemon's key may use `as`",
    header: { as: "alice" },
    withoutKeys: "not-a-daemon",
  },
  { name: "unsigned-database-16", note: "only 0 to 15 exist", header: { db: "16" }, withoutKeys: "wrong-db" },
  {
    name: "unsigned-for-another-daemon",
    note: "an id that no daemon has",
    header: { only: ZEROS },
    withoutKeys: "wrong-daemon",
  },
  {
    name: "unsigned-late",
    note: "the date must be less than 30 s in the past",
    header: { at: String(NOW - 30_000) },
    withoutKeys: "skew",
  },
  {
    name: "unsigned-early",
    note: "the date must be less than 5 s in the future",
    header: { at: String(NOW + 5_000) },
    withoutKeys: "skew",
  },
  {
    name: "unsigned-at-the-start",
    note: "dated exactly at the daemon's start",
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
