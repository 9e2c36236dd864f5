/** Keys of entries that are numbers: those that further ones are counted on from. */
import type { ByteString } from "../../../protocol/byte-string.js";

/** Numbers that are ids; longer ones are ordinary names. */
const NUMBER_KEY = /^(?:0|-?[1-9]\d{0,14})$/;
/** Follows all numbers that entries are counted by. */
export const NUMBERS_END = 1e15;

/** Whether a key counts as a number, and a removal in memory may change it. */
export const isNumberKey = (key: ByteString): boolean => NUMBER_KEY.test(key);
