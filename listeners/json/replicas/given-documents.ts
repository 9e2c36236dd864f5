/** The documents that a server of --json-replica gives when it is asked for all that it has. */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import { isContainer, type JsonValue, memberNames, memberValues } from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import type { Contents } from "./document-store.js";
import { contents, contentsIn, LIST, textsIn } from "./fleet-messages.js";
import type { ReplicaLink } from "./replica-link.js";

const GET_ALL = '{"action":"getall","replicate":false}';

/** By name, each asked for when its turn comes. @throws Error  the connection, or no answer */
export async function documentsOf(
  link: Pick<ReplicaLink, "contact" | "ask">,
): Promise<Map<ByteString, () => Promise<Contents>>> {
  if (link.contact.isDaemon) {
    const names = textsIn((await link.ask(LIST)).get("names"));
    return new Map(names.map((name) => [name, async () => contentsIn(await link.ask(contents(name)))]));
  }
  const answer = await link.ask(GET_ALL);
  const documents = answer.get("documents");
  if (answer.get("status") !== "success" || !isContainer(documents)) {
    const message = answer.get("message");
    throw new Error(typeof message === "string" ? `it answers: ${message}` : "its answer has no documents");
  }
  const values = memberValues(documents);
  return new Map(
    memberNames(documents).map((name, at) => [
      bytesOfText(name),
      async () => shownContents(name, values[at]),
    ]),
  );
}

/** What an original shows of a document. @throws Error  no entries */
function shownContents(name: string, value: JsonValue | undefined): Contents {
  if (!isContainer(value)) throw new Error(`its document ${name} has no entries`);
  const values = memberValues(value);
  const entries = memberNames(value).map((key, at) => ({
    key: bytesOfText(key),
    text: bytesOfText(writeJson(values[at] as JsonValue)),
    expires: null,
  }));
  return { entries, indexes: [] };
}
