/** Thrown for bytes that are not a value in RDB. The caller reports the error; nothing has been changed. */
export class MalformedRdb extends Error {
  override readonly name = "MalformedRdb";
}
