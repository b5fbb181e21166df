// A value fetched for a view: loading, here, or a problem; a newer request cancels an older one.

import { Problem } from "./api";

export class Load<T> {
  value = $state.raw<T>();
  problem = $state.raw<Problem>();
  loading = $state(false);
  #controller: AbortController | undefined;

  /** Fetches; what was there stays until the answer comes, unless `fresh`. */
  async run(fetcher: (signal: AbortSignal) => Promise<T>, fresh = true): Promise<void> {
    this.#controller?.abort();
    const controller = new AbortController();
    this.#controller = controller;
    if (fresh) this.value = undefined;
    this.loading = true;
    this.problem = undefined;
    try {
      const value = await fetcher(controller.signal);
      if (!controller.signal.aborted) this.value = value;
    } catch (error) {
      if (controller.signal.aborted) return;
      this.problem = error instanceof Problem ? error : new Problem(0, "console", "The console could not read the answer", (error as Error).message, "Reload the page; if it stays, report it.");
    } finally {
      if (!controller.signal.aborted) this.loading = false;
    }
  }

  stop(): void {
    this.#controller?.abort();
  }
}
