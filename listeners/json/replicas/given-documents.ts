/** Fetches the documents of a server of --json-replica. */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { isContainer, type JsonValue, memberNames, memberValues } from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import type { Entry } from "./document-store.js";
import type { ReplicaLink } from "./replica-link.js";

const GET_ALL = '{"action":"getall","replicate":false}';

/**
 * Requests all documents. @returns entries by the document's name @throws Error  the connection failed, or the answer
 * has no documents
 */
export async function documentsOf(link: ReplicaLink): Promise<Map<ByteString, readonly Entry[]>> {
  const answer = await link.ask(GET_ALL);
  const documents = answer.get("documents");
  if (answer.get("status") !== "success" || !isContainer(documents)) {
    const message = answer.get("message");
    throw new Error(typeof message === "string" ? `it answers: ${message}` : "its answer has no documents");
  }
  const values = memberValues(documents);
  return new Map(
    memberNames(documents).map((name, at) => [bytesOfText(name), shownEntries(name, values[at])]),
  );
}

/** @throws Error  the document has no entries */
function shownEntries(name: string, value: JsonValue | undefined): readonly Entry[] {
  if (!isContainer(value)) throw new Error(`its document ${name} has no entries`);
  const values = memberValues(value);
  return memberNames(value).map((key, at) => ({
    key: bytesOfText(key),
    text: bytesOfText(writeJson(values[at] as JsonValue)),
  }));
}
