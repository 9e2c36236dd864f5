/** Additional checks at the end of a run with member lists. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { shortId } from "../cast.js";
import type { World } from "../world.js";
import { missingDeadLetters } from "./dead-letters.js";

/**
 * Whether an entry is only in the folder of a removed daemon. No member accepts it from there, but an operator can find
 * it.
 */
export function isOnlyOnRemoved({ hosts, honest, ledger, settings }: World, orderKey: ByteString): boolean {
  if (!settings.lists) return false;
  if (ledger.putAside.has(orderKey)) return true;
  return hosts.some(
    (host) => !honest.includes(host) && (host.disk.holds(orderKey) || host.disk.deadLetters.has(orderKey)),
  );
}

export function brokenLists({ hosts, honest, heads }: World): string[] {
  const [head] = heads;
  const problems: string[] = [];
  for (const host of hosts) {
    if (host.isByzantine) continue;
    const { name, daemon } = host;
    for (const orderKey of missingDeadLetters(host))
      problems.push(`${name} has dropped ${shortId(orderKey.slice(10))} without a dead letter`);
    if (honest.includes(host)) {
      for (const { id, connection } of daemon?.peering.members ?? [])
        if (connection === "connected" && id !== null && head?.list.members.includes(id) !== true)
          problems.push(`${name} is connected to ${shortId(id)}, which is not a member`);
    } else if (daemon?.front?.recorder.refusal() === null)
      problems.push(`${name} is not a member, but accepts writes`);
  }
  return problems;
}
