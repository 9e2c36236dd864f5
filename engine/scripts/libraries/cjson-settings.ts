/** What scripts may set of cjson. Defaults: lua-cjson's. */
export class CjsonSettings {
  sparseConverts = false;
  sparseRatio = 2;
  sparseSafe = 10;
  encodeDepth = 1000;
  decodeDepth = 1000;
  /** Digits of a number. */
  precision = 14;
  /** What NaN and infinities are written as. */
  encodeInvalid: "refused" | "written" | "null" = "refused";
  decodesInvalid = true;
}
