/**
 * Tests calls that share a signature, with real daemons and an RSA key: the members decide on each of them separately,
 * also while a daemon is stopped, and `dbsync log verify` accepts what they have stored.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Client } from "../../client/public-api.js";
import { verifyTimeline } from "../../tools/history/verification/verify-timeline.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { Trio } from "../support/trio.js";
