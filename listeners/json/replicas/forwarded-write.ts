/** A write of a JSON client, on its way to the servers of --json-replica. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Forwarded } from "./replica-requests.js";

export interface ForwardedWrite {
  readonly document: ByteString;
  /** Whether the write drops the document. */
  readonly isDrop: boolean;
  /** Returns the original's words for it, with the document as it is now. */
  translated(): Forwarded;
}
