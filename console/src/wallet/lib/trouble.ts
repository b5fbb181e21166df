// Everything that the wallet refuses, or that others refuse it: a stable code, a sentence, the next step.

export class Trouble extends Error {
  readonly code: string;
  readonly hint: string;
  constructor(code: string, sentence: string, hint = "") {
    super(sentence);
    this.name = "Trouble";
    this.code = code;
    this.hint = hint;
  }
}

/** What to show for any error: our own as it is, a programming error with its text. */
export function asTrouble(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  const detail = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new Trouble("wallet.unexpected", `Something went wrong in the wallet itself (${detail}).`, "Try again. Nothing was changed or sent.");
}
