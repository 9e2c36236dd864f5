/** The settings of cjson that scripts can change. Defaults: lua-cjson's. */
export class CjsonSettings {
  sparseConverts = false;
  sparseRatio = 2;
  sparseSafe = 10;
  encodeDepth = 1000;
  decodeDepth = 1000;
  /** Significant digits of a number. */
  precision = 14;
  /** How NaN and infinities are encoded. */
  encodeInvalid: "refused" | "written" | "null" = "refused";
  decodesInvalid = true;
}
