/**
 * Tests that a documented limit holds at each entrance through which a value can come: commands of Redis clients, in
 * transactions and in scripts, and as the fold executes the entries of peers; the lines of other clients; imports; and
 * the configuration. Each row contains the sentence of the page that states the limit.
 */
import "../support/all-families.js";
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createClient } from "../../client/public-api.js";
import { canonicalState } from "../../daemon/store/canonical-state.js";
import { Database } from "../../daemon/store/database.js";
import { type ByteString, bytesOfText } from "../../protocol/byte-string.js";
import { writeFrame } from "../../protocol/frame.js";
import type { Reply } from "../../protocol/reply.js";
import { type EnvelopeHeader, hexOf } from "../../protocol/version-2/envelope.js";
import { writeListen } from "../../protocol/version-2/messages-v2.js";
import { unitOrderKey } from "../../protocol/version-2/unit-names.js";
import { databasesIn } from "../../tools/cli/sql/sql-data-folder.js";
import { runDbsync } from "../client/child.js";
import { shown } from "../conformance/resp2-fold.js";
import { isFull, skipUnlessFull } from "../support/amount.js";
import { type DaemonHere, startDaemonHere } from "../support/daemon-here.js";
import { startDaemon } from "../support/daemon-process.js";
import {
  type DaemonMessage,
  EnvelopeClient,
  makeKeyPair,
  type SignedEnvelope,
} from "../support/envelope-client.js";
import { ask as askJson } from "../support/json-lines.js";
import { RawClient } from "../support/raw-client.js";
import { RedisConnection, textOfValue } from "../support/redis-connection.js";
import { repositoryRoot } from "../support/repository.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { SqlLineClient } from "../support/sql-line-client.js";
import { startSidecar } from "../support/start-sidecar.js";
import { type Command, type Envelope, envelope, type Header } from "./attacker/envelope.js";
import { makeKey } from "./attacker/key.js";
import { outcomeAt, PushedEntries } from "./attacker/pushed-entries.js";

type Commands = readonly (readonly string[])[];

interface Row {
  readonly limit: string;
  readonly page: string;
  /** The sentence, or a part of it, that states the limit. */
  readonly sentence: string;
  /** The highest permitted number. */
  readonly max: number;
  /** Whether the row is tested in full runs only, because its values are long. */
  readonly isLong?: boolean;
  /** A number that is refused, if the places of a statement count differently; otherwise the one after `max`. */
  readonly above?: number;
  readonly refused: RegExp;
  /** Commands with the given number, of which the last one is refused above the limit. The name is new each time. */
  readonly commands?: Readonly<Record<string, (number: number, name: string) => Commands>>;
  /** Other entrances. @returns the answer */
  readonly others?: Readonly<Record<string, (number: number, name: string) => Promise<string>>>;
  /** Entries that a peer sends, although no daemon would accept those above the limit from a client. */
  readonly entries?: Readonly<Record<string, (number: number, name: string) => Envelope>>;
}

const data = new ScratchFolder();
const signedData = new ScratchFolder();
const application = makeKeyPair();
const root = makeKeyPair();
let daemon: DaemonHere;
let recording: DaemonHere;
let signing: DaemonHere;
let pushed: PushedEntries;
let redis: RedisConnection;
let json: RawClient;
let sql: SqlLineClient;

before(async () => {
  daemon = await startDaemonHere(["--resp", "0", "--json", "0", "--sql", "0"]);
  recording = await startDaemonHere(["--resp", "0", "--data", data.path]);
  signing = await startDaemonHere([
    "-s",
    application.file,
    "--root-key",
    root.file,
    "--data",
    signedData.path,
  ]);
  pushed = await PushedEntries.start();
  redis = await RedisConnection.open(await daemon.portOf("Redis clients"));
  json = await RawClient.open(await daemon.portOf("JSON clients"));
  sql = await SqlLineClient.open(await daemon.portOf("SQL clients"));
});

after(async () => {
  for (const client of [redis, json, sql]) client[Symbol.dispose]();
  await daemon[Symbol.asyncDispose]();
  await recording[Symbol.asyncDispose]();
  await signing[Symbol.asyncDispose]();
  await pushed[Symbol.asyncDispose]();
  data[Symbol.dispose]();
  signedData[Symbol.dispose]();
});

const lists = (levels: number) => "[".repeat(levels) + "]".repeat(levels);
const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;
const letters = (count: number) => "x".repeat(count);
const path = (names: number) => Array.from({ length: names }, (_, i) => `p${i}`).join(".");
const numbered = <T>(count: number, one: (i: number) => T) => Array.from({ length: count }, (_, i) => one(i));
const inDocument = (name: string, ...argv: readonly string[]): Commands => [
  ["DOC.CREATE", name],
  ["DOC.INSERT", name, '{"a":1,"b":[]}'],
  argv,
];
const inDatabase = (name: string, ...statements: readonly string[]): Commands => [
  ["SQL", "", `create database ${name}`],
  ["SQL", name, "create table t (k number, s text)"],
  ...statements.map((statement) => ["SQL", name, statement]),
];
/** Sends lines to the JSON listener. @returns the last answer */
async function jsonAnswer(...requests: readonly unknown[]): Promise<string> {
  let answer = "";
  for (const request of requests) answer = await askJson(json, request);
  return answer;
}
const created = (name: string) => [
  { action: "create", document: name },
  { action: "insert", document: name, data: [{ a: 1, b: [] }] },
];
const paddedSelect = (bytes: number) => `select 1${" ".repeat(bytes - "select 1".length)}`;
/** Returns a valid name, or one with a separator above the limit. */
const sqlName = (number: number, name: string) => (number === 0 ? name : `"${name}:t"`);
const parts = (count: number) => numbered(count, () => "1").join(" + ");
const nested = (levels: number) => `${"(".repeat(levels)}1${")".repeat(levels)}`;

/** Returns the entrance of a TIMELINE command: only daemons with a timeline answer it, to signed envelopes. */
const timelineEntrance = (words: (number: number) => readonly string[]): NonNullable<Row["others"]> => ({
  "an envelope": (number) => signedAnswer([["TIMELINE", ...words(number)]]),
});

/** Returns the entry of an administrator's commands. */
const byRoot = (...commands: readonly Command[]): Envelope => entryBy("root", commands);

/** Returns an entry of the cluster that receives pushed entries. */
function entryBy(
  signer: "root" | "application",
  commands: readonly Command[],
  header: Header = {},
): Envelope {
  return envelope(pushed.victims[signer], pushed.victims.cluster, commands, header);
}

