/** The packages of a release, in the order in which they are made. */
import { composerPackage } from "./composer-package.js";
import { containerImage } from "./container-image.js";
import { debianPackage } from "./debian-package.js";
import { goModule } from "./go-module.js";
import { dbsyncClientPackage, dbsyncdPackage } from "./npm-packages.js";
import { pythonWheel } from "./python-wheel.js";
import type { ReleasePackage } from "./release-package.js";

export const PACKAGES: readonly ReleasePackage[] = [
  dbsyncdPackage,
  dbsyncClientPackage,
  debianPackage,
  pythonWheel,
  composerPackage,
  goModule,
  containerImage,
];
