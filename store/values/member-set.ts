/** A set value: distinct members in a dense order. */
import type { ByteString } from "../../protocol/byte-string.js";
import { DenseIndex } from "./dense-index.js";

export class MemberSet extends DenseIndex {
  has(member: ByteString): boolean {
    return this.find(member) >= 0;
  }

  clone(): MemberSet {
    const copy = new MemberSet();
    for (const member of this.members) copy.push(member);
    return copy;
  }
}
