/** Describes the member list and the connections of its daemons in one line. */
import type { DaemonStatus } from "../status/daemon-status.js";

/** Returns the line, or null if no daemon reports a list. */
export function memberListLine(daemons: readonly DaemonStatus[]): string | null {
  const reports = daemons.flatMap(({ timeline, ...daemon }) =>
    timeline === null ? [] : [{ ...daemon, timeline }],
  );
  const numbers = [...new Set(reports.flatMap(({ timeline }) => timeline.lists))].sort((a, b) => a - b);
  if (numbers.length === 0) return null;
  const members = reports.filter(({ timeline }) => timeline.unlisted === null && timeline.lists.length > 0);
  const seen = members.flatMap(({ timeline }) => timeline.members);
  const nameOf = ({ id, address }: (typeof seen)[number]) => id ?? address;
  const listed = seen.filter((member) => member.listed === true);
  const connected = listed.filter(({ connection }) => connection === "connected" || connection === "self");
  // A daemon that reported is connected, even if it is not in its own list of peers.
  const connectedNames = new Set([
    ...connected.map(nameOf),
    ...members.flatMap(({ daemon }) => daemon ?? []),
  ]);
  const disconnected = addressesOf(listed.filter((member) => !connectedNames.has(nameOf(member))));
  const unlisted = addressesOf([
    ...seen.filter((member) => member.listed === false),
    ...reports.filter(({ timeline }) => timeline.unlisted !== null),
  ]);
  return [
    `list ${numbers.join("+")}: ${connectedNames.size + disconnected.length} members`,
    ...(disconnected.length === 0 ? [] : [`disconnected: ${disconnected.join(" ")}`]),
    ...(unlisted.length === 0 ? [] : [`not on it: ${unlisted.join(" ")}`]),
  ].join("; ");
}

const addressesOf = (seen: readonly { readonly address: string }[]): string[] => [
  ...new Set(seen.map(({ address }) => address)),
];
