/** One replay from the first packet to the last: by one worker, or by several of which each judges its share. */
import type { Dataplane } from '../../dataplane/dataplane.ts';
import { type FlowSums, flowSums } from '../../replay/flow-sums.ts';
import { flowsOf, join, objection, partOf } from '../../replay/join.ts';
import type { Pacing } from '../../replay/pacing.ts';
import { type Playback, play } from '../../replay/player.ts';
import { EXIT, exitCodeOf } from '../exit.ts';
import { giving, type Interruption, interruptible, watchForInterruption } from '../interruption.ts';
import type { Control } from './control.ts';
import type { OutputOptions } from './output.ts';
import { type Outputs, openOutputs } from './outputs.ts';
import { openGate, openSteps, type Tempo, type Waiting } from './pace.ts';
import { inputsOf, prepare, type Replaying, type Task } from './prepare.ts';
import { startTeam, type Team } from './team.ts';

export interface Replayed {
  readonly dataplane: Dataplane;
  readonly playback: Playback;
  readonly flows: FlowSums | null;
  /** Null for packets that came as fast as they could. */
  readonly pacing: Pacing | null;
  /** Wall time in nanoseconds. */
  readonly elapsed: number;
  readonly epoch: bigint;
  readonly interruption: Interruption;
}

/** Several workers cannot tell. */
export interface Refused {
  readonly why: string;
  readonly interruption: Interruption;
}

/**
 * Replay `task` with `workers` and write what `options` asks for. Gives why instead, and leaves nothing behind, when one worker might
 * find something else than several did; and the signal that came meanwhile.
 */
export async function run(
  task: Task,
  options: OutputOptions,
  { plan }: Control,
  tempo: Tempo,
  workers: number,
): Promise<Replayed | Refused> {
  const team = workers > 1 ? startTeam(task, workers) : null;
  const interruption = watchForInterruption();
  try {
    const replaying = await prepare(task, team === null ? null : { number: 0, of: workers }, tempo.rounds);
    const { dataplane, source } = replaying;
    try {
      const outputs = await openOutputs(options, dataplane, inputsOf(replaying, task.captures, tempo.rounds));
      try {
        const began = process.hrtime.bigint();
        const played =
          team === null
            ? await playAlone(replaying, outputs, interruption, plan, tempo)
            : await playTogether(replaying, team, interruption, task.connections);
        if (typeof played === 'string') await outputs.abort();
        else await outputs.finish();
        const elapsed = Number(process.hrtime.bigint() - began);
        return typeof played === 'string'
          ? { why: played, interruption }
          : { ...played, dataplane, elapsed, epoch: source.epochNanoseconds, interruption };
      } catch (error) {
        await outputs.abort();
        throw error;
      }
    } finally {
      await source.close();
    }
  } finally {
    interruption.end();
    await team?.end();
  }
}

interface Played {
  readonly playback: Playback;
  readonly flows: FlowSums | null;
  readonly pacing: Pacing | null;
}

/** Damage of a capture is reported; any other error is thrown. */
function requireInput({ damage }: Playback): void {
  if (damage !== null && exitCodeOf(damage) !== EXIT.INPUT) throw damage;
}

async function playAlone(
  { dataplane, source, table }: Replaying,
  outputs: Outputs,
  interruption: Interruption,
  plan: Control['plan'],
  { pace, step }: Tempo,
): Promise<Played> {
  const hasSignal = (): boolean => interruption.code !== 0;
  const waiting: Waiting = {
    stop: hasSignal,
    whenStopped: () =>
      new Promise((resolve) => {
        interruption.wake = resolve;
      }),
    flush: () => outputs.flush(),
  };
  const steps = step ? openSteps(process.stdin, waiting) : null;
  const gate = pace === null ? null : openGate(pace, waiting);
  try {
    const playback = await play(interruptible(source, interruption), dataplane, outputs.observers, {
      flows: table,
      stop: () => hasSignal() || (steps?.hasEnded() ?? false),
      plan,
      gate: steps ?? gate,
    });
    requireInput(playback);
    return { playback, flows: table && flowSums(table), pacing: gate?.pacing ?? null };
  } finally {
    steps?.close();
  }
}

/** Judge the first share, and add what the others found. */
async function playTogether(
  { dataplane, source, table }: Replaying,
  team: Team,
  interruption: Interruption,
  limit: number,
): Promise<Played | string> {
  interruption.wake = team.stop;
  if (interruption.code !== 0) team.stop();
  const playback = await play(giving(source), dataplane, [], {
    flows: table,
    stop: team.hasFailed,
    until: () => team.rendezvous.until(source.packets),
  });
  team.rendezvous.leave(source.packets);
  requireInput(playback);
  const others = await team.parts();
  const parts = [partOf(dataplane, playback, source.packets, table && flowSums(table)), ...others];
  const why = objection(parts, limit);
  if (why !== null) return why;
  join(dataplane, others);
  return { playback, flows: flowsOf(parts), pacing: null };
}
