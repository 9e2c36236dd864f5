/** The reads of a client that run after units of the same client that wait to be recorded. */

export interface WaitingStep {
  /** Runs the step. It may be called again if the units before it were undone. */
  run(): void;
  /** Called once, after the last run, when the units before it are recorded or refused. */
  end(): void;
}

/** The steps of a group of units, in order. */
export class WaitingSteps {
  /** Each step, and the number of the group's units that precede it. */
  #steps: { readonly after: number; readonly step: WaitingStep }[] = [];
  /** The number of steps that have run. */
  #ran = 0;

  get isEmpty(): boolean {
    return this.#steps.length === 0;
  }

  add(after: number, step: WaitingStep): void {
    this.#steps.push({ after, step });
  }

  /** Runs the steps that no more than the given number of units precede. */
  runUpTo(applied: number): void {
    for (let next = this.#steps[this.#ran]; next !== undefined; next = this.#steps[this.#ran]) {
      if (next.after > applied) return;
      this.#ran++;
      next.step.run();
    }
  }

  /** Runs the remaining steps, and ends all steps. */
  end(): void {
    this.runUpTo(Number.POSITIVE_INFINITY);
    const steps = this.#steps;
    this.#steps = [];
    this.#ran = 0;
    for (const { step } of steps) step.end();
  }

  /** Ends the steps that no units precede. */
  endFirst(): void {
    this.runUpTo(0);
    const ended = this.#steps.splice(0, this.#ran);
    this.#ran = 0;
    for (const { step } of ended) step.end();
  }

  /** Returns the steps that follow the unit with the given index directly. They run again. */
  following(index: number): WaitingSteps {
    const steps = new WaitingSteps();
    for (const { after, step } of this.#steps) if (after === index + 1) steps.add(1, step);
    return steps;
  }

  /** Removes and returns the steps that follow the units from the given index on. None of them has run. */
  from(index: number): WaitingSteps {
    const steps = new WaitingSteps();
    for (const { after, step } of this.#steps) if (after > index) steps.add(after - index, step);
    this.#steps = this.#steps.filter(({ after }) => after <= index);
    return steps;
  }
}
