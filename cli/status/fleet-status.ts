/** What daemons of --json-replica say of each other, asked by the JSON protocol, and what of that is bad. */

import type { ServerAddress } from "../../client/shared/server-url.js";
import type { FleetFigures } from "../../protocol/json/fleet-figures.js";
import { JsonServer } from "../json/json-server.js";
import type { Problem } from "./timeline-problems.js";

/** One server, as --json prints it. */
export interface FleetStatus {
  /** host:port */
  readonly address: string;
  readonly ok: boolean;
  /** null: it has no --json-replica, or does not tell. */
  readonly fleet: FleetFigures | null;
  readonly problems: readonly Problem[];
  readonly remarks: readonly Problem[];
}

const REQUEST = { action: "replica", does: "figures" };
const BEHIND_CURE = "wait some seconds; if it stays so, see its log";

/** @param silenceMs  one that says nothing for so long is given up */
export async function readFleets(
  addresses: readonly ServerAddress[],
  silenceMs: number,
): Promise<readonly FleetStatus[]> {
  const fleets = await Promise.all(addresses.map((address) => readFleet(address, silenceMs)));
  return fleets.map((one) => withRivals(one, fleets));
}

/** Two of a list that lead have been cut off from each other. */
export function withRivals(one: FleetStatus, all: readonly FleetStatus[]): FleetStatus {
  const names = one.fleet?.isLeading ? one.fleet.servers.map(({ replica }) => replica) : [];
  const rivals = all.filter(({ address, fleet }) => fleet?.isLeading && names.includes(address));
  if (rivals.length === 0) return one;
  const told = rivals.map(({ address }) => ({
    text: `it leads, and so does ${address} of its list`,
    fix: "do they reach each other? One will follow the other then",
    isPassing: false,
  }));
  return { ...one, ok: false, problems: [...one.problems, ...told] };
}

async function readFleet(address: ServerAddress, silenceMs: number): Promise<FleetStatus> {
  const name = `${address.host.includes(":") ? `[${address.host}]` : address.host}:${address.port}`;
  const told = (
    fleet: FleetFigures | null,
    problems: readonly Problem[],
    remarks: readonly Problem[] = [],
  ) => ({
    address: name,
    ok: problems.length === 0,
    fleet,
    problems,
    remarks,
  });
  try {
    using server = await JsonServer.open(address, silenceMs);
    const { status, message, ...figures } = await server.ask(REQUEST);
    if (status !== "success") return told(null, [unasked(String(message))]);
    if (!Array.isArray(figures["servers"])) return told(null, [], [withoutList]);
    const fleet = figures as unknown as FleetFigures;
    const { problems, remarks } = diagnoseFleet(fleet);
    return told(fleet, problems, remarks);
  } catch (reason) {
    const text = `it cannot be asked (${(reason as Error).message})`;
    return told(null, [{ text, fix: "is it running? correct address, user or password", isPassing: false }]);
  }
}

const withoutList: Problem = {
  text: "it has no --json-replica",
  fix: "start it with the others' addresses, if it is to have the same",
  isPassing: false,
};

function unasked(message: string): Problem {
  const fix = /not valid/.test(message)
    ? "ask a daemon without --data and --peer: originals, and daemons that record, know no fleets"
    : /NOPERM|required/.test(message)
      ? "name a user that may do all to all documents: json://user:password@host"
      : "update it";
  return { text: `it does not tell of its fleet (${message})`, fix, isPassing: false };
}

export function diagnoseFleet({ isReady, isLeading, isLevel, refused, servers }: FleetFigures): {
  readonly problems: readonly Problem[];
  readonly remarks: readonly Problem[];
} {
  const problems: Problem[] = [];
  const remarks: Problem[] = [];
  const bad = (text: string, fix: string) => problems.push({ text, fix, isPassing: false });
  // Versions without this member serve from their start.
  if (isReady === false) {
    const pending = servers.filter(({ hasGiven }) => !hasGiven).map(({ replica }) => replica);
    bad(
      `it is not ready: it has not fetched the documents of ${pending.join(", ")}, and refuses its clients`,
      "start these servers, or take those that are gone permanently out of --json-replica",
    );
  }
  if (refused > 0)
    bad(
      `it refuses ${documents(refused)} of the daemon that leads, and leads no daemon that has them`,
      "raise --max-output-bytes there, or give it memory (--maxmemory); its log says which",
    );
  else if (!isLevel)
    remarks.push({
      text: "it has not yet all that the daemon has that leads",
      fix: BEHIND_CURE,
      isPassing: true,
    });
  if (!isLeading && !servers.some(({ isLeader }) => isLeader))
    bad("it follows none of its list", "is the one that leads in its list, and running?");
  for (const { replica, isConnected, missing, refused: refusals, different } of servers) {
    if (!isConnected) bad(`it does not reach ${replica}`, "start that server, or correct --json-replica");
    if (refusals > 0) bad(`${replica} refuses ${documents(refusals)}`, "its log, and this one's, say why");
    else if (missing > 0 && isConnected)
      remarks.push({ text: `${replica} lacks ${documents(missing)}`, fix: BEHIND_CURE, isPassing: true });
    if (different > 0)
      remarks.push({
        text: `${replica} had other contents of ${documents(different)} though it missed nothing`,
        fix: "do others write there? its log, and this one's, name them",
        isPassing: false,
      });
  }
  return { problems, remarks };
}

const documents = (count: number) => `${count} ${count === 1 ? "document" : "documents"}`;
