/**
 * Tags as the policy server gives them out.
 *
 * Its table `groups` has one row per tag, 1 to 65535 (tag_length 2). Creating a policy gives its source and then its
 * destination the row with the lowest id that is free, unless they have one. Source: policy-server store/group.go,
 * tag_store.go, tag_populator.go.
 */

/** Highest id of a 16-bit tag. Id 0 is never given out: on the wire it means "no tag". */
export const LAST_TAG = 0xffff;

/** What the policy server answers when no row is free. */
export const TAGS_EXHAUSTED = 'failed to find available tag: sql: no rows in result set';

/** `0001`, `00FF`: how the policy server prints a tag. */
export const formatTag = (tag: number): string => tag.toString(16).toUpperCase().padStart(4, '0');

/** Gives out tags, lowest free one first. */
export interface TagAllocator {
  /** The next free tag, or undefined when all are taken. */
  next(): number | undefined;
}

/** An allocator that never gives out a tag in `taken`. */
export function createTagAllocator(taken: ReadonlySet<number>): TagAllocator {
  let last = 0;
  return {
    next() {
      do last += 1;
      while (taken.has(last));
      return last > LAST_TAG ? undefined : last;
    },
  };
}
