/**
 * Differences between the kernel and tagplane that are known, each with the reason. They are counted; one that never happens
 * in a run of `STALE_AFTER` packets is stale, and the run fails.
 */
import { count, type Mismatch } from './mismatch.ts';

interface Exception {
  readonly name: string;
  readonly applies: (mismatch: Mismatch) => boolean;
  /** May be absent from a run. */
  readonly isRare?: true;
}

/** Type and code of the ICMP message in a line of a tap (5/1), outside of a tunnel and in it. */
const REDIRECT = /^\S+ (?:in|out) (?:.{68}|.{168})0501/;

/** Whether only redirects make the difference between two lists of lines; tagplane's last line names reasons. */
function isRedirectOnly({ kernel, tagplane }: Mismatch): boolean {
  const [theirs, ours] = [kernel.split('\n'), tagplane.split('\n').slice(0, -1)];
  const differing = [
    ...theirs.filter((line) => !ours.includes(line)),
    ...ours.filter((line) => !theirs.includes(line)),
  ];
  return differing.length > 0 && differing.every((line) => REDIRECT.test(line));
}

/** Packets after which every exception must have been seen. */
export const STALE_AFTER = 20_000;

const EXCEPTIONS: readonly Exception[] = [
  {
    name: 'judge: plain IPv4 between hosts is observed, not judged',
    applies: ({ side, tagplane }) => side === 'judge' && tagplane.startsWith('observed, underlay.'),
  },
  {
    name: 'a limit keeps its tokens when policies change; here it begins anew',
    applies: ({ subject }) => subject.includes('(limit) in epoch ') && !subject.endsWith(' 0'),
  },
  {
    name: 'cells: an answer to the broadcast address of the overlay is not sent',
    applies: ({ side, what, kernel }) =>
      side === 'cells' && what.includes('10.255.255.255 >') && kernel.includes('silk-vtep out ffffffffffff'),
  },
  {
    name: 'cells: redirects are spaced by ticks of the kernel, which no capture shows',
    applies: (mismatch) => mismatch.side === 'cells' && mismatch.step >= 0 && isRedirectOnly(mismatch),
    isRare: true,
  },
];

/** What the emulated cells did not send is missing in counters of other cells, too. */
const FOLLOWS = 'cells: counters after an exception of the same foundation';

/** Those that every long run has to meet. */
export const FREQUENT_EXCEPTIONS = EXCEPTIONS.filter(({ isRare }) => isRare === undefined).map(({ name }) => name);

/** Sort the mismatches of a case into those that stand and counts of those that are excepted. */
export function sift(mismatches: readonly Mismatch[]): { standing: Mismatch[]; excepted: Map<string, number> } {
  const standing: Mismatch[] = [];
  const excepted = new Map<string, number>();
  let isDisturbed = false;
  for (const mismatch of mismatches) {
    const exception = EXCEPTIONS.find(({ applies }) => applies(mismatch));
    if (exception === undefined) standing.push(mismatch);
    else count(excepted, exception.name);
    isDisturbed ||= exception !== undefined && mismatch.side === 'cells' && mismatch.step >= 0;
  }
  if (!isDisturbed) return { standing, excepted };
  const rest = standing.filter(({ side, step }) => side !== 'cells' || step >= 0);
  if (rest.length < standing.length) count(excepted, FOLLOWS, standing.length - rest.length);
  return { standing: rest, excepted };
}
