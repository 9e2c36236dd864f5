/**
 * Compares the documents of a server with the documents of this daemon, to find documents that the server has lost or
 * that other clients of the server have changed.
 */
import { type ByteString, bytesOfText, textOfBytes } from "../../../protocol/byte-string.js";
import { isContainer, JsonNumber, memberValues } from "../../../protocol/json/json-value.js";
import { phpFormOf, writePhpMembers, writePhpString } from "../../../protocol/json/json-writer.js";
import type { DocumentStore } from "./document-store.js";
import { objectOf, type ReplicaConnection } from "./replica-connection.js";

/** The request for the names of all documents. */
const LIST = '{"action":"list"}';

export interface Differences {
  /** The documents that the server does not have. */
  readonly absent: readonly ByteString[];
  /** The documents with different contents. */
  readonly different: readonly ByteString[];
}

/**
 * Compares documents with those of a server. @param documents  the documents that the server should have @throws Error
 * the connection failed
 */
export async function findDifferences(
  connection: ReplicaConnection,
  store: DocumentStore,
  documents: Iterable<ByteString>,
): Promise<Differences> {
  const expected = [...documents];
  if (expected.length === 0) return { absent: [], different: [] };
  const listed = objectOf(await connection.request(LIST)).get("documents");
  if (!isContainer(listed)) return { absent: [], different: [] };
  const present = new Set(
    memberValues(listed).map((name) => (name instanceof JsonNumber ? name.text : bytesOfText(String(name)))),
  );
  const absent: ByteString[] = [];
  const different: ByteString[] = [];
  for (const name of expected) {
    if (!present.has(name)) absent.push(name);
    else if (!(await isSame(connection, store, name))) different.push(name);
  }
  return { absent, different };
}

async function isSame(connection: ReplicaConnection, store: DocumentStore, name: ByteString) {
  const request = `{"action":"get","document":${writePhpString(textOfBytes(name))}}`;
  const entries = store.contentsOf(name) ?? [];
  const keys = entries.map(({ key }) => textOfBytes(key));
  const texts = entries.map(({ text }) => phpFormOf(text));
  const shown = `{"status":"success","data":${writePhpMembers(keys, texts)}}`;
  return (await connection.request(request)).trim() === shown;
}
