/** `-m comment` (libxt_comment.c): a note of at most 255 octets that matches every packet. */
import { type MatchModule, type MatchOf, required } from '../text/module.ts';
import { readString } from '../text/values.ts';
import { quote } from '../text/words.ts';

const MAXIMUM_LENGTH = 255;

export const comment: MatchModule<MatchOf<'comment'>> = {
  kind: 'comment',
  options: [{ name: '--comment' }],
  parse: (written) => ({
    kind: 'comment',
    text: readString(required(written, '--comment').values[0]!, MAXIMUM_LENGTH),
  }),
  save: ({ text }) => `--comment ${quote(text)}`,
  list: ({ text }) => `/* ${text} */`,
};
