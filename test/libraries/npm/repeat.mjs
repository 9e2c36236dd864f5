/** Repeats an operation until the input ends. Prints a number after each success, and at the end the failures by error. */
export async function repeat(operation) {
  let [isOver, done] = [false, 0];
  const errors = {};
  process.stdin.resume().once("end", () => {
    isOver = true;
  });
  while (!isOver) {
    try {
      await operation();
      console.log(++done);
    } catch (error) {
      const name = `${error.name}: ${error.message}`;
      errors[name] = (errors[name] ?? 0) + 1;
    }
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  console.log(JSON.stringify(errors));
}
