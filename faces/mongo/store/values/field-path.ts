import type { ByteString } from "../../../../protocol/byte-string.js";

/** The path of a field, as a list of names. */
export type FieldPath = readonly ByteString[];

export const pathOf = (name: ByteString): FieldPath => name.split(".");

/** Whether a part of a path may be the index of an array element. */
export const isArrayIndex = (name: ByteString): boolean => /^\d+$/.test(name);