const collection = (bytes: number, name: string) => letters(bytes - name.length - 1);
const database = (bytes: number, name: string) => `${name}${letters(bytes - name.length)}`;
const mongoIndex = (i: number) => `{"key":{"f${i}":1},"name":"f${i}"}`;

/** Returns the PEM of a public key with a modulus of a number of bits. It has no private key. */
function rsaPem(bits: number): string {
  const n = Buffer.alloc(bits / 8, 0x55);
  n[0] = 0x80;
  const key = { kty: "RSA", n: n.toString("base64url"), e: "AQAB" };
  return createPublicKey({ key, format: "jwk" }).export({ type: "spki", format: "pem" }).toString();
}

/** Returns a number of rules, which permit everything. */
const few = (count: number) => ["+@all", "~*", ...numbered(count - 2, () => "+get")];
/** Returns rules of a number of bytes, with the spaces between them. */
const long = (bytes: number) => ["+@all", "~*", `~${letters(bytes - "+@all ~* ~".length)}`];

const absent = (count: number, name: string) =>
  numbered(count, (i) => ({ db: 0, key: `${name}:${i}`, writer: "" }));

/** Entrances that take long, because each signs more than 1,000 envelopes. */
const FURTHER_WAITS: NonNullable<Row["others"]> = {
  "a read": (number, name) => waitingForOne(number, [["GET", name]]),
  "a transaction": (number, name) => waitingForOne(number, [["INCR", name]], { multi: true }),
  "a condition": (number, name) =>
    waitingForOne(number, [["SET", name, "1"]], { if: [{ db: 0, key: `${name}:`, writer: "" }] }),
  "a key command": (number) => waitingForOne(number, [["KEY", "LIST"]]),
};

/** Matches the refusals of envelopes. */
const REFUSED = /"kind":"refused"/;

