/** The settings of cjson that scripts can change. The defaults are those of lua-cjson. */
export class CjsonSettings {
  sparseConverts = false;
  sparseRatio = 2;
  sparseSafe = 10;
  encodeDepth = 1000;
  decodeDepth = 1000;
  /** The number of significant digits. */
  precision = 14;
  /** The encoding of NaN and infinities. */
  encodeInvalid: "refused" | "written" | "null" = "refused";
  decodesInvalid = true;
  /** Whether the encoder of Redis reuses its buffer. It has no effect here. */
  keepsBuffer = true;
}
