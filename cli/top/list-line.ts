/** Describes the member list and the states of its daemons in a line. */
import type { DaemonStatus } from "../status/daemon-status.js";

/** @returns null: no daemon reports a list */
export function listLine(daemons: readonly DaemonStatus[]): string | null {
  const reports = daemons.flatMap(({ timeline, ...daemon }) =>
    timeline === null ? [] : [{ ...daemon, timeline }],
  );
  const numbers = [...new Set(reports.flatMap(({ timeline }) => timeline.lists))].sort((a, b) => a - b);
  if (numbers.length === 0) return null;
  const members = reports.filter(({ timeline }) => timeline.unlisted === null && timeline.lists.length > 0);
  const seen = members.flatMap(({ timeline }) => timeline.members);
  const nameOf = ({ id, address }: (typeof seen)[number]) => id ?? address;
  const listed = seen.filter((member) => member.listed === true);
  const heard = listed.filter(({ connection }) => connection === "connected" || connection === "self");
  // Its own address need not be in its list of peers.
  const isHeard = new Set([...heard.map(nameOf), ...members.flatMap(({ daemon }) => daemon ?? [])]);
  const away = addressesOf(listed.filter((member) => !isHeard.has(nameOf(member))));
  const left = addressesOf([
    ...seen.filter((member) => member.listed === false),
    ...reports.filter(({ timeline }) => timeline.unlisted !== null),
  ]);
  return [
    `list ${numbers.join("+")}: ${isHeard.size + away.length} in it`,
    ...(away.length === 0 ? [] : [`away: ${away.join(" ")}`]),
    ...(left.length === 0 ? [] : [`not in it: ${left.join(" ")}`]),
  ].join("; ");
}

const addressesOf = (seen: readonly { readonly address: string }[]): string[] => [
  ...new Set(seen.map(({ address }) => address)),
];
