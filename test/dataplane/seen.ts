/** What is seen of a tracked connection after a packet: ours and the kernel's are told in these words and compared. */

/** What is known of a connection; what `conntrack -L` and ctnetlink tell of it. */
export interface Known {
  readonly state: string;
  /** Seconds that it is still kept. */
  readonly remaining: number;
  readonly assured: boolean;
  readonly seenReply: boolean;
  /** Port of the side that spoke first. */
  readonly originalPort: number;
  /**
   * What the protocol adds, original direction before reply direction: scales and flags of TCP, verification tags of SCTP (as
   * signed numbers).
   */
  readonly details: readonly number[];
}

export interface Seen {
  readonly ctstate: string;
  /** Missing when the packet belongs to no connection that is remembered. */
  readonly known?: Known;
}

/** Seconds that two clocks may differ: the kernel tells whole seconds, and starts to count a little later than we say. */
export const TOLERANCE = 2;

/** `seen` in one line. */
export function describe({ ctstate, known }: Seen): string {
  if (known === undefined) return `${ctstate}, forgotten`;
  const { state, remaining, assured, seenReply, originalPort, details } = known;
  const marks = `${assured ? ' assured' : ''}${seenReply ? ' replied' : ''}`;
  return `${ctstate}, ${state} ${Math.round(remaining)} s${marks} from ${originalPort}, ${details.join()}`;
}

/** Whether `a` and `b` say the same. */
export function agree(a: Seen, b: Seen): boolean {
  const { known: one } = a;
  const { known: two } = b;
  if (a.ctstate !== b.ctstate) return false;
  if (one === undefined || two === undefined) return one === two;
  if (Math.abs(one.remaining - two.remaining) > TOLERANCE) return false;
  return describe({ ...a, known: { ...one, remaining: 0 } }) === describe({ ...b, known: { ...two, remaining: 0 } });
}