const ROWS: readonly Row[] = [
  {
    limit: "a name of SQL has no :",
    page: "docs/sql.md",
    sentence: "A name has at least one character, and no `:`",
    max: 0,
    refused: /a name of at least one character, without ':'|does not consist of letters, digits and _/,
    commands: {
      "create database": (number, name) => [["SQL", "", `create database ${sqlName(number, name)}`]],
      "create database if not exists": (number, name) => [
        ["SQL", "", `create database if not exists ${sqlName(number, name)}`],
      ],
      "create table": (number, name) => inDatabase(name, `create table ${sqlName(number, "u")} (k number)`),
      "create view": (number, name) =>
        inDatabase(name, `create view ${sqlName(number, "u")} as select k from t`),
      "create domain": (number, name) => inDatabase(name, `create domain ${sqlName(number, "u")} (number)`),
    },
    others: {
      "a line": (number, name) => sql.told(`create database ${sqlName(number, name)}`),
      "an import": async (number, name) => {
        using folder = new ScratchFolder();
        mkdirSync(join(folder.path, number === 0 ? name : `${name}:t`, "tables"), { recursive: true });
        return await databasesIn(folder.path).then(
          () => "OK",
          ({ message }: Error) => message,
        );
      },
    },
  },
  {
    limit: "the key of a table of SQL has two names",
    page: "docs/sql.md",
    sentence: "A name has at least one character, and no `:`",
    max: 0,
    refused: /a table cannot be in the key/,
    commands: Object.fromEntries(
      ["sql:copied:u:x", "sql:copied", "sql::u", "sql:copied:"].flatMap((invalid) =>
        ["RENAME", "RENAMENX", "COPY"].map((word) => [
          `${word} to ${invalid}`,
          (number: number, name: string) => [
            ...inDatabase(name),
            ["DEL", invalid, `sql:${name}:u`],
            [word, `sql:${name}:t`, number === 0 ? `sql:${name}:u` : invalid],
          ],
        ]),
      ),
    ),
  },
  {
    limit: "the key of a collection names a valid one",
    page: "docs/mongo-collections.md",
    sentence: "RENAME and COPY refuse a key that begins with `mongo:` and names no valid collection",
    max: 0,
    refused: /a collection cannot be in the key/,
    commands: Object.fromEntries(
      [
        "mongo:.c",
        "mongo:d",
        "mongo:d.",
        "mongo:d.$c",
        "mongo:d.system.c",
        `mongo:d.${letters(254)}`,
      ].flatMap((invalid) =>
        ["RENAME", "RENAMENX", "COPY"].map((word) => [
          `${word} to ${invalid}`,
          (number: number, name: string) => [
            ["MDB.INSERT", name, "c", "1", '{"_id":1}'],
            [word, `mongo:${name}.c`, number === 0 ? `mongo:${name}.d` : invalid],
          ],
        ]),
      ),
    ),
  },
  {
    limit: "the label of a key",
    page: "docs/keys.md",
    sentence: "`LABEL` is a name of up to 128 bytes",
    max: 128,
    refused: /the label has 129 bytes, more than 128/,
    entries: {
      "KEY ADD": (number) => byRoot(["KEY", "ADD", makeKey().pem, "LABEL", letters(number)]),
      "CLUSTER ADD": (number) => byRoot(["CLUSTER", "ADD", makeKey().pem, "LABEL", letters(number)]),
    },
    others: {
      "dbsync keys add": (number) => keysAdd("--label", letters(number)),
      "dbsync restore": (number) =>
        outcomeOfRestored(byRoot(["KEY", "ADD", makeKey().pem, "LABEL", letters(number)])),
      "the configuration": async (number) => {
        using folder = new ScratchFolder();
        const file = folder.file(`${letters(number)}.pem`, makeKeyPair().pem);
        const config = folder.file(
          "dbsyncd.toml",
          `root-key = ["${file}"]\nsign-key = ["${application.file}"]\n`,
        );
        return await startOf("--config", config);
      },
      "KEY ADD": (number) => signedAnswer([["KEY", "ADD", makeKeyPair().pem, "LABEL", letters(number)]]),
      "CLUSTER ADD": (number) =>
        signedAnswer([["CLUSTER", "ADD", makeKeyPair().pem, "LABEL", letters(number)]]),
      "the name of a file": async (number) => {
        using folder = new ScratchFolder();
        return await startOf("-s", folder.file(`${letters(number)}.pem`, makeKeyPair().pem));
      },
    },
  },
  {
    limit: "commands of a unit",
    isLong: true,
    page: "docs/limits.md",
    sentence: "One may contain at most 100,000 commands that write or publish",
    max: 100_000,
    // An envelope names no limit, because the client checks it before.
    refused: /100000 commands|"code":"malformed"/,
    entries: {
      "an entry with multi": (number, name) =>
        entryBy(
          "application",
          numbered(number, () => ["INCR", name]),
          { more: ["multi", 1] },
        ),
    },
    others: {
      EXEC: async (number, name) => await execOf(await recording.portOf("Redis clients"), number, name),
      "a script": async (number, name) => {
        using connection = await RedisConnection.open(await recording.portOf("Redis clients"));
        const script = "for i = 1, ARGV[1] do redis.call('INCR', KEYS[1]) end return 'done'";
        return textOfValue(await connection.value("EVAL", script, "1", name, String(number)));
      },
      "an envelope with multi": (number, name) =>
        signedAnswer(
          numbered(number, () => ["INCR", name]),
          { multi: true },
        ),
      "multi of the client": async (number, name) => {
        const client = createClient({ servers: [`127.0.0.1:${signing.port}`], key: application.privateKey });
        try {
          const commands = numbered(number, () => ["INCR", name]);
          return await client.multi(commands).then(
            (replies) => String(replies?.at(-1)),
            ({ message }: Error) => message,
          );
        } finally {
          await client.close();
        }
      },
      "EXEC through a sidecar": async (number, name) => {
        const pem = application.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
        using folder = new ScratchFolder();
        const args = [
          folder.file("private.pem", pem),
          [`127.0.0.1:${signing.port}`],
          ["--resp", "0"],
        ] as const;
        await using sidecar = await startSidecar(...args);
        return await execOf(await sidecar.portOf("Redis clients"), number, name);
      },
    },
  },
  {
    limit: "commands of an envelope without multi",
    page: "docs/protocol-v2.md",
    sentence: "1 to 4096 commands, with `multi` 1 to 100000",
    max: 4096,
    refused: /"code":"malformed"/,
    entries: {
      "an entry": (number, name) =>
        entryBy(
          "application",
          numbered(number, () => ["INCR", name]),
        ),
    },
    others: {
      "an envelope": (number, name) => signedAnswer(numbered(number, () => ["INCR", name])),
    },
  },
  {
    limit: "keys of a condition",
    page: "docs/protocol-v2.md",
    sentence: "database, key, unit, database, key, unit, …; 1 to 1024 keys",
    max: 1024,
    refused: /"code":"malformed"|a list of 1 to 1024 conditions/,
    entries: {
      "an entry": (number, name) =>
        entryBy("application", [["SET", name, "1"]], {
          more: ["if", numbered(number, (i) => ["0", `${name}:${i}`, ""]).flat()],
        }),
    },
    others: {
      "an envelope": (number, name) => signedAnswer([["SET", name, "1"]], { if: absent(number, name) }),
      "if of the client": async (number, name) => {
        const client = createClient({ servers: `127.0.0.1:${signing.port}`, key: application.privateKey });
        try {
          const conditions = numbered(number, (i) => ({ key: `${name}:${i}`, writer: null }));
          return await client
            .call(["SET", name, "1"], { if: conditions })
            .then(String, ({ message }: Error) => message);
        } finally {
          await client.close();
        }
      },
    },
  },
  {
    limit: "the name of a user",
    page: "docs/protocol-v2.md",
    sentence: "for clients of its listeners that do not sign (1 to 256 bytes)",
    max: 256,
    refused: /a user's name of 257 bytes, above 256/,
    entries: {
      "an entry of a daemon": (number, name) =>
        envelope(pushed.daemonKey, pushed.victims.cluster, [["SET", name, "1"]], {
          more: ["as", letters(number)],
        }),
    },
    others: {
      "ACL SETUSER": (number) => answerOf("ACL", "SETUSER", letters(number)),
      "the file of users": async (number) => {
        using folder = new ScratchFolder();
        const file = folder.file(
          "users.acl",
          `user default on nopass ~* +@all\nuser ${letters(number)} off\n`,
        );
        return await startOf("--resp", "0", "--acl-file", file);
      },
    },
  },
  ...rulesRows(),
  {
    limit: "bits of an RSA key",
    page: "docs/keys.md",
    sentence: "It is an RSA key of 2048 to 16384 bits",
    max: 16_384,
    above: 16_392,
    refused: /above 16384/,
    entries: { "KEY ADD": (number) => byRoot(["KEY", "ADD", rsaPem(number)]) },
    others: {
      "KEY ADD": (number) => signedAnswer([["KEY", "ADD", rsaPem(number)]]),
      "CLUSTER ADD": (number) => signedAnswer([["CLUSTER", "ADD", rsaPem(number)]]),
      "the file of a key": async (number) => {
        using folder = new ScratchFolder();
        return await startOf("-s", folder.file("long.pem", rsaPem(number)));
      },
      "the file of an administrator's key": async (number) => {
        using folder = new ScratchFolder();
        return await startOf("-s", application.file, "--root-key", folder.file("long.pem", rsaPem(number)));
      },
    },
  },
  {
    limit: "the length of an envelope of key commands",
    page: "docs/protocol-v2.md",
    sentence: "and its body may have at most 256 KiB, whatever rights its signer has",
    max: 250 * 2 ** 10,
    above: 2 ** 18,
    refused: /"code":"ring-too-long"/,
    entries: {
      "KEY ADD": (number) => byRoot(["KEY", "ADD", letters(number)]),
      "KEY ADD, several": (number) => byRoot(...numbered(64, () => ["KEY", "ADD", letters(number / 64)])),
      "CLUSTER ADD": (number) => byRoot(["CLUSTER", "ADD", letters(number)]),
    },
    others: {
      "KEY ADD": (number) => signedAnswer([["KEY", "ADD", letters(number)]]),
      "KEY ADD, several": (number) => signedAnswer(numbered(64, () => ["KEY", "ADD", letters(number / 64)])),
      "KEY ADD, with multi": (number) =>
        signedAnswer(
          numbered(2, () => ["KEY", "ADD", letters(number / 2)]),
          { multi: true },
        ),
      "CLUSTER ADD": (number) => signedAnswer([["CLUSTER", "ADD", letters(number)]]),
    },
  },
  {
    limit: "order keys of TIMELINE OUTCOME",
    page: "docs/protocol-v2.md",
    sentence: '84 hexadecimal digits, packed as in "Members"; at most 1000',
    max: 1000,
    refused: /order keys are named, but at most 1000 are allowed/,
    others: timelineEntrance((number) => [
      "OUTCOME",
      "0".repeat(64),
      ...numbered(number, () => "0".repeat(84)),
    ]),
  },
  {
    limit: "subscriptions of a connection",
    page: "docs/protocol-v2.md",
    sentence: "A connection may have 10,000 subscriptions",
    max: 10_000,
    refused: /at most 10000 subscriptions/,
    others: {
      ...Object.fromEntries(
        ["SUBSCRIBE", "PSUBSCRIBE", "SSUBSCRIBE", "WATCH", "WATCHPREFIX"].map((word) => [
          word,
          (number: number) => listening([[word, ...numbered(number, String)]]),
        ]),
      ),
      "several commands": (number) =>
        listening([
          ["SUBSCRIBE", ...numbered(number - 1, String)],
          ["WATCH", "last"],
        ]),
      "several envelopes": (number) =>
        listening([["WATCH", ...numbered(number - 1, String)]], [["PSUBSCRIBE", "last"]]),
    },
  },
  {
    limit: "envelopes of a key that wait for another one",
    page: "docs/protocol-v2.md",
    sentence: "At most 1,024 envelopes and 64 MiB may wait. The waiting envelopes of a single key",
    // A key may use at most half.
    max: 512,
    refused: REFUSED,
    others: {
      "a write": (number, name) => waitingForOne(number, [["INCR", name]]),
      "a subscription": (number, name) => waitingForOne(number, [["WATCH", name]], {}, listenFrame),
      ...(isFull ? FURTHER_WAITS : {}),
    },
  },
  {
    limit: "units of TIMELINE LOG",
    page: "docs/protocol-v2.md",
    sentence: "the newest `n` units (default 100, at most 10,000)",
    max: 10_000,
    refused: /LIMIT/,
    others: timelineEntrance((number) => ["LOG", "LIMIT", String(number)]),
  },
  {
    limit: "dead letters of TIMELINE DEADLETTERS",
    page: "docs/protocol-v2.md",
    sentence: "n is at most 200",
    max: 200,
    refused: /LIMIT/,
    others: timelineEntrance((number) => ["DEADLETTERS", "LIMIT", String(number)]),
  },
  {
    limit: "nested parentheses of SQL",
    page: "docs/sql.md",
    sentence: "| nested parentheses and queries | 32 levels |",
    max: 29,
    above: 33,
    refused: /more than 32 levels/,
    commands: {
      select: (number, name) => inDatabase(name, `select ${nested(number)}`),
      where: (number, name) => inDatabase(name, `delete from t where ${nested(number)}`),
      update: (number, name) => inDatabase(name, `update t set k = ${nested(number)}`),
      insert: (number, name) => inDatabase(name, `insert into t (k) values (${nested(number)})`),
      "order by": (number, name) => inDatabase(name, `select k from t order by ${nested(number)} + k`),
      "group by": (number, name) => inDatabase(name, `select count(*) from t group by k + ${nested(number)}`),
      having: (number, name) => inDatabase(name, `select count(*) from t having ${nested(number)}`),
      join: (number, name) => inDatabase(name, `select 1 from t join t u on ${nested(number)}`),
      view: (number, name) => inDatabase(name, `create view v as select ${nested(number)} x`),
    },
    others: {
      "a line": (number) => sql.ask(`select ${nested(number)} x`),
    },
  },
  {
    limit: "operators of SQL",
    page: "docs/sql.md",
    sentence: "| operators in a condition or value | 500 |",
    max: 500,
    above: 502,
    refused: /more than 500 operators/,
    commands: {
      select: (number, name) => inDatabase(name, `select ${parts(number)}`),
      where: (number, name) => inDatabase(name, `delete from t where ${parts(number)}`),
      update: (number, name) => inDatabase(name, `update t set k = ${parts(number)}`),
      insert: (number, name) => inDatabase(name, `insert into t (k) values (${parts(number)})`),
      view: (number, name) => inDatabase(name, `create view v as select ${parts(number)} x`),
    },
  },
  {
    limit: "columns of SQL",
    page: "docs/sql.md",
    sentence: "| columns of a table, of a query, or of the changes of an update | 1,000 |",
    max: 1000,
    refused: /more than 1000 columns/,
    commands: {
      "create table": (number, name) =>
        inDatabase(name, `create table u (${numbered(number, (i) => `c${i} number`)})`),
      select: (number, name) => inDatabase(name, `select ${numbered(number, (i) => `k c${i}`)} from t`),
      update: (number, name) => inDatabase(name, `update t set ${numbered(number, () => "k = 1")}`),
      view: (number, name) =>
        inDatabase(name, `create view v as select ${numbered(number, (i) => `k c${i}`)} from t`),
    },
  },
  {
    limit: "indexes of a table",
    page: "docs/sql.md",
    sentence: "| indexes of a table that statements have created | 64 |",
    max: 64,
    refused: /more than 64 indexes of one table/,
    commands: Object.fromEntries(
      ["index", "unique index"].map((kind) => [
        `create ${kind}`,
        (number: number, name: string) =>
          inDatabase(name, ...numbered(number, (i) => `create ${kind} i${i} on t (k, s)`)),
      ]),
    ),
  },
  {
    limit: "levels of an entry",
    page: "docs/json-documents.md",
    sentence: "This leaves 509 levels for a new entry, also in `DOC.INSERT`",
    max: 509,
    refused: /nested too deeply|more than 509 levels deep|Maximum stack depth exceeded/,
    commands: {
      "DOC.INSERT": (number, name) => [
        ["DOC.CREATE", name],
        ["DOC.INSERT", name, objects(number)],
      ],
      "DOC.INSERT KEYS": (number, name) => [
        ["DOC.CREATE", name],
        ["DOC.INSERT", name, "KEYS", "k", objects(number)],
      ],
      "DOC.UPDATE of all entries": (number, name) =>
        inDocument(name, "DOC.UPDATE", name, `[${objects(number)}]`, "ID", "0"),
      "DOC.UPDATE UPSERT": (number, name) =>
        inDocument(name, "DOC.UPDATE", name, `{"a":${lists(number - 1)},"b":1}`, "ID", "7", "UPSERT"),
      "DOC.UPDATE $set": (number, name) =>
        inDocument(name, "DOC.UPDATE", name, `{"$set":{"a":${lists(number - 1)}}}`, "ID", "0"),
      "DOC.UPDATE $push": (number, name) =>
        inDocument(name, "DOC.UPDATE", name, `{"$push":{"b":${lists(number - 2)}}}`, "ID", "0"),
      "DOC.MEMBER ADD": (number, name) => inDocument(name, "DOC.MEMBER", "ADD", name, "c", lists(number - 1)),
    },
    others: {
      insert: (number, name) =>
        jsonAnswer(
          { action: "create", document: name },
          `{"action":"insert","document":"${name}","data":[${objects(number)}]}`,
        ),
      addmember: (number, name) =>
        jsonAnswer(
          ...created(name),
          `{"action":"addmember","document":"${name}","field":"c","value":${lists(number - 1)}}`,
        ),
    },
  },
  {
    limit: "numbers of an entry",
    page: "docs/json-documents.md",
    sentence: "| `1e400` | an error: `Inf and NaN cannot be JSON encoded.` |",
    max: 308,
    refused: /outside the range of doubles|not finite|Inf and NaN cannot be JSON encoded/,
    commands: {
      "DOC.INSERT": (number, name) => [
        ["DOC.CREATE", name],
        ["DOC.INSERT", name, `{"a":1e${number}}`],
      ],
      "DOC.UPDATE": (number, name) => inDocument(name, "DOC.UPDATE", name, `{"a":[1e${number}]}`, "ID", "0"),
      "DOC.UPDATE $set": (number, name) =>
        inDocument(name, "DOC.UPDATE", name, `{"$set":{"a":1e${number}}}`, "ID", "0"),
      "DOC.UPDATE $mul": (number, name) => [
        ...inDocument(name, "DOC.UPDATE", name, '{"$set":{"a":1e300}}', "ID", "0"),
        ["DOC.UPDATE", name, `{"$mul":{"a":1e${number - 300}}}`, "ID", "0"],
      ],
      "DOC.UPDATE $push": (number, name) =>
        inDocument(name, "DOC.UPDATE", name, `{"$push":{"b":1e${number}}}`, "ID", "0"),
      "DOC.MEMBER ADD": (number, name) => inDocument(name, "DOC.MEMBER", "ADD", name, "c", `1e${number}`),
    },
    others: {
      insert: (number, name) =>
        jsonAnswer(
          { action: "create", document: name },
          `{"action":"insert","document":"${name}","data":[{"a":1e${number}}]}`,
        ),
      update: (number, name) =>
        jsonAnswer(
          ...created(name),
          `{"action":"update","document":"${name}","id":0,"data":{"a":1e${number}}}`,
        ),
      addmember: (number, name) =>
        jsonAnswer(
          ...created(name),
          `{"action":"addmember","document":"${name}","field":"c","value":1e${number}}`,
        ),
    },
  },
  {
    limit: "numbers of SQL",
    page: "docs/sql.md",
    sentence: "**Numbers** are doubles. A number that becomes too large is an error.",
    max: 308,
    refused: /too large|takes NUMBER/,
    commands: {
      select: (number, name) => inDatabase(name, `select 1e${number}`),
      arithmetic: (number, name) => inDatabase(name, `select 1e300 * 1e${number - 300}`),
      sum: (number, name) =>
        inDatabase(
          name,
          "insert into t (k) values (8e307)",
          `select sum(k + ${number === 308 ? 0 : "8e307"}) + 8e307 from t`,
        ),
      insert: (number, name) => inDatabase(name, `insert into t (k) values (1e${number})`),
      "insert of a bound value": (number, name) => [
        ...inDatabase(name),
        ["SQL", name, "insert into t (k) values (?)", `1e${number}`],
      ],
      "insert of a query": (number, name) =>
        inDatabase(name, `insert into t (k) select 1e300 * 1e${number - 300}`),
      update: (number, name) =>
        inDatabase(name, "insert into t (k) values (1e300)", `update t set k = k * 1e${number - 300}`),
      "a default": (number, name) => inDatabase(name, `create table u (k number default 1e${number})`),
      "the bound of a type": (number, name) => inDatabase(name, `create table u (k number(0, 1e${number}))`),
      cast: (number, name) => inDatabase(name, `select cast('1e${number}' as number)`),
    },
  },
  {
    limit: "the names of a MongoDB collection",
    page: "docs/mongo-collections.md",
    sentence: "| bytes of a database's name; bytes of both names together | 63; 255 |",
    max: 255,
    refused: /Invalid namespace/,
    commands: {
      "MDB.CREATE": (number, name) => [["MDB.CREATE", name, collection(number, name)]],
      "MDB.INSERT": (number, name) => [["MDB.INSERT", name, collection(number, name), "1", '{"_id":1}']],
      "MDB.UPDATE, upsert": (number, name) => [
        ["MDB.UPDATE", name, collection(number, name), "1", '{"q":{"_id":1},"u":{"a":1},"upsert":true}'],
      ],
      "MDB.FINDANDMODIFY, upsert": (number, name) => [
        [
          "MDB.FINDANDMODIFY",
          name,
          collection(number, name),
          '{"query":{"_id":1},"update":{},"upsert":true}',
        ],
      ],
      "MDB.CREATEINDEXES": (number, name) => [
        ["MDB.CREATEINDEXES", name, collection(number, name), '{"key":{"a":1},"name":"a"}'],
      ],
      "MDB.RENAME": (number, name) => [
        ["MDB.CREATE", name, "c"],
        ["MDB.RENAME", name, "c", name, collection(number, name), "0"],
      ],
    },
  },
  {
    limit: "the name of a MongoDB database",
    page: "docs/mongo-collections.md",
    sentence: "| bytes of a database's name; bytes of both names together | 63; 255 |",
    max: 63,
    refused: /Invalid (?:namespace|database name)|a collection cannot be in the key/,
    commands: {
      "MDB.CREATE": (number, name) => [["MDB.CREATE", database(number, name), "c"]],
      "MDB.INSERT": (number, name) => [["MDB.INSERT", database(number, name), "c", "1", '{"_id":1}']],
      "MDB.RENAME": (number, name) => [
        ["MDB.CREATE", name, "c"],
        ["MDB.RENAME", name, "c", database(number, name), "c", "0"],
      ],
      RENAME: (number, name) => [
        ["MDB.CREATE", name, "c"],
        ["RENAME", `mongo:${name}.c`, `mongo:${database(number, name)}.c`],
      ],
    },
  },
  {
    limit: "indexes of a MongoDB collection",
    page: "docs/mongo-collections.md",
    sentence: "| indexes of a collection; fields of an index or a sort | 64; 32 |",
    // The index of _id is one of them.
    max: 63,
    refused: /a collection has at most 64 indexes/,
    commands: {
      "one MDB.CREATEINDEXES": (number, name) => [
        ["MDB.CREATEINDEXES", name, "c", ...numbered(number, mongoIndex)],
      ],
      "several MDB.CREATEINDEXES": (number, name) => [
        ["MDB.CREATEINDEXES", name, "c", ...numbered(number - 1, mongoIndex)],
        ["MDB.CREATEINDEXES", name, "c", mongoIndex(number)],
      ],
    },
  },
  {
    limit: "levels of a MongoDB document",
    page: "docs/limits.md",
    sentence: "and 100 levels",
    max: 90,
    above: 101,
    refused: /nested more than 100 levels deep|Cannot create field/,
    commands: {
      "MDB.INSERT": (number, name) => [["MDB.INSERT", name, "c", "1", objects(number)]],
      "MDB.UPDATE": (number, name) => [
        ["MDB.UPDATE", name, "c", "1", `{"q":{"_id":1},"u":${objects(number)},"upsert":true}`],
      ],
      "MDB.UPDATE $set": (number, name) => [
        [
          "MDB.UPDATE",
          name,
          "c",
          "1",
          `{"q":{"_id":1},"u":{"$set":{"b":${objects(number - 1)}}},"upsert":true}`,
        ],
      ],
      "MDB.UPDATE of a path": (number, name) => [
        ["MDB.UPDATE", name, "c", "1", `{"q":{"_id":1},"u":{"$set":{"${path(number)}":1}},"upsert":true}`],
      ],
      "MDB.FINDANDMODIFY": (number, name) => [
        ["MDB.FINDANDMODIFY", name, "c", `{"query":{"_id":1},"update":${objects(number)},"upsert":true}`],
      ],
    },
  },
  {
    limit: "indexes of a document",
    page: "docs/json-documents.md",
    sentence: "A document may have 16 indexes",
    max: 16,
    refused: /A document has at most 16 indexes/,
    commands: {
      "DOC.INDEX CREATE": (number, name) => [
        ["DOC.CREATE", name],
        ...numbered(number, (i) => `f${i}`).map((field) => ["DOC.INDEX", "CREATE", name, field]),
      ],
    },
    others: {
      createindex: (number, name) =>
        jsonAnswer(
          { action: "create", document: name },
          ...numbered(number, (i) => `f${i}`).map((field) => ({
            action: "createindex",
            document: name,
            field,
          })),
        ),
    },
  },
  {
    limit: "names of a sort",
    page: "docs/json-documents.md",
    sentence: "with at most 8 names",
    max: 8,
    refused: /of at most 8 names/,
    commands: Object.fromEntries(
      [["DOC.GET"], ["DOC.UPDATE", '{"a":2}', "WHERE", "{}"], ["DOC.DELETE", "WHERE", "{}"]].map(
        ([command = "", ...rest]) => [
          command,
          (number: number, name: string) =>
            inDocument(name, command, name, ...rest, "SORT", `{${numbered(number, (i) => `"s${i}":"asc"`)}}`),
        ],
      ),
    ),
    others: {
      get: (number, name) =>
        jsonAnswer(...created(name), {
          action: "get",
          document: name,
          sort: Object.fromEntries(numbered(number, (i) => `s${i}`).map((each) => [each, "asc"])),
        }),
    },
  },
  {
    limit: "characters of a pattern",
    page: "docs/json-documents.md",
    sentence: "A pattern has at most 1,000 characters",
    max: 1000,
    refused: /a pattern has at most 1000 characters/,
    commands: {
      "DOC.GET": (number, name) =>
        inDocument(name, "DOC.GET", name, "WHERE", `{"a":{"$regex":"${pattern(number)}"}}`),
      "DOC.DELETE": (number, name) =>
        inDocument(name, "DOC.DELETE", name, "WHERE", `{"a":{"$regex":"${pattern(number)}"}}`),
      "DOC.UPDATE $pull": (number, name) =>
        inDocument(name, "DOC.UPDATE", name, `{"$pull":{"b":{"$regex":"${pattern(number)}"}}}`, "ID", "0"),
      "MDB.FIND": (number, name) => [
        ["MDB.INSERT", name, "c", "1", '{"_id":1}'],
        ["MDB.FIND", name, "c", `{"filter":{"a":{"$regex":"${pattern(number)}"}}}`],
      ],
      "MDB.DELETE": (number, name) => [
        ["MDB.INSERT", name, "c", "1", '{"_id":1}'],
        ["MDB.DELETE", name, "c", "1", `{"q":{"a":{"$regex":"${pattern(number)}"}},"limit":0}`],
      ],
      "MDB.AGGREGATE": (number, name) => [
        ["MDB.INSERT", name, "c", "1", '{"_id":1}'],
        [
          "MDB.AGGREGATE",
          name,
          "c",
          `{"pipeline":[{"$project":{"a":{"$regexMatch":{"input":"x","regex":"${pattern(number)}"}}}}]}`,
        ],
      ],
    },
  },
  {
    limit: "names of a path",
    page: "docs/json-documents.md",
    sentence: "there they have up to 32 names",
    max: 32,
    refused: /A path has at most 32 names/,
    commands: {
      fields: (number, name) => inDocument(name, "DOC.GET", name, "FIELDS", `["${path(number)}"]`),
      sort: (number, name) => inDocument(name, "DOC.GET", name, "SORT", `{"${path(number)}":"asc"}`),
      "an index": (number, name) => inDocument(name, "DOC.INDEX", "CREATE", name, path(number)),
    },
  },
  {
    limit: "the name of a connection",
    page: "docs/commands.md",
    sentence: "A name has at most 1024 bytes.",
    max: 1024,
    refused: /may have at most 1024 bytes here/,
    others: {
      "CLIENT SETNAME": (number) => answerOf("CLIENT", "SETNAME", letters(number)),
      "HELLO SETNAME": (number) => answerOf("HELLO", "2", "SETNAME", letters(number)),
      "CLIENT SETINFO": (number) => answerOf("CLIENT", "SETINFO", "lib-name", letters(number)),
    },
  },
  {
    limit: "watched keys",
    page: "docs/redis-clients.md",
    sentence: "`WATCH` accepts at most 1024 keys",
    max: 1024,
    refused: /at most 1024 keys/,
    others: {
      "one WATCH": (number) => watching([numbered(number, (i) => `w${i}`)]),
      "several WATCH": (number) => watching([numbered(number - 1, (i) => `w${i}`), ["last"]]),
      "WATCH in two databases": (number) =>
        watching([numbered(number - 1, (i) => `w${i}`), ["w0"]], { last: 1 }),
    },
  },
  {
    limit: "the length of a statement of SQL",
    page: "docs/sql.md",
    sentence: "| length of a statement | 4 MiB |",
    max: 4 * 2 ** 20,
    refused: /too much: line 1, column 1: more than 4194304 bytes/,
    commands: {
      SQL: (number, name) => inDatabase(name, paddedSelect(number)),
    },
  },
  {
    limit: "the size of a MongoDB document",
    isLong: true,
    page: "docs/mongo-collections.md",
    sentence: "| bytes of a document; of a statement or a command with one | 16 MiB; 16 KiB more |",
    // The document {_id: 1, a: TEXT} has 29 bytes more than its text.
    max: 2 ** 24 - 64,
    above: 2 ** 24,
    refused: /BSONObj size|16 MiB|16777216|larger than|too large/,
    commands: {
      "MDB.INSERT": (number, name) => [["MDB.INSERT", name, "c", "1", `{"_id":1,"a":"${letters(number)}"}`]],
      "MDB.UPDATE, upsert": (number, name) => [
        ["MDB.UPDATE", name, "c", "1", `{"q":{"_id":1},"u":{"a":"${letters(number)}"},"upsert":true}`],
      ],
      "MDB.UPDATE $set": (number, name) => [
        ["MDB.INSERT", name, "c", "1", `{"_id":1,"a":"${letters(number - 2 ** 20)}"}`],
        ["MDB.UPDATE", name, "c", "1", `{"q":{"_id":1},"u":{"$set":{"b":"${letters(2 ** 20 - 8)}"}}}`],
      ],
      "MDB.UPDATE $push": (number, name) => [
        ["MDB.INSERT", name, "c", "1", `{"_id":1,"l":[],"a":"${letters(number - 2 ** 20)}"}`],
        ["MDB.UPDATE", name, "c", "1", `{"q":{"_id":1},"u":{"$push":{"l":"${letters(2 ** 20 - 24)}"}}}`],
      ],
      "MDB.FINDANDMODIFY": (number, name) => [
        ["MDB.INSERT", name, "c", "1", `{"_id":1,"a":"${letters(number - 2 ** 20)}"}`],
        [
          "MDB.FINDANDMODIFY",
          name,
          "c",
          `{"query":{"_id":1},"update":{"$set":{"b":"${letters(2 ** 20 - 8)}"}},"fields":{"_id":1}}`,
        ],
      ],
    },
  },
];

