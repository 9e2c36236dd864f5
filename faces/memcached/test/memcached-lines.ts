/** Sends requests to a memcached listener on a connection, and reads the answers. */
import { RawClient } from "../../../test/support/raw-client.js";

/** The answer to `version` after the answers to other requests. */
const END = /VERSION [^\r\n]*\r\n$/;

/**
 * Sends requests, and then `version`, whose answer shows that the others are complete.
 * @param requests  complete lines with their data
 * @returns the answers to the requests, or what has arrived if the server closes the connection
 */
export async function ask(client: RawClient, requests: string): Promise<string> {
  client.send(`${requests}version\r\n`);
  let answers = await client.readTo("VERSION ");
  answers += await client.readTo("\r\n");
  return answers.replace(END, "");
}

/** Sends requests on a new connection. @returns their answers */
export async function askMemcached(port: number, requests: string): Promise<string> {
  using client = await RawClient.open(port);
  return await ask(client, requests);
}
