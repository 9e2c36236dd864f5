/** What every visitor of a page loads. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { browserModule } from "../../support/make-browser-module.js";

const GZIPPED_MOST = 26 * 1024;

test("the module for pages is one file, small, and asks for nothing that a browser has not", () => {
  const module = readFileSync(browserModule);
  const gzipped = gzipSync(module, { level: 9 }).length;
  assert.ok(gzipped <= GZIPPED_MOST, `${gzipped} bytes`);
  const text = module.toString();
  assert.doesNotMatch(text, /\bimport\s*[("'{*]|\bfrom\s*["']/);
  assert.doesNotMatch(text, /\b(?:process|require)[.(]|node:/);
});
