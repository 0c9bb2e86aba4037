/**
 * What is done to a lab, one step after the other, and all that is needed to do it again: the JSON of a case is a
 * regression file.
 */
import type { FoundationText } from './draw-foundation.ts';

/** A frame put on a wire: on the underlay towards a cell, or by a container. */
export interface FrameStep {
  readonly kind: 'frame';
  /** A cell's name (the frame arrives at its `eth0`), or `app/index` (the frame leaves that container). */
  readonly at: string;
  /** The octets in hexadecimal. */
  readonly octets: string;
  readonly what: string;
  /** Names the flow that the frame belongs to, or is about, when its addresses and ports are translated on the way. */
  readonly flow?: string;
  /**
   * The frame is from the flow's server, who knows the client by a port that a cell may have drawn: that one stands in its
   * place when the frame is sent.
   */
  readonly answers?: true;
}

export interface PauseStep {
  readonly kind: 'pause';
  readonly milliseconds: number;
}

/**
 * A part of what the policy agent does when policies changed: it inserts a jump to a new, empty chain before the old one,
 * fills the new chain, and removes the old one.
 */
export interface PoliciesStep {
  readonly kind: 'policies';
  readonly stage: 'inserted' | 'filled' | 'removed';
  readonly policies: FoundationText['policies'];
}

export type Step = FrameStep | PauseStep | PoliciesStep;

/** A whole case. `strictWindows` leaves TCP windows to the kernel's default; off, the cells are told to be liberal. */
export interface Case {
  readonly seed: number;
  readonly backend: 'nft' | 'legacy';
  readonly underlayMtu: number;
  readonly foundation: FoundationText;
  readonly steps: readonly Step[];
}
