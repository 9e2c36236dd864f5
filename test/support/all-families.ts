/** Loads the code of all families. Tests that run commands of faces import this file, and `npm run core` omits them. */
import "./installed-families.js";
