/** Installs the code of all families. `npm run core` omits the tests that import this file to run commands of faces. */
import "./installed-families.js";