/** Returns the rows of the two limits of rules, which have the same entrances. */
function rulesRows(): Row[] {
  const rows = [
    { limit: "rules of a key", max: 128, refused: /129 rules, above 128/, rules: few },
    { limit: "bytes of rules", max: 8192, refused: /rules of 8193 bytes, above 8192/, rules: long },
  ];
  return rows.map(({ rules, ...row }) => ({
    ...row,
    page: "docs/keys.md",
    sentence: "**Limits**: 128 rules, 8192 bytes.",
    entries: {
      "KEY ADD": (number) => byRoot(["KEY", "ADD", makeKey().pem, "RULES", ...rules(number)]),
      "KEY RULES": (number) =>
        byRoot(["KEY", "RULES", pushed.victims.application.id.toString("hex"), ...rules(number)]),
    },
    others: {
      "KEY ADD": (number) => signedAnswer([["KEY", "ADD", makeKeyPair().pem, "RULES", ...rules(number)]]),
      "KEY RULES": (number) => signedAnswer([["KEY", "RULES", hexOf(application.id), ...rules(number)]]),
      "dbsync keys add": (number) => keysAdd("--rules", rules(number).join(" ")),
      "dbsync restore": (number) =>
        outcomeOfRestored(byRoot(["KEY", "ADD", makeKey().pem, "RULES", ...rules(number)])),
    },
  }));
}

