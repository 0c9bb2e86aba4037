/** What a benchmark that runs in a process of its own measures itself with. */
import { readFileSync } from 'node:fs';

/** CPU time of this thread, where Linux tells it; else NaN. */
export function threadNanoseconds(): number {
  try {
    return Number(readFileSync('/proc/thread-self/schedstat', 'utf8').split(' ')[0]);
  } catch {
    return Number.NaN;
  }
}

/** Let V8 finish what it compiles and collects on behalf of the rules, which is not the replay's. */
export async function quiet(): Promise<void> {
  (globalThis as { gc?: () => void }).gc?.();
  await new Promise((resolve) => setTimeout(resolve, 300));
}
