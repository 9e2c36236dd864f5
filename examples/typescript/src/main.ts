/**
 * Books seats of a cinema: `node dist/main.js SEAT NAME`. The servers and the key come from DBSYNC_SERVERS and
 * DBSYNC_SIGNKEY.
 */
import { type Client, createClient, DbsyncError } from "dbsyncd";

type Booking = "booked" | "taken" | "not booked" | "unknown";

/** Books a seat for a person. If two people book the same seat at the same time, at most one receives `booked`. */
async function book(client: Client, seat: string, name: string): Promise<Booking> {
  try {
    // The command applies only if no client has written the key yet. More than half of the daemons must agree.
    const isFree = [{ key: `seat:${seat}`, writer: null }];
    const replies = await client.multi(
      [
        ["SET", `seat:${seat}`, name],
        ["HINCRBY", "bookings", name, 1],
      ],
      { if: isFree },
    );
    return replies === null ? "taken" : "booked";
  } catch (problem) {
    if (!(problem instanceof DbsyncError)) throw problem;
    console.error(problem.message);
    // `not-applied`: no daemon has booked the seat, or ever will. `unknown`: a daemon may have booked it, so read
    // before you try again.
    return problem.effect === "not-applied" ? "not booked" : "unknown";
  }
}

const [seat = "A1", name = "Ada Lovelace"] = process.argv.slice(2);
await using client = createClient({ timeout: 5_000 });
const booking = await book(client, seat, name);
console.log(`${seat}: ${booking}`);

if (booking === "booked" || booking === "taken") {
  // A policy for one call: the answer that more than half of the daemons gave.
  const holder: string | null = await client.send(["GET", `seat:${seat}`], { policy: "majority" });
  // Each command is a method with its own types. These return the first successful answer.
  const owner: string | null = await client.hget("bookings", name);
  const people: number = await client.hlen("bookings");
  console.log(`${seat} belongs to ${holder}; ${name} has ${owner ?? 0}; people: ${people}`);
} else process.exitCode = 1;