/** Starts a daemon with options. @returns OK, or the error */
async function startOf(...args: readonly string[]): Promise<string> {
  // A daemon in the process of the test does not read --config.
  const start: (args: readonly string[]) => Promise<AsyncDisposable> = args.includes("--config")
    ? startDaemon
    : startDaemonHere;
  return await start(args).then(
    async (started) => {
      await started[Symbol.asyncDispose]();
      return "OK";
    },
    ({ message }: Error) => message,
  );
}

/** Adds a new key with options, as an administrator does. @returns what the program prints */
async function keysAdd(...args: readonly string[]): Promise<string> {
  using folder = new ScratchFolder();
  const pem = root.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const words = ["keys", "add", makeKeyPair().file, "-k", folder.file("root.pem", pem, 0o600), ...args];
  const { stdout, stderr } = await runDbsync([...words, "-s", `127.0.0.1:${signing.port}`]);
  return stdout + stderr;
}

/** Restores a backup of a daemon that a peer has sent an entry. @returns the entry's outcome in the restored folder */
async function outcomeOfRestored(entry: Envelope): Promise<string> {
  const { victims } = pushed;
  const later = pushed.laterThan(entry);
  await pushed.outcomeOf(entry, later);

  using folder = new ScratchFolder();
  const [file, restored] = [join(folder.path, "backup"), join(folder.path, "restored")];
  for (const words of [
    ["backup", "--data", victims.folder(0), file],
    ["restore", file, "--data", restored],
  ]) {
    const { code, stderr } = await runDbsync(words);
    assert.equal(code, 0, stderr);
  }

  const keys = ["-s", join(victims.scratch.path, "application.pem")];
  keys.push("--root-key", join(victims.scratch.path, "root.pem"));
  await using started = await startDaemonHere([...keys, "--data", restored]);
  return await outcomeAt(started.port, victims.root, entry, later);
}

