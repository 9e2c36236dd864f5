/** Additional checks at the end of a run with member lists. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { shortId } from "../cast.js";
import type { World } from "../world.js";
import { lettersLacking } from "./letters.js";

/**
 * Whether an entry is only in the folder of a removed daemon: no member accepts it from there, but an operator finds
 * it.
 */
export function isLeftBehind({ hosts, honest, ledger, settings }: World, place: ByteString): boolean {
  if (!settings.lists) return false;
  if (ledger.putAside.has(place)) return true;
  return hosts.some(
    (host) => !honest.includes(host) && (host.disk.holds(place) || host.disk.letters.has(place)),
  );
}

export function brokenLists({ hosts, honest, heads }: World): string[] {
  const [head] = heads;
  const problems: string[] = [];
  for (const host of hosts) {
    const { name, daemon } = host;
    for (const place of lettersLacking(host))
      problems.push(`${name} has let ${shortId(place.slice(10))} go, and there is no dead letter of it`);
    if (honest.includes(host)) {
      for (const { id, connection } of daemon?.peering.members ?? [])
        if (connection === "connected" && id !== null && head?.list.members.includes(id) !== true)
          problems.push(`${name} is connected with ${shortId(id)}, which is no member`);
    } else if (daemon?.front?.recorder.refusal() === null)
      problems.push(`${name} is no member, and takes writes`);
  }
  return problems;
}
