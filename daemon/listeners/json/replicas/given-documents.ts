/** The documents that a server of --json-replica gives when it is asked for all that it has. */
import { type ByteString, bytesOfText } from "../../../../protocol/byte-string.js";
import {
  isContainer,
  type JsonValue,
  memberNames,
  memberValues,
} from "../../../../protocol/json/json-value.js";
import { writeJson } from "../../../../protocol/json/json-writer.js";
import type { Contents } from "./document-store.js";
import { contents, contentsIn, LIST, textsIn } from "./fleet-messages.js";
import type { ReplicaLink } from "./replica-link.js";

const GET_ALL = '{"action":"getall","replicate":false}';

/** By name, each asked for when its turn comes. @throws Error  the connection, or no answer */
export async function documentsOf(link: ReplicaLink): Promise<Map<ByteString, () => Promise<Contents>>> {
  if (link.contact.isDaemon) {
    const names = textsIn((await link.ask(LIST)).get("names"));
    return new Map(names.map((name) => [name, async () => contentsIn(await link.ask(contents(name)))]));
  }
  const documents = (await link.ask(GET_ALL)).get("documents");
  if (!isContainer(documents)) throw new Error("its answer has no documents");
  const values = memberValues(documents);
  return new Map(
    memberNames(documents).map((name, at) => [bytesOfText(name), async () => shownContents(values[at])]),
  );
}

/** What an original shows of a document. */
function shownContents(value: JsonValue | undefined): Contents {
  if (!isContainer(value)) return null;
  const values = memberValues(value);
  const entries = memberNames(value).map((key, at) => ({
    key: bytesOfText(key),
    text: bytesOfText(writeJson(values[at] as JsonValue)),
    expires: null,
  }));
  return { entries, indexes: [] };
}
