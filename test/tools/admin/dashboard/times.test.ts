/** Tests the times of the page: a clock of 24 hours, with the zone. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { dateText, timeText } from "../../../../tools/admin/dashboard/times.js";

test("times have 24 hours, and name the zone", () => {
  const afternoon = new Date(2030, 0, 2, 15, 4, 5).getTime();
  assert.match(timeText(afternoon), /^15:04:05 \S+$/);
  assert.match(dateText(afternoon), /^2030-01-02, 15:04:05 \S+$/);
  assert.match(timeText(new Date(2030, 0, 2, 0, 4, 5).getTime()), /^00:04:05 \S+$/);
});
