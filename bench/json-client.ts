/** A client of a JSON listener for the benchmarks of documents. */
import { openText, type TextClient } from "./clients.js";

export const openJson = (port: number): Promise<TextClient> =>
  openText(port, "\n\r", (answer) => !answer.startsWith('{"status":"success"'));

/** Sends a request. @returns the text of the answer @throws Error if the answer is an error */
export async function askJson(client: TextClient, request: unknown): Promise<string> {
  const [answer = ""] = await client.ask([`${JSON.stringify(request)}\n`]);
  return answer;
}

/** The number of entries that are inserted together. */
const BATCH = 1000;

/** Creates a document. @param entry  returns the entry with an index */
export async function fillDocument(
  port: number,
  document: string,
  count: number,
  entry: (index: number) => unknown,
): Promise<void> {
  using client = await openJson(port);
  await askJson(client, { action: "create", document });
  for (let from = 0; from < count; from += BATCH) {
    const data = Array.from({ length: Math.min(BATCH, count - from) }, (_, i) => entry(from + i));
    await askJson(client, { action: "insert", document, data });
  }
}
