/**
 * Whose a connection is that another daemon has opened: who listens at a place of the list is asked whether it is his. So nobody leads, or
 * hands over anything, for only saying that he is a member. Source: docs/json-documents.md "Who may do what".
 */
import type { ReplicaPlace } from "../../../options/place.js";
import { textIn, vouch } from "./fleet-messages.js";
import { objectOf, type ReplicaBounds, ReplicaConnection } from "./replica-connection.js";

/** Who somebody says he is. */
export interface Caller {
  readonly id: string;
  /** Of his connection: made for it alone, and told to this daemon alone. */
  readonly mark: string;
}

/** The one that is asked has to wait for this one meanwhile: it is to be answered before its own time is up. */
const SHARE = 1 / 2;

/** @returns whether one of those in the list says that the connection is his; false: none does in time */
export async function isVouchedFor(
  caller: Caller,
  places: readonly ReplicaPlace[],
  bounds: ReplicaBounds,
): Promise<boolean> {
  const shared = { ...bounds, silenceMs: Math.ceil(bounds.silenceMs * SHARE) };
  const asked = places.map(async (place) => {
    if (!(await isHis(caller, place, shared))) throw new Error("it is not his");
    return true;
  });
  return await Promise.any(asked).catch(() => false);
}

/** By a connection of its own: those that stand may wait for what this one says. @throws Error  it cannot be reached */
async function isHis({ id, mark }: Caller, place: ReplicaPlace, bounds: ReplicaBounds): Promise<boolean> {
  const connection = await ReplicaConnection.open(place, bounds, () => {});
  try {
    if (!connection.isDaemon) return false;
    const answer = objectOf(await connection.ask(vouch(mark)));
    return answer.get("isMine") === true && textIn(answer.get("id")) === id;
  } finally {
    connection.destroy();
  }
}
