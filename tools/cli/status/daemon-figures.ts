/** Reads the figures that daemons report to administrators (INFO dbsync), and whether their databases answer. */
import type { Settings } from "../../../client/settings/client-settings.js";
import { DbsyncError } from "../../../client/shared/errors.js";
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import type { Figures } from "../../../protocol/figures/figure.js";
import { INFO_FIGURES, type InfoFigures, pairsOf } from "../../../protocol/figures/info-figures.js";
import type { ORDER_FIGURES } from "../../../protocol/figures/order-figures.js";
import { queryEach } from "../keys/fetch-key-rings.js";
import { figureValue } from "../shared/read-figures.js";
import { FOR_ADMINISTRATORS, keyOf } from "./read-timeline-status.js";

type SameFigures = "software" | "uptime" | "clients" | "commands" | "errors" | "refusals" | "keys";

/** A daemon's current figures, and its counts since the start. */
export interface DaemonFigures extends Pick<InfoFigures, SameFigures> {
  /** Memory in bytes. `limit` is 0 if there is no limit. */
  readonly memory: Pick<InfoFigures, "used" | "resident" | "limit">;
  readonly backends: readonly { readonly name: string; readonly up: boolean }[];
  /** Figures of the stream that orders the daemon's writes, or null if there is no stream. */
  readonly order: OrderFigures | null;
  /**
   * Number of answers by duration. `max` is the end of a range of durations in microseconds, or Infinity for the last
   * range; each range begins at the end of the previous one.
   */
  readonly times: readonly (readonly [max: number, count: number])[];
}

type ShownOfOrder = "applied" | "behind" | "waiting" | "trouble" | "lowDisk";
export type OrderFigures = Pick<Figures<typeof ORDER_FIGURES>, ShownOfOrder>;

export interface FiguresAnswer {
  readonly figures: DaemonFigures | null;
  /** The database that does not answer ("" if its name is unknown), or null if all known databases answer. */
  readonly missing: string | null;
  /** The reason why the daemon does not report figures, or null if it reports them or has none. */
  readonly note: string | null;
}

const QUESTION = ["INFO", "dbsync"];
const NOTHING: FiguresAnswer = { figures: null, missing: null, note: null };

/**
 * Reads the figures of daemons. A daemon that does not report to this key receives a PING instead, which it can answer
 * only if its database answers.
 * @param isQueried  for each server, whether to query it
 * @returns an answer for each server
 */
export async function readDaemonFigures(
  settings: Settings,
  isQueried: readonly boolean[],
): Promise<readonly FiguresAnswer[]> {
  const servers = settings.servers.filter((_, index) => isQueried[index]);
  const key = keyOf(settings);
  if (servers.length === 0 || key === null) return isQueried.map(() => NOTHING);
  if (typeof key === "string")
    return isQueried.map((isThisQueried) => (isThisQueried ? { ...NOTHING, note: key } : NOTHING));
  const answers = await queryEach({ ...settings, servers }, key, QUESTION);
  const figures = await Promise.all(
    answers.map(async ({ reply, error }, index): Promise<FiguresAnswer> => {
      const figures = reply === null ? null : figuresOf(reply);
      if (figures !== null) {
        return { ...NOTHING, figures, missing: figures.backends.find(({ up }) => !up)?.name ?? null };
      }
      const note = /NOPERM/.test(error?.message ?? "") ? FOR_ADMINISTRATORS : null;
      const server = servers[index] as Settings["servers"][number];
      const [ping] = await queryEach({ ...settings, servers: [server] }, key, ["PING"]);
      return { figures, note, missing: isDatabaseDown(ping?.error ?? null) ? "" : null };
    }),
  );
  let next = 0;
  return isQueried.map((isThisQueried) => (isThisQueried ? (figures[next++] ?? NOTHING) : NOTHING));
}

function isDatabaseDown(error: Error | null): boolean {
  const outcome = error instanceof DbsyncError ? error.outcomes[0] : undefined;
  return outcome?.status === "failed" && outcome.stage === "refused" && /^database-/.test(outcome.detail);
}

/** Parses figures. Returns null if the daemon's version reports no figures. */
export function figuresOf(reply: ReplyValue): DaemonFigures | null {
  const fields = new Map(
    String(reply)
      .split("\r\n")
      .map((line): [string, string] => {
        const at = line.indexOf(":");
        return [line.slice(0, at), line.slice(at + 1)];
      }),
  );
  const values = Object.entries(INFO_FIGURES).map(([name, row]) => [
    name,
    figureValue(row, fields.get(row.field)),
  ]);
  const figures = Object.fromEntries(values) as InfoFigures;
  const { software, uptime, clients, commands, errors, refusals, keys, used, resident, limit } = figures;
  if (software === "") return null;
  return {
    ...{ software, uptime, clients, commands, errors, refusals, keys },
    memory: { used, resident, limit },
    backends: [...fields].flatMap(([name, value]) => {
      const [, up, backend = ""] = /^up=([01]),name=(.*)$/.exec(value) ?? [];
      return up === undefined || !/^backend\d+$/.test(name) ? [] : [{ name: backend, up: up === "1" }];
    }),
    order: orderOf(figures),
    times: pairsOf(figures.times).flatMap(([end, count]): [number, number][] => {
      const max = end === "more" ? Number.POSITIVE_INFINITY : Number(end);
      return Number.isNaN(max) ? [] : [[max, count]];
    }),
  };
}

/** Returns the figures of a stream, or null if there is no stream. */
function orderOf({ order, orderTrouble: trouble, lowDisk: low }: InfoFigures): OrderFigures | null {
  if (order === null) return null;
  const counts = new Map(pairsOf(order));
  const count = (name: ShownOfOrder) => counts.get(name) ?? 0;
  const bytes = new Map(low === null ? [] : pairsOf(low));
  return {
    applied: count("applied"),
    behind: count("behind"),
    waiting: count("waiting"),
    trouble,
    lowDisk: low === null ? null : { free: bytes.get("free") ?? 0, size: bytes.get("size") ?? 0 },
  };
}
