/** Contents of another server beside those here: what it lacks, what it has that is not here, what is another. */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { isContainer, JsonNumber, memberValues } from "../../../protocol/json/json-value.js";
import { phpFormOf, writePhpMembers, writePhpString } from "../../../protocol/json/json-writer.js";
import type { Contents, DocumentStore } from "./document-store.js";
import type { Counts, Fleet } from "./fleet.js";
import { begin, contents, contentsIn, digest, LIST, level, puts, textIn, textsIn } from "./fleet-messages.js";
import type { MissedDocuments } from "./missed-documents.js";
import { objectOf, type ReplicaConnection } from "./replica-connection.js";

/** Answered by the names of all documents. */
const ORIGINAL_LIST = '{"action":"list"}';

export interface LevelParts {
  readonly host: { readonly fleet: Fleet; readonly store: DocumentStore };
  /** What the other one had when it was met. */
  readonly counts: Counts;
  /** Documents of which it may not have all. */
  readonly missed: Pick<MissedDocuments, "has">;
  /** A document is now here that was there alone. */
  readonly adopted: (document: ByteString) => void;
  /** Called once all is sent, in the same turn: what is written from now on comes behind it. */
  readonly sealed: () => void;
}

export interface Levelled {
  /** Documents that were sent, and what comes of each. */
  readonly sent: readonly { readonly document: ByteString; readonly answer: Promise<string> }[];
  /** The answer of the other one once it has all of them. */
  readonly isLevel: Promise<string>;
  /** Those of them for which there is no reason: the other one lacked no write. */
  readonly unexplained: readonly ByteString[];
}

/**
 * Gives a daemon that follows this one all that it lacks, in one turn: what is done before is in it, what is done behind it is to be told.
 * @returns null: this one does not lead any more
 * @throws Error  the connection
 */
export async function levelOut(
  connection: ReplicaConnection,
  { host: { fleet, store }, counts, missed, adopted, sealed }: LevelParts,
): Promise<Levelled | null> {
  const there = textsIn(objectOf(await connection.ask(LIST)).get("names"));
  const digests = new Map<ByteString, string>();
  const foreign = new Map<ByteString, Contents>();
  await Promise.all(
    there.map(async (name) => {
      digests.set(name, textIn(objectOf(await connection.ask(digest(name))).get("digest")));
      // Remembered, so that the last look is a short one.
      if (store.digestOf(name) === "")
        foreign.set(name, contentsIn(objectOf(await connection.ask(contents(name)))));
    }),
  );
  if (!fleet.leads || connection.isLost) return null;
  const isDropped = droppedSince(fleet, counts);
  for (const [name, whole] of foreign)
    if (store.digestOf(name) === "" && !isDropped.has(name) && !missed.has(name) && whole !== null) {
      store.replace(name, whole, true);
      adopted(name);
    }
  fleet.raise();
  const here = store.names;
  const places = new Map(here.map((name, place) => [name, place]));
  const shared = there.filter((name) => places.has(name));
  const ordered = shared.findIndex((name, place) => name !== here[place]);
  const kept = new Set(shared.slice(0, ordered < 0 ? shared.length : ordered));
  const isCurrent = fleet.lacking(counts).length === 0;
  const leader = fleet.claim;
  connection.ask(begin(leader)).catch(() => {});
  const give = (document: ByteString, whole: Contents, isNew: boolean) => {
    const answers = puts(document, whole, { isNew, leader }).map((line) => connection.ask(line));
    for (const answer of answers) answer.catch(() => {});
    return { document, answer: answers.at(-1) as Promise<string> };
  };
  const sent = there.filter((name) => !places.has(name)).map((name) => give(name, null, false));
  const unexplained: ByteString[] = [];
  for (const name of here) {
    if (kept.has(name) && digests.get(name) === store.digestOf(name)) continue;
    sent.push(give(name, store.contentsOf(name), !kept.has(name)));
    if (isCurrent && digests.has(name) && !missed.has(name)) unexplained.push(name);
  }
  const isLevel = connection.ask(level(leader, fleet.own));
  isLevel.catch(() => {});
  sealed();
  return { sent, isLevel, unexplained };
}

/** Documents that were dropped by writes which somebody lacks. */
function droppedSince(fleet: Fleet, counts: Counts): ReadonlySet<ByteString> {
  const drops = fleet.lacking(counts).filter(({ argv }) => argv[0] === "DOC.DROP");
  return new Set(drops.map(({ argv }) => argv[1] as ByteString));
}

/**
 * Compares with a server that others may write to as well.
 * @param known  documents that it must have
 * @returns those that it has lost, and those of which it has other contents
 * @throws Error  the connection
 */
export async function differing(
  connection: ReplicaConnection,
  store: DocumentStore,
  kind: "original" | "alone",
  known: ReadonlySet<ByteString>,
): Promise<{ readonly absent: readonly ByteString[]; readonly others: readonly ByteString[] }> {
  if (known.size === 0) return { absent: [], others: [] };
  const documents = objectOf(await connection.ask(ORIGINAL_LIST)).get("documents");
  if (!isContainer(documents)) return { absent: [], others: [] };
  const there = new Set(
    memberValues(documents).map((name) =>
      name instanceof JsonNumber ? name.text : bytesOfText(String(name)),
    ),
  );
  const absent: ByteString[] = [];
  const others: ByteString[] = [];
  for (const name of known) {
    if (!there.has(name)) absent.push(name);
    else if (!(await (kind === "alone" ? isSame : isShownSame)(connection, store, name))) others.push(name);
  }
  return { absent, others };
}

async function isSame(connection: ReplicaConnection, store: DocumentStore, name: ByteString) {
  return objectOf(await connection.ask(digest(name))).get("digest") === store.digestOf(name);
}

async function isShownSame(connection: ReplicaConnection, store: DocumentStore, name: ByteString) {
  const request = `{"action":"get","document":${writePhpString(textOfBytes(name))}}`;
  const whole = store.contentsOf(name);
  const keys = whole?.entries.map(({ key }) => textOfBytes(key)) ?? [];
  const texts = whole?.entries.map(({ text }) => phpFormOf(text)) ?? [];
  const shown = `{"status":"success","data":${writePhpMembers(keys, texts)}}`;
  return (await connection.ask(request)).trim() === shown;
}
