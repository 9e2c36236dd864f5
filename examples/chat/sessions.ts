/**
 * The sessions in Redis. Each session is a key, named by its UUID, with the fields of the exercise as JSON. Sessions
 * expire unless their server renews them. Redis also contains the owner of each name, the users of each room, and the
 * servers.
 */
import { createHash, randomInt, randomUUID } from "node:crypto";
import { createRequire } from "node:module";
import type { Redis } from "ioredis";
import { clockOf, FIRST_ROOM, isUuid, pseudoOf } from "./message.js";
import type { Limits } from "./settings.js";

/** The fields in Redis. The last two are not part of the exercise. */
interface StoredSession {
  readonly here: boolean;
  readonly color: number;
  readonly pseudo: string;
  readonly addr: readonly [host: string, port: number];
  readonly timestamp: string;
  readonly room: string;
  /** The id of the connection that has the session. A connection that has lost the session cannot end it. */
  readonly seat: string;
}

export interface Session {
  /** The secret id of the session, which proves the ownership of the name. */
  readonly uuid: string;
  readonly pseudo: string;
  readonly color: number;
  readonly room: string;
  readonly seat: string;
  readonly addr: readonly [host: string, port: number];
}

export interface Person {
  readonly from: string;
  readonly pseudo: string;
  readonly color: number;
}

export interface Presence {
  readonly people: readonly Person[];
  /** The number of users. `people` may contain only the first ones. */
  readonly count: number;
}

/**
 * The number of attempts to read a session of another server. With replication, the session may arrive a moment
 * later.
 */
const READS_MAX = 6;
const RETRY_MS = 200;

/** The maximum number of members in a command. */
const AT_ONCE = 500;

const SERVERS = "chat:servers";
const ROOMS = "chat:rooms";
const hereKey = (room: string) => `chat:here:${room}`;

/** Returns a public id of a session, which does not reveal the UUID. */
export const publicIdOf = (uuid: string): string =>
  createHash("sha256").update(uuid).digest("hex").slice(0, 12);

export class Sessions {
  readonly #redis: Redis;
  readonly #limits: Limits;
  readonly #fold: Fold;

  constructor(redis: Redis, limits: Limits, fold: Fold) {
    this.#redis = redis;
    this.#limits = limits;
    this.#fold = fold;
  }

