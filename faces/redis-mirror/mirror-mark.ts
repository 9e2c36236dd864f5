/**
 * The mirror's mark: a key in Redis that contains the id of the mirroring daemon and the number of the last batch. The
 * mark is written in the same MULTI as the batch, so it is correct even in a Redis that was restored from a dump.
 */

export const MARK_KEY = "dbsync:mirror:mark";

/** The number of the mark's database in Redis. */
export const MARK_DB = 0;

/** Returns whether a key is the mark. A key of the fold with the same name is not mirrored. */
export const isMark = (db: number, key: string): boolean => db === MARK_DB && key === MARK_KEY;

export interface MirrorMark {
  /** The ids of cluster and daemon, in hexadecimal. */
  readonly cluster: string;
  readonly daemon: string;
  /** The id of the daemon's run, and the number of its batch. */
  readonly run: string;
  readonly batch: number;
  /** The position in the order up to which Redis has all changes. */
  readonly level: { readonly at: number; readonly seq: number };
  /**
   * The count and sum of the folded entries, if the daemon stopped after it had written all changes; otherwise an empty
   * string.
   */
  readonly folded: string;
}

/** The number of the mark's format. */
const FORMAT = 1;
const NUMBER = /^dbsync-mirror:([1-9]\d{0,8}) /;
const FORM =
  /^dbsync-mirror:\d+ cluster=([\da-f]{64}) daemon=([\da-f]{64}) batch=([\da-f]{16})\.(\d{1,15}) level=(\d{1,15})\.(\d{1,5}) whole=(\S{0,200})$/;

export function formatMark({ cluster, daemon, run, batch, level, folded }: MirrorMark): string {
  return `dbsync-mirror:${FORMAT} cluster=${cluster} daemon=${daemon} batch=${run}.${batch} level=${level.at}.${level.seq} whole=${folded}`;
}

/** Returns the number of a mark's format, or null if the text is not a mark. */
function formatOf(text: string): number | null {
  const [, number] = NUMBER.exec(text) ?? [];
  return number === undefined ? null : Number(number);
}

/** Parses a mark, or returns null if the text is not one of this format. */
export function parseMark(text: string): MirrorMark | null {
  const match = formatOf(text) === FORMAT ? FORM.exec(text) : null;
  if (match === null) return null;

  const [cluster, daemon, run, batch, at, seq, folded] = match.slice(1) as [
    ...[string, string, string, string, string, string, string],
  ];
  return {
    cluster,
    daemon,
    run,
    folded,
    batch: Number(batch),
    level: { at: Number(at), seq: Number(seq) },
  };
}

/** What the daemon that finds a mark in Redis has to do. */
export type MarkCheck =
  /** The daemon continues where it stopped. */
  | { readonly kind: "same" }
  /** All keys must be compared before Redis equals the fold. */
  | { readonly kind: "compare"; readonly reason: string; readonly isAlarm: boolean }
  /** The daemon may not write to this Redis. */
  | { readonly kind: "refused"; readonly reason: string };

export interface MarkContext {
  readonly cluster: string;
  readonly daemon: string;
  /**
   * The marks that Redis may contain if no other program has changed it, according to what the daemon has found or
   * written in this run. An item that is null means that Redis has no mark. The list is empty if the daemon has neither
   * found nor written a mark yet.
   */
  readonly written: readonly (string | null)[];
  /** `MirrorMark.folded` of the current state, or an empty string if more entries are recorded than applied. */
  readonly folded: string;
  /** Whether an administrator has allowed the daemon to overwrite the data. */
  readonly takesOver: boolean;
}

/**
 * Determines from the mark in Redis what the daemon has to do.
 * @param text     the mark, or null if there is none
 * @param isEmpty  whether Redis has no keys at all
 */
export function checkMark(text: string | null, isEmpty: boolean, context: MarkContext): MarkCheck {
  const { written, takesOver } = context;
  const hasBegun = written.length > 0 && !written.includes(null);
  if (text !== null && written.includes(text)) return { kind: "same" };

  if (text === null) {
    if (hasBegun)
      return compare("the mark is missing: Redis was emptied, or restored from an earlier dump", true);
    if (isEmpty) return compare("it is empty", false);
    if (takesOver) return compare("it was taken over", false);
    return {
      kind: "refused",
      reason:
        "it has keys but no mark, so they belong to another program: empty it (FLUSHALL), or overwrite them with dbsync repair --take-over",
    };
  }

  const mark = parseMark(text);
  if (mark?.daemon !== context.daemon || mark.cluster !== context.cluster) {
    if (takesOver) return compare("it was taken over", false);
    return { kind: "refused", reason: refusalOf(text, mark, context) };
  }
  if (hasBegun) return compare("its mark is older than the last one: Redis was restored from a dump", true);
  if (mark.folded !== "" && mark.folded === context.folded) return { kind: "same" };

  const reason =
    mark.folded === ""
      ? "the daemon stopped before Redis was up to date"
      : "the timeline is not the same as before";
  return compare(reason, false);
}

const compare = (reason: string, isAlarm: boolean): MarkCheck => ({ kind: "compare", reason, isAlarm });

function refusalOf(text: string, mark: MirrorMark | null, { cluster }: MarkContext): string {
  const format = formatOf(text);
  if (format !== null && format !== FORMAT)
    return (
      `its mark ${MARK_KEY} has format ${format}, and this daemon reads only format ${FORMAT}: use the version of dbsync ` +
      "that wrote it, or take this Redis over with dbsync repair --take-over"
    );
  if (mark === null)
    return `its key ${MARK_KEY} is not a mark: delete that key, or run dbsync repair --take-over`;

  const whose = mark.cluster === cluster ? "" : " of another cluster";
  return (
    `it is the mirror of daemon ${mark.daemon.slice(0, 12)}…${whose}: give each daemon its own Redis or, if that daemon ` +
    "no longer exists, take this Redis over with dbsync repair --take-over"
  );
}
