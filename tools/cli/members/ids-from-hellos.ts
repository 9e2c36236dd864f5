/**
 * Finds the ids of daemons that do not know the administrator's key. A daemon with an empty folder knows only the keys
 * of its options. It receives the remaining keys after a list has added it. Until then, its hello reports its id.
 */

import type { Settings } from "../../../client/settings/client-settings.js";
import { realEnvironment } from "../../../client/shared/client-environment.js";
import { readHello } from "../../../client/version-2/single-hello.js";
import { hexOf } from "../../../protocol/version-2/envelope.js";
import type { Answer } from "../keys/fetch-key-rings.js";

export interface IdentifiedDaemon {
  readonly address: string;
  /** The daemon's id, hexadecimal. */
  readonly id: string;
}

/**
 * Returns the daemons that rejected the key as unknown.
 * @param cluster  hexadecimal; daemons of other clusters are left out
 */
export async function idsFromHellos(
  { servers, timeout }: Settings,
  answers: readonly Answer[],
  cluster: string,
): Promise<readonly IdentifiedDaemon[]> {
  const rejecting = servers.filter((_, index) => /unknown-key/.test(answers[index]?.error?.message ?? ""));
  const greetings = await Promise.all(rejecting.map((server) => readHello(server, realEnvironment, timeout)));
  return greetings.flatMap((greeting, index) => {
    const address = rejecting[index]?.text;
    if (greeting.kind !== "hello" || address === undefined || hexOf(greeting.hello.cluster) !== cluster)
      return [];
    return { address, id: hexOf(greeting.hello.daemon) };
  });
}
