/**
 * What the control plane does while a capture is replayed, from the command line.
 *
 *     --policies-at TIME=FILE    --asgs-at TIME=FILE    --agent-restart-at TIME
 *
 * TIME is RFC 3339, seconds since 1970, or `+12.5s` from the first packet. What the agent makes of it is
 * `foundation/schedule.ts`.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { withPolicies, withSecurityGroups } from '../../foundation/changed.ts';
import type { Foundation } from '../../foundation/model.ts';
import { type ControlEvent, scheduleOf } from '../../foundation/schedule.ts';
import type { Plan } from '../../replay/player.ts';
import { createTimeline, type Timeline } from '../../replay/timeline.ts';
import { UsageError } from '../exit.ts';
import { readText } from '../files.ts';
import type { Sources } from '../sources/options.ts';
import { readItem } from '../sources/read.ts';

export interface ControlOptions {
  readonly policiesAt?: readonly string[];
  readonly asgsAt?: readonly string[];
  readonly agentRestartAt?: readonly string[];
  // Nanoseconds.
  readonly pollInterval: number;
  readonly asgPollInterval: number;
  readonly firstPoll: number;
  readonly insertTime: number;
  readonly fillTime: number;
  readonly removeTime: number;
}

/** Nanoseconds of `5`, `5s`, `40ms` or `12.5s`. */
function duration(text: string): number {
  const found = /^([0-9]{1,9}(?:\.[0-9]{1,9})?)(s|ms|us)?$/.exec(text);
  if (found === null) throw new InvalidArgumentError('expected a duration such as 5s or 40ms');
  return Math.round(Number(found[1]) * { s: 1e9, ms: 1e6, us: 1e3 }[found[2] ?? 's']!);
}

function interval(text: string): number {
  const nanoseconds = duration(text);
  if (nanoseconds === 0) throw new InvalidArgumentError('expected more than 0');
  return nanoseconds;
}

const collect = (value: string, before: readonly string[] | undefined): readonly string[] => [...(before ?? []), value];

/** Add the options to a command. */
export function addControlOptions(command: Command): Command {
  const option = (flags: string, description: string): Option =>
    new Option(flags, description).helpGroup('What changes while packets flow:');
  const timed = (flags: string, description: string, value: number, text: string, read = duration): Option =>
    option(flags, description).argParser(read).default(value, text);
  return command
    .addOption(option('--policies-at <time=file>', 'policies from then on (repeatable)').argParser(collect))
    .addOption(option('--asgs-at <time=file>', 'security groups from then on (repeatable)').argParser(collect))
    .addOption(
      option(
        '--agent-restart-at <time>',
        'pre-start flushes filter and nat, the agent starts anew (repeatable)',
      ).argParser(collect),
    )
    .addOption(timed('--poll-interval <duration>', 'how often the agent asks for policies', 5e9, '5s', interval))
    .addOption(timed('--asg-poll-interval <duration>', '... and for security groups', 60e9, '60s', interval))
    .addOption(timed('--first-poll <duration>', 'its first poll, after the first packet', 0, '0s'))
    .addOption(timed('--insert-time <duration>', 'from a poll to the jump to the new, empty chain', 15e6, '15ms'))
    .addOption(timed('--fill-time <duration>', 'from there to the filled chain', 35e6, '35ms'))
    .addOption(timed('--remove-time <duration>', 'from there to the end of the old chain', 35e6, '35ms'));
}

/** Nanoseconds since the source's epoch of a moment that somebody wrote. */
type Moment = (first: number, epochNanoseconds: bigint) => number;

function momentOf(option: string, text: string): Moment {
  const relative = /^\+([0-9]{1,9})(?:\.([0-9]{1,9}))?s?$/.exec(text);
  if (relative !== null) return (first) => first + Number(nanoseconds(relative[1]!, relative[2]));
  const seconds = /^([0-9]{1,11})(?:\.([0-9]{1,9}))?$/.exec(text);
  const date = /^(\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?([Zz]|[+-]\d\d:\d\d)$/.exec(text);
  const whole = date === null ? Number.NaN : Date.parse(`${date[1]!.replace(' ', 'T')}${date[3]}`) / 1000;
  if (seconds === null && Number.isNaN(whole)) {
    throw new UsageError(
      `${option} ${text}: expected a time such as +12.5s, 2026-01-02T03:04:05.678Z or seconds since 1970`,
    );
  }
  const absolute = seconds === null ? nanoseconds(String(whole), date![2]) : nanoseconds(seconds[1]!, seconds[2]);
  return (_, epoch) => Number(absolute - epoch);
}

const nanoseconds = (whole: string, fraction = ''): bigint =>
  BigInt(whole) * 1_000_000_000n + BigInt(fraction.padEnd(9, '0'));

interface Announced {
  readonly moment: Moment;
  readonly event: (at: number) => ControlEvent;
}

async function announcedFiles(
  option: string,
  values: readonly string[],
  read: (file: string) => Promise<Foundation>,
  kind: 'policies' | 'security-groups',
): Promise<Announced[]> {
  const all: Announced[] = [];
  for (const value of values) {
    const at = value.indexOf('=');
    if (at < 1 || at === value.length - 1) throw new UsageError(`${option} ${value}: expected TIME=FILE`);
    const moment = momentOf(option, value.slice(0, at));
    const foundation = await read(value.slice(at + 1));
    all.push({ moment, event: (time) => ({ kind, at: time, foundation }) });
  }
  return all;
}

/** A replay's changes, and where to find the timeline once it is made. */
export interface Control {
  readonly plan: Plan | null;
  timeline: Timeline | null;
}

/** Read what `options` ask for. Throws UsageError, InputError and FoundationError. */
export async function loadControl(options: ControlOptions, sources: Sources): Promise<Control> {
  const { foundation } = sources;
  const item = (file: string) => readItem(file, (one) => readText(one));
  const announced = [
    ...(await announcedFiles(
      '--policies-at',
      options.policiesAt ?? [],
      async (file) => withPolicies(foundation, await item(file)),
      'policies',
    )),
    ...(await announcedFiles(
      '--asgs-at',
      options.asgsAt ?? [],
      async (file) => withSecurityGroups(foundation, await item(file), file),
      'security-groups',
    )),
    ...(options.agentRestartAt ?? []).map(
      (text): Announced => ({
        moment: momentOf('--agent-restart-at', text),
        event: (at) => ({ kind: 'restart', at }),
      }),
    ),
  ];
  if (announced.length === 0) return { plan: null, timeline: null };
  const control: { plan: Plan; timeline: Timeline | null } = { plan, timeline: null };
  return control;

  function plan(first: number, epoch: bigint): Timeline {
    const timing = {
      pollInterval: options.pollInterval,
      groupPollInterval: options.asgPollInterval,
      firstPoll: first + options.firstPoll,
      insert: options.insertTime,
      fill: options.fillTime,
      remove: options.removeTime,
    };
    const events = announced.map(({ moment, event }) => event(moment(first, epoch)));
    const changes = foundation.cells.flatMap(({ name }) =>
      scheduleOf(name, sources.rules.get(name)!.ruleset, foundation, events, timing, epoch),
    );
    control.timeline = createTimeline(changes.sort((a, b) => a.at - b.at));
    return control.timeline;
  }
}
