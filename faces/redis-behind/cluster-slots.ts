/** The slots of a Redis Cluster: the slot of a key, and the masters of the slots. */
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error, type Reply } from "../../protocol/reply.js";
import type { RedisAddress } from "./redis-link.js";

/** The number of slots of a Redis Cluster. Source: redis.io, "Redis cluster specification". */
export const SLOTS = 16_384;

/** The table of CRC-16 (XMODEM): polynomial 0x1021, initial value 0. */
const CRC = Uint16Array.from({ length: 256 }, (_, byte) => {
  let crc = byte << 8;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021;
  return crc;
});

/** Returns a key's slot. If the first pair of braces in the key contains text, only that text determines the slot. */
export function slotOf(key: ByteString): number {
  const open = key.indexOf("{");
  const close = open === -1 ? -1 : key.indexOf("}", open + 1);
  const [from, to] = close > open + 1 ? [open + 1, close] : [0, key.length];
  let crc = 0;
  for (let i = from; i < to; i++)
    crc = ((crc << 8) & 0xffff) ^ (CRC[((crc >> 8) ^ key.charCodeAt(i)) & 0xff] as number);
  return crc % SLOTS;
}

/** The maximum number of keys and their slots that a refusal names. */
const NAMED_MAX = 4;
const NAMED_CHARS = 64;

/** Returns the slot that all keys share, or the error if there are several slots. @param keys  at least one */
export function oneSlotOf(keys: readonly ByteString[]): number | ErrorReply {
  const slot = slotOf(keys[0] as ByteString);
  if (keys.every((key) => slotOf(key) === slot)) return slot;
  const bySlot = new Map(keys.map((key) => [slotOf(key), key]));
  const named = [...bySlot].slice(0, NAMED_MAX).map(([at, key]) => `${shown(key)} in ${at}`);
  const more = bySlot.size > NAMED_MAX ? `, and ${bySlot.size - NAMED_MAX} more slots` : "";
  return error(
    `CROSSSLOT Keys in request don't hash to the same slot: ${named.join(", ")}${more}; give their names the same ` +
      "part in braces to keep keys together",
  );
}

const shown = (key: ByteString): string => (key.length > NAMED_CHARS ? `${key.slice(0, NAMED_CHARS)}…` : key);

interface SlotRange {
  readonly first: number;
  readonly last: number;
  readonly master: RedisAddress;
}

/**
 * Parses the reply to CLUSTER SLOTS, sorted by slot.
 * @param node  the address of the node that replied, which is used if the reply omits that node's address
 */
export function readSlots(reply: Reply, node: RedisAddress): SlotRange[] {
  const ranges = (reply.kind === "array" ? reply.items : []).map((item) => {
    const [first, last, master] = item.kind === "array" ? item.items : [];
    const [host, port] = master?.kind === "array" ? master.items : [];
    const named = host?.kind === "bulk" && host.bytes !== "" && host.bytes !== "?" ? host.bytes : node.host;
    return { first: numberIn(first), last: numberIn(last), master: { host: named, port: numberIn(port) } };
  });
  return ranges.filter(({ first, last }) => first <= last && last < SLOTS).sort((a, b) => a.first - b.first);
}

export const numberIn = (reply: Reply | undefined): number =>
  reply?.kind === "integer" ? Number(reply.value) : Number.NaN;