function pattern(characters: number): string {
  // A class of characters counts as one step.
  return `[${letters(characters - 2)}]`;
}

async function answerOf(...argv: readonly string[]): Promise<string> {
  return textOfValue(await redis.value(...argv));
}

/** Runs a transaction of a number of commands. @returns the beginning of the answer */
async function execOf(port: number, number: number, name: string): Promise<string> {
  using connection = await RedisConnection.open(port);
  await connection.value("MULTI");
  for (let i = 0; i < number; i++) connection.queue(["INCR", name]);
  await connection.flush();
  return textOfValue(await connection.value("EXEC")).slice(0, 200);
}

/** Sends an envelope of an administrator. @returns the last answer, or the refusal */
async function signedAnswer(
  commands: readonly (readonly string[])[],
  header: Partial<EnvelopeHeader> = {},
): Promise<string> {
  using client = await EnvelopeClient.open(signing.port, root);
  return answerIn(await client.ask(commands, header));
}

/** Returns the last answer of a message, or the refusal. */
const answerIn = (message: DaemonMessage | null): string =>
  message?.kind === "result" ? shown(message.replies.at(-1) as Reply) : JSON.stringify(message);

/** Returns the frame of a message with subscriptions. */
const listenFrame = ({ body, signature }: SignedEnvelope): ByteString =>
  writeFrame(writeListen(body.toString("latin1"), signature.toString("latin1")), 2);

