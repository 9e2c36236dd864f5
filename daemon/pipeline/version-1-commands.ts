/** Which commands version 1 carries: it has no rules, and can be replayed for ever. */
import type { ByteString } from "../../protocol/byte-string.js";
import { isKeyCommand } from "../../store/key-ring.js";

/** False: the key ring's, and administration's. */
export function isCarriedByVersion1(argv: readonly ByteString[]): boolean {
  return !isKeyCommand(argv) && argv[0]?.toUpperCase() !== "TIMELINE";
}
