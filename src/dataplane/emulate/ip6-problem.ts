/** Parameter problem: what the sender of an IPv6 packet is told when it is dropped (RFC 4443 section 3.4, RFC 7112). */

/** Codes of ICMPv6 type 4; NONE when nothing is told. */
export const PROBLEM = { NONE: -1, FIELD: 0, NEXT_HEADER: 1, OPTION: 2, INCOMPLETE: 3 } as const;

export interface Problem {
  /** One of PROBLEM. */
  code: number;
  /** Offset in the packet of what is wrong. */
  pointer: number;
}

export function tell(problem: Problem, code: number, pointer: number): void {
  problem.code = code;
  problem.pointer = pointer;
}
