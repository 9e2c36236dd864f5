/** Tests the texts of amounts at the bounds of their units. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  bytesCell,
  bytesText,
  countCell,
  countText,
  differenceCell,
  differenceText,
  millisecondsCell,
  millisecondsText,
  shortCountText,
  spanCell,
  spanText,
} from "../../../protocol/figures/amount-texts.js";

const SECOND = 1000;
const HOUR = 3600 * SECOND;

test("cells of a terminal and sentences of the page format amounts with the largest suitable unit", () => {
  const texts = (format: (amount: number) => string, ...amounts: readonly number[]) => amounts.map(format);
  assert.deepEqual(texts(bytesCell, 999, 1000, 12_345, 5e15), ["999 B", "1.0 KB", "12.3 KB", "5000.0 TB"]);
  assert.deepEqual(texts(bytesText, 999, 1000, 12_345), ["999 B", "1.0 KB", "12 KB"]);
  assert.deepEqual(texts(countCell, 9999, 10_000, 123_456), ["9999", "10.0k", "123k"]);
  assert.deepEqual(texts(countText, 0.6, 12_345), ["1", "12,345"]);
  assert.deepEqual(texts(shortCountText, 0.1234, 12_345), ["0.123", "12.3K"]);
  assert.deepEqual(texts(spanCell, 599 * SECOND, HOUR, 72 * HOUR), ["599 s", "1.0 h", "3 d"]);
  assert.deepEqual(texts(spanText, -1, 119 * SECOND, HOUR, 72 * HOUR), ["0 s", "119 s", "60 min", "3 d"]);
  assert.deepEqual(texts(millisecondsCell, 0.051, 5.55, -12.3), ["0.05 ms", "5.5 ms", "-12 ms"]);
  assert.deepEqual(texts(millisecondsText, 0.0512, 12.3, SECOND), ["0.051 ms", "12 ms", "1 s"]);
  assert.deepEqual(texts(differenceCell, -3, 0, 3), ["-3 ms", "+0 ms", "+3 ms"]);
  assert.deepEqual(texts(differenceText, -3, 0, 3), ["−3 ms", "0 ms", "+3 ms"]);
});
