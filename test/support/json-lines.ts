/** Sends requests to a JSON listener on a connection, one per line, and reads the answers. */
import type { RawClient } from "./raw-client.js";

/** Reads one answer. @returns the answer without its end mark, or "" if the server closes the connection instead */
export async function answer(client: RawClient): Promise<string> {
  return (await client.readTo("\n\r")).replace(/\n\r$/, "");
}

/**
 * Sends a request and reads its answer.
 * @param request  a value, or the text of a request that JSON.stringify cannot write
 */
export async function ask(client: RawClient, request: unknown): Promise<string> {
  const text = typeof request === "string" ? request : JSON.stringify(request);
  client.send(`${Buffer.from(text, "utf8").toString("latin1")}\n`);
  return await answer(client);
}
