/** A write on its way to the servers of --json-replica: each is told it in the words that it takes. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Leader } from "./fleet-messages.js";
import type { Forwarded } from "./replica-requests.js";

/** A write that has just been done here. */
export interface ForwardedWrite {
  readonly document: ByteString;
  /** Whether the document is no more. */
  readonly isDrop: boolean;
  /** For a daemon. @param leader  null: it follows nobody */
  told(leader: Leader | null): string;
  /** For a daemon that has got the document as a whole. */
  noted(): string;
  /** In the original's words, with the document as it is now. */
  translated(): Forwarded;
}
