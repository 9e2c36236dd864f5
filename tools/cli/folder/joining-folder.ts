/**
 * Prepares the folder of a stopped daemon for another group of members: stores its writes as dead letters, and moves
 * its timeline and its key to `replaced/joined-DATE`. The daemon then starts without data and with a new id, so that
 * the members of the other group can add it. Each step is one rename; if the program ends between two steps, the next
 * run does the remaining ones. Source: docs/decisions/0080-members-found-their-list.md.
 */
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DeadLetterStore } from "../../../daemon/cluster/dead-letters/dead-letter-store.js";
import { listOf } from "../../../daemon/cluster/members/list-history.js";
import { noKey, noTimeline, ownerOf } from "../../../daemon/engine/trust/data-folder.js";
import { syncPathNow } from "../../../daemon/net/process/disk.js";
import { StartError } from "../../../daemon/net/process/service.js";
import { openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import { FolderInUse, LOCK_FILE, lockFolder } from "../../../daemon/timeline/disk/timeline-folder.js";
import { readOrderKey } from "../../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { readEntries } from "../../../protocol/members/member-elements.js";
import { type KnownList, membershipStateOf } from "../../../protocol/members/member-list.js";
import { dateText, ENTRY_ORDER_KEY_BYTES, hexOf } from "../../../protocol/version-2/envelope.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { folderPath, withFolderErrors } from "./data-folder.js";
import { type AllWrites, storeWrites } from "./folder-dead-letters.js";

const TIMELINE = "timeline";
/** What the new folder of a daemon has to be without, in the order in which it is moved. */
const MOVED = [TIMELINE, "snapshots", "daemon.pem"];
const REPLACED = "replaced";
const JOINED = "joined-";
const FOLDER_MODE = 0o700;

/** What a folder's daemon leaves. */
export interface JoinPlan {
  readonly folder: string;
  /** The numbers of its lists, and the ids of their members, hexadecimal; empty: the writes are stored already. */
  readonly numbers: readonly number[];
  readonly members: readonly string[];
  /** Whether the daemon has handed over its writes to the members that remain, and has left them. */
  readonly hasLeft: boolean;
  /** The number of its recorded envelopes, and the date of the last one; null: there is none. */
  readonly entries: number;
  readonly lastAt: number | null;
  /** Whether the folder no longer contains its first entries. */
  readonly hasPruned: boolean;
}

/** What was done. */
export interface Joined extends AllWrites {
  /** The folder that contains the data now. */
  readonly moved: string;
}

/** @throws Failure  the folder cannot be read or is in use, or its daemon has no list or was removed from it */
export function joinPlan(flags: FolderFlags): Promise<JoinPlan> {
  return onFolder(flags, (folder) => planOf(folder));
}

/** @throws Failure  as `joinPlan`, or the dead letters cannot be stored; then the folder is as before */
export function joinOther(flags: FolderFlags): Promise<Joined> {
  return onFolder(flags, async (folder) => {
    const { hasLeft, numbers } = await planOf(folder);
    const store = new DeadLetterStore(folder, Number.POSITIVE_INFINITY);
    const target = unfinishedIn(folder) ?? freeName(folder);
    const move = () => moveTo(folder, target);
    let writes: AllWrites = { kept: 0, unread: 0, ofRing: 0 };
    if (numbers.length > 0 && !hasLeft)
      writes = await storeWrites(folder, "joined", store.openJoined(Date.now()), move);
    else move();
    store.settleJoined();
    return { ...writes, moved: target };
  });
}

async function onFolder<T>(flags: FolderFlags, work: (folder: string) => Promise<T>): Promise<T> {
  return await withFolderErrors(
    async () => {
      const folder = await folderPath(flags);
      const timeline = join(folder, TIMELINE);
      if (!existsSync(timeline)) {
        if (unfinishedIn(folder) !== null) return await work(folder);
        throw new StartError(`--data ${folder}: ${noTimeline(folder)}`, 1);
      }

      const lock = lockFolder(timeline);
      try {
        return await work(folder);
      } finally {
        lock.unlock();
      }
    },
    { kinds: [FolderInUse] },
  );
}

async function planOf(folder: string): Promise<JoinPlan> {
  const nothing = {
    folder,
    numbers: [],
    members: [],
    hasLeft: false,
    entries: 0,
    lastAt: null,
    hasPruned: false,
  };

  if (unfinishedIn(folder) !== null) return nothing;
  const owner = ownerOf(folder);
  if (owner === null) throw new StartError(`--data ${folder}: ${noKey(folder)}`, 1);
  const view = await openFolderView(join(folder, TIMELINE), () => {});
  try {
    const lists = listsIn(view.mark("members")?.subarray(1));
    const { heads, members, removed } = membershipStateOf(lists);
    if (heads.length === 0) throw new StartError(`--data ${folder}: ${NO_LIST}`, 1);
    const [signed] = listsIn(view.mark("signed-list"));
    const hasLeft = removed.has(owner.id) && heads.some(({ hash }) => hash === signed?.hash);
    if (removed.has(owner.id) && !hasLeft) throw new StartError(`--data ${folder}: ${WAS_REMOVED}`, 1);

    let entries = 0;
    let lastAt: number | null = null;
    for (const [orderKey] of view.entries(null)) {
      if (orderKey.length !== ENTRY_ORDER_KEY_BYTES) continue;
      entries++;
      lastAt = readOrderKey(orderKey).at;
    }

    return {
      folder,
      numbers: heads.map(({ list }) => list.number),
      members: idsOf(heads, members),
      hasLeft,
      entries,
      lastAt,
      hasPruned: view.mark("pruned") !== null,
    };
  } finally {
    view.close();
  }
}

const listsIn = (mark: Buffer | null | undefined): readonly KnownList[] =>
  (mark == null ? [] : (readEntries(Buffer.from(mark)) ?? []))
    .map(({ body, signature }) => listOf(body, signature))
    .filter((list) => "list" in list);

/** Returns the members, or those of all lists if no daemon is on each of them. */
const idsOf = (heads: readonly KnownList[], members: ReadonlySet<ByteString>): readonly string[] =>
  [...(members.size > 0 ? members : new Set(heads.flatMap(({ list }) => list.members)))].map(hexOf);

/** Returns the folder into which an earlier run has moved the timeline; null: the timeline is still in its place. */
function unfinishedIn(folder: string): string | null {
  if (existsSync(join(folder, TIMELINE))) return null;
  const replaced = join(folder, REPLACED);
  const names = existsSync(replaced) ? readdirSync(replaced).filter((name) => name.startsWith(JOINED)) : [];
  const newest = names.sort().at(-1);
  return newest === undefined ? null : join(replaced, newest);
}

function freeName(folder: string): string {
  const date = dateText(Date.now()).replaceAll(":", "-");
  return join(folder, REPLACED, `${JOINED}${date}`);
}

/** Moves the timeline first: from then on the dead letters are valid, and a daemon that starts has no data. */
function moveTo(folder: string, target: string): void {
  mkdirSync(target, { recursive: true, mode: FOLDER_MODE });
  for (const name of MOVED) {
    const [from, to] = [folder, target].map((parent) => join(parent, name)) as [string, string];
    if (!existsSync(from) || existsSync(to)) continue;
    renameSync(from, to);
    if (name === TIMELINE) rmSync(join(to, LOCK_FILE), { force: true });
    for (const path of [target, join(folder, REPLACED), folder]) syncPathNow(path);
  }
}

const NO_LIST =
  "this daemon has no member list, so its members can add it already: name it in --peer of each of them";
const WAS_REMOVED =
  "the member list leaves this daemon out, and it may have writes that no member has: run dbsync dead-letters find, and then start it with an empty folder";