/** Subscribes on one connection by several envelopes. @returns the last answer */
async function listening(...envelopes: readonly Commands[]): Promise<string> {
  using client = await EnvelopeClient.open(signing.port, root);
  const { daemon: only } = await client.hello();
  let answer = "";
  for (const commands of envelopes)
    answer = answerIn(await client.exchange(listenFrame(client.sign(commands, { only }))));
  return answer;
}

/**
 * Sends a number of envelopes that wait for another one, and then this one.
 * @param frameOf  returns the message of a waiting envelope
 * @returns a refusal of a waiting envelope, if there is one
 */
async function waitingForOne(
  number: number,
  commands: Commands,
  header: Partial<EnvelopeHeader> = {},
  frameOf = ({ frame }: SignedEnvelope) => frame,
): Promise<string> {
  using client = await EnvelopeClient.open(signing.port, root);
  const only = frameOf === listenFrame ? (await client.hello()).daemon : null;
  const at = Date.now();
  const awaited = client.sign([["INCR", "awaited"]], { at });
  const after = unitOrderKey(at, 0, awaited.id, 0);
  const waiting = numbered(number, () => frameOf(client.sign(commands, { ...header, after, only })));
  client.raw.send([...waiting, awaited.frame].join(""));
  const answers: string[] = [];
  for (let i = 0; i < number; i++) answers.push(answerIn(await client.next()));
  return answers.find((answer) => REFUSED.test(answer)) ?? "accepted";
}