  /** Returns whether a name is reserved, because it looks like a text that clients display. */
  isReserved(pseudo: string): boolean {
    return isReserved(pseudo, this.#fold);
  }

  /**
   * Begins a session.
   * @returns the session, or the reason for a refusal: another user has the name, or too many sessions began from this
   * address
   */
  async begin(
    pseudo: string,
    addr: Session["addr"],
    room = FIRST_ROOM,
  ): Promise<Session | "taken" | "flood"> {
    const minute = `chat:begun:${addr[0]}:${Math.floor(Date.now() / 60_000)}`;
    const sessionsInMinute = await this.#redis.incr(minute);
    if (sessionsInMinute === 1) await this.#redis.expire(minute, 120);
    if (sessionsInMinute > this.#limits.SESSIONS_PER_MINUTE) return "flood";
    const uuid = randomUUID();
    if (!(await this.#hasName(uuid, pseudo))) return "taken";
    const session = { uuid, pseudo, color: randomInt(256), room, seat: randomUUID(), addr };
    await this.write(session);
    return session;
  }

  /** Resumes a session. @returns null if no session has this UUID */
  async resume(uuid: unknown, addr: Session["addr"], room?: string): Promise<Session | null> {
    if (!isUuid(uuid)) return null;
    const stored = await this.#find(uuid);
    if (stored === null || !(await this.#hasName(uuid, stored.pseudo))) return null;
    const { pseudo, color } = stored;
    const session = { uuid, pseudo, color, room: room ?? stored.room, seat: randomUUID(), addr };
    await this.write(session);
    return session;
  }

  /** Stores a session after its user has joined, sent a message or changed rooms. */
  async write(session: Session): Promise<void> {
    await this.#store(session, true, this.#limits.SESSION_SECONDS);
  }

  async enter({ room, uuid }: Session): Promise<void> {
    const until = Date.now() + this.#limits.HERE_SECONDS * 1000;
    await this.#redis.pipeline().zadd(hereKey(room), until, uuid).zadd(ROOMS, until, room).exec();
  }

  /**
   * Removes a user from a room.
   * @returns whether the user was listed. If several servers remove the same user, only one of them receives true.
   */
  async exit({ room, uuid }: Pick<Session, "room" | "uuid">): Promise<boolean> {
    return (await this.#redis.zrem(hereKey(room), uuid)) === 1;
  }

  /**
   * Renews the presence of users in their rooms.
   * @param isLong  whether to also extend the lifetime of each session, with one command per session, which a daemon
   *   has to record
   */
  async renew(sessions: readonly Session[], isLong: boolean): Promise<void> {
    const until = Date.now() + this.#limits.HERE_SECONDS * 1000;
    const pipeline = this.#redis.pipeline();
    for (const [room, uuids] of uuidsByRoom(sessions)) {
      for (let from = 0; from < uuids.length; from += AT_ONCE)
        pipeline.zadd(hereKey(room), ...uuids.slice(from, from + AT_ONCE).flatMap((uuid) => [until, uuid]));
      pipeline.zadd(ROOMS, until, room);
    }
    await pipeline.exec();
    if (isLong) await this.#putOff(sessions);
  }

  /**
   * Ends the connection of a session.
   * @param hasLeft  whether the client has closed the connection, which releases the name immediately; otherwise the
   *   name stays reserved for the disconnected client
   * @returns false if another connection has the session
   */
  async end(session: Session, hasLeft: boolean): Promise<boolean> {
    const stored = await this.#read(session.uuid);
    if (stored !== null && stored.seat !== session.seat) return false;
    await this.#store(session, false, this.#limits.AWAY_SECONDS);
    const key = this.#nameKey(session.pseudo);
    if ((await this.#redis.get(key)) === session.uuid) {
      if (hasLeft) await this.#redis.del(key);
      else await this.#redis.expire(key, this.#limits.SESSION_SECONDS);
    }
    await this.exit(session);
    return true;
  }

  async present(room: string): Promise<Presence> {
    const max = this.#limits.NAMES_TOLD;
    const now = Date.now();
    const [uuids, count] = await Promise.all([
      this.#redis.zrange(hereKey(room), now, "+inf", "BYSCORE", "LIMIT", 0, max),
      this.#redis.zcount(hereKey(room), now, "+inf"),
    ]);
    return { people: (await this.#people(uuids)).map(({ person }) => person), count };
  }

  /**
   * Removes and returns users without a recent heartbeat, whose servers were killed. If several servers call this
   * method, each lost user is returned to only one server.
   */
  async swept(room: string): Promise<readonly Person[]> {
    const late = await this.#redis.zrange(hereKey(room), 0, String(Date.now()), "BYSCORE", "LIMIT", 0, 100);
    const people = await this.#people(late);
    const lost: Person[] = [];
    for (const uuid of late) {
      const found = people.find((one) => one.uuid === uuid);
      if ((await this.exit({ room, uuid })) && found !== undefined) lost.push(found.person);
    }
    return lost;
  }

  async rooms(): Promise<readonly string[]> {
    const now = Date.now();
    await this.#redis.zremrangebyscore(ROOMS, "-inf", now);
    return await this.#redis.zrange(ROOMS, now, "+inf", "BYSCORE", "LIMIT", 0, this.#limits.NAMES_TOLD);
  }

  /** Registers this server. @param address  its address for clients */
  async announce(address: string): Promise<void> {
    await this.#redis.zadd(SERVERS, Date.now() + this.#limits.HERE_SECONDS * 1000, address);
  }

  async retract(address: string): Promise<void> {
    await this.#redis.zrem(SERVERS, address);
  }

  async servers(): Promise<readonly string[]> {
    return await this.#redis.zrange(
      SERVERS,
      Date.now(),
      "+inf",
      "BYSCORE",
      "LIMIT",
      0,
      this.#limits.NAMES_TOLD,
    );
  }

  async #store(session: Session, here: boolean, seconds: number): Promise<void> {
    const { uuid, pseudo, color, room, seat, addr } = session;
    const stored: StoredSession = { here, color, pseudo, addr, timestamp: clockOf(Date.now()), room, seat };
    await this.#redis.set(uuid, JSON.stringify(stored), "EX", seconds);
  }

  async #putOff(sessions: readonly Session[]): Promise<void> {
    const seconds = this.#limits.SESSION_SECONDS;
    const pipeline = this.#redis.pipeline();
    for (const { uuid, pseudo } of sessions)
      pipeline.expire(uuid, seconds).expire(this.#nameKey(pseudo), seconds);
    const results = (await pipeline.exec()) ?? [];
    // Writes missing sessions again, for example after the restart of a Redis without persistence.
    for (const [index, session] of sessions.entries()) {
      if (results[index * 2]?.[1] === 0) await this.write(session);
      if (results[index * 2 + 1]?.[1] === 0) await this.#hasName(session.uuid, session.pseudo);
    }
  }

  #nameKey(pseudo: string): string {
    return `chat:name:${this.#fold(pseudo)}`;
  }

  async #hasName(uuid: string, pseudo: string): Promise<boolean> {
    const key = this.#nameKey(pseudo);
    if ((await this.#redis.set(key, uuid, "EX", this.#limits.SESSION_SECONDS, "NX")) === "OK") return true;
    return (await this.#redis.get(key)) === uuid;
  }

  async #find(uuid: string): Promise<StoredSession | null> {
    for (let attempt = 1; ; attempt++) {
      const stored = await this.#read(uuid);
      if (stored !== null || attempt === READS_MAX) return stored;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  async #read(uuid: string): Promise<StoredSession | null> {
    return parseStored(await this.#redis.get(uuid).catch(notText));
  }

  async #people(uuids: readonly string[]): Promise<readonly { uuid: string; person: Person }[]> {
    if (uuids.length === 0) return [];
    const texts = await this.#redis.mget(...uuids);
    return uuids.flatMap((uuid, index) => {
      const stored = parseStored(texts[index] ?? null);
      if (stored === null) return [];
      return [{ uuid, person: { from: publicIdOf(uuid), pseudo: stored.pseudo, color: stored.color } }];
    });
  }
}

function uuidsByRoom(sessions: readonly Session[]): ReadonlyMap<string, readonly string[]> {
  const rooms = new Map<string, string[]>();
  for (const { room, uuid } of sessions) {
    const uuids = rooms.get(room) ?? [];
    uuids.push(uuid);
    rooms.set(room, uuids);
  }
  return rooms;
}

/** Returns null for a key of another type, which is not a session. @throws any other problem */
function notText(problem: Error): null {
  if (/^WRONGTYPE/.test(problem.message)) return null;
  throw problem;
}

/** Parses a stored session. Sessions of other implementations of the exercise have no room and no seat. */
function parseStored(text: string | null): StoredSession | null {
  if (text === null) return null;
  try {
    const stored = JSON.parse(text) as Partial<StoredSession> | null;
    if (typeof stored !== "object" || stored === null) return null;
    const { color, room = FIRST_ROOM, seat = "" } = stored;
    const pseudo = pseudoOf(stored.pseudo, Number.POSITIVE_INFINITY);
    if (pseudo === null || !Number.isInteger(color) || color === undefined) return null;
    if (typeof room !== "string" || typeof seat !== "string") return null;
    return {
      here: stored.here === true,
      addr: stored.addr ?? ["", 0],
      timestamp: "",
      pseudo,
      color,
      room,
      seat,
    };
  } catch {
    return null;
  }
}

/** A function that returns the same text for names that look alike. */
type Fold = (name: string) => string;

/** The words that clients show instead of a name, or next to it. */
const RESERVED = ["you", "vous", "annonce"] as const;

/**
 * Returns a function that treats names that look alike as equal, according to the confusable characters of Unicode in
 * the package unhomoglyph, which is a development dependency. Without it, names are equal only if they have the same
 * letters, regardless of case.
 */
export function lookAlikes(log: (line: string) => void): Fold {
  try {
    const skeletonOf = createRequire(import.meta.url)("unhomoglyph") as Fold;
    // I, l and 1 look alike, and i is the lower case of I.
    return (name) =>
      skeletonOf(skeletonOf(name.normalize("NFKC")).toLowerCase())
        .replace(/i/g, "l")
        .replace(/\s+/g, " ");
  } catch {
    log("Names that look alike are admitted. To refuse them: npm install unhomoglyph");
    return (name) => name.normalize("NFKC").toLowerCase();
  }
}

/** Returns whether a name looks like a text that clients display, such as `Ann (you)` or `you`. */
function isReserved(name: string, fold: Fold): boolean {
  const folded = fold(name);
  return RESERVED.some((word) => {
    const reserved = fold(word);
    return folded === reserved || new RegExp(`[(\\[{<]\\s*${reserved}\\s*[)\\]}>]`).test(folded);
  });
}
