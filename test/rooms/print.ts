/**
 * `npm run rooms [-- HOUSE]`: prints the modules of daemon/ and similar folders, how many files each has and which
 * modules it imports; then the largest folders.
 */
import { arrows, folderSizes, HALL, HOUSES, roomsOfReadme, sizes } from "./rooms.js";

const LARGEST = 10;
const wanted = process.argv.slice(2);
const houses = HOUSES.filter((house) => wanted.length === 0 || wanted.includes(house));
if (houses.length === 0) {
  console.error(
    `There is no table of rooms for ${wanted.join(" or ")}: there is one for ${HOUSES.join(", ")}.`,
  );
  process.exit(2);
}
for (const house of houses) print(house);
console.log("Largest folders:");
const folders = [...folderSizes()].filter(([folder]) => !/^(test|bench)\b/.test(folder));
for (const [folder, files] of folders.sort(([, one], [, other]) => other - one).slice(0, LARGEST))
  console.log(`  ${folder.padEnd(34)}${String(files).padStart(4)} files`);

function print(house: string): void {
  const known = arrows(house);
  const held = sizes(house);
  const table = [...roomsOfReadme(house).keys()];
  const rooms = [...table, ...[...held.keys()].filter((room) => !table.includes(room))];
  const rank = (room: string) => rooms.indexOf(room);
  let count = 0;
  let up = 0;
  console.log(`${house}/`);
  for (const room of rooms) {
    const others = [...(known.get(room)?.keys() ?? [])].sort((one, other) => rank(one) - rank(other));
    count += others.length;
    up += others.filter((other) => rank(other) >= rank(room)).length;
    const name = room === HALL ? "(directly in it)" : room;
    console.log(
      `  ${name.padEnd(24)}${String(held.get(room) ?? 0).padStart(4)} files   ${others.join(", ")}`,
    );
  }
  console.log(`  ${rooms.length} rooms, ${count} arrows, ${up} of them up\n`);
}