/**
 * Watches keys at a daemon that records commands, which alone has this limit.
 * @param last  the database of the last command
 * @returns the last answer
 */
async function watching(commands: readonly (readonly string[])[], { last = 0 } = {}): Promise<string> {
  using connection = await RedisConnection.open(await recording.portOf("Redis clients"));
  let answer = "";
  for (const [i, keys] of commands.entries()) {
    await connection.value("SELECT", String(i === commands.length - 1 ? last : 0));
    answer = textOfValue(await connection.value("WATCH", ...keys));
  }
  return answer;
}

/** Runs a command in a transaction. */
async function inTransaction(argv: readonly string[]): Promise<string> {
  await redis.value("MULTI");
  await redis.value(...argv);
  return await answerOf("EXEC");
}

/** Each way in which a command reaches the store. @returns the answer */
const WAYS: Readonly<Record<string, (argv: readonly string[]) => Promise<string>>> = {
  alone: (argv) => answerOf(...argv),
  "in a transaction": inTransaction,
  "in a script": (argv) => answerOf("EVAL", "return redis.call(unpack(ARGV))", "0", ...argv),
};

let names = 0;

async function answers(
  commands: Commands,
  run: (argv: readonly string[]) => Promise<string>,
): Promise<string> {
  for (const argv of commands.slice(0, -1)) {
    const answer = await answerOf(...argv);
    assert.doesNotMatch(answer, /^(?:ERR|MONGO) /, JSON.stringify(argv).slice(0, 200));
  }
  return await run(commands.at(-1) ?? []);
}

/**
 * Runs commands as the fold executes the entries of peers.
 * @returns the last answer, and whether it changed the state
 */
function folded(commands: Commands): { readonly answer: string; readonly isChanged: boolean } {
  const database = new Database();
  const execute = (argv: readonly string[]) =>
    database.execute(argv.map(bytesOfText), { at: 1_000_000, db: 0, id: "unit" });
  for (const argv of commands.slice(0, -1)) execute(argv);
  const before = canonicalState(database);
  const answer = shown(execute(commands.at(-1) ?? []));
  return { answer, isChanged: JSON.stringify(canonicalState(database)) !== JSON.stringify(before) };
}

for (const row of ROWS) {
  const {
    limit,
    page,
    sentence,
    isLong,
    max,
    above = max + 1,
    refused,
    commands = {},
    others = {},
    entries = {},
  } = row;
  test(`${limit}: the documented limit holds at each entrance`, {
    skip: isLong ? skipUnlessFull : false,
  }, async () => {
    const text = readFileSync(join(repositoryRoot, page), "utf8").replace(/\s+/g, " ");
    assert.ok(text.includes(sentence), `${page} does not contain: ${sentence}`);

    const check = (answer: string, isAbove: boolean, where: string) => {
      if (isAbove) assert.match(answer, refused, `${where}: accepted above the limit`);
      else assert.doesNotMatch(answer, refused, `${where}: refused at the limit`);
    };

    for (const isAbove of [false, true]) {
      const number = isAbove ? above : max;
      for (const [entrance, make] of Object.entries(commands)) {
        for (const [way, run] of Object.entries(WAYS)) {
          const answer = await answers(make(number, `n${names++}`), run);
          check(answer, isAbove, `${entrance}, ${way}`);
        }
        const { answer, isChanged } = folded(make(number, "folded"));
        check(answer, isAbove, `${entrance}, as an entry of a peer`);
        assert.ok(!(isAbove && isChanged), `${entrance}: a refused entry changes the state`);
      }

      for (const [entrance, run] of Object.entries(others))
        check(await run(number, `n${names++}`), isAbove, entrance);

      for (const [entrance, make] of Object.entries(entries)) {
        const outcome = await pushed.outcomeOf(make(number, `n${names++}`));
        // The daemons do not store an entry that is malformed.
        const isRefused = outcome === "refused" || refused.test(outcome);
        assert.equal(isRefused, isAbove, `${entrance}, as an entry of a peer: ${outcome}`);
      }
    }
  });
}
