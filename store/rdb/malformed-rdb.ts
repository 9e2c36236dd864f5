/** Bytes that are no value in RDB. Whoever gave them is told; nothing has been changed. */
export class MalformedRdb extends Error {
  override readonly name = "MalformedRdb";
}
