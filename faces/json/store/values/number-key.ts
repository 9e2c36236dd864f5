/** Numeric keys of entries, from which the keys of later entries are counted. */
import type { ByteString } from "../../../../protocol/byte-string.js";

/** Matches numbers that are short enough to be counted; longer ones are ordinary names. */
const NUMBER_KEY = /^(?:0|-?[1-9]\d{0,14})$/;
/** The first number after those that are counted as numeric keys. */
export const NUMBERS_END = 1e15;

/** Whether a key counts as a number. The removal of such a key may change the next number. */
export const isNumberKey = (key: ByteString): boolean => NUMBER_KEY.test(key);
