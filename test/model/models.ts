/** The searches of `npm run model`. The longest of a model come first. */
import { agreement } from "./agreement-searches.js";
import { conditions, evidence, liar } from "./conditions-searches.js";
import { decidedKeys } from "./decided-keys-searches.js";
import { followers } from "./followers-searches.js";
import { founding, listChanges } from "./founding-searches.js";
import { programs } from "./programs-searches.js";
import { proposals } from "./proposals-searches.js";
import type { Search } from "./search.js";

export const searches: readonly Search[] = [
  ...conditions,
  ...proposals,
  ...liar,
  ...evidence,
  ...agreement,
  ...followers,
  ...decidedKeys,
  ...programs,
  ...founding,
  ...listChanges,
];
