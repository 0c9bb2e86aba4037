/** `-j LOG` (libxt_LOG.c): a line in the kernel's log. */
import { fail, joined, type OptionSpec, optionalValue, type TargetModule, type TargetOf } from '../text/module.ts';
import { readInteger, readString } from '../text/values.ts';
import { quote, type Word } from '../text/words.ts';

type Log = TargetOf<'LOG'>;
type Flag = 'tcpSequence' | 'tcpOptions' | 'ipOptions' | 'uid' | 'macdecode';

const DEFAULT_LEVEL = 4;
const MAXIMUM_PREFIX = 29;
/** By level. iptables takes `error` and `warning` too, and `panic` for `emerg`. */
const LEVELS = ['emerg', 'alert', 'crit', 'err', 'warn', 'notice', 'info', 'debug'];
const LEVEL_ALIASES: Readonly<Record<string, number>> = { panic: 0, error: 3, warning: 4 };
/** Bits of XT_LOG_* in the kernel's header, which `iptables -L -n` prints as a sum. */
const FLAGS: Readonly<Record<Flag, readonly [name: string, bit: number]>> = {
  tcpSequence: ['tcp-sequence', 1],
  tcpOptions: ['tcp-options', 2],
  ipOptions: ['ip-options', 4],
  uid: ['uid', 8],
  macdecode: ['macdecode', 32],
};
const FLAG_NAMES = Object.keys(FLAGS) as Flag[];
const FLAG_OPTIONS = FLAG_NAMES.map((flag): OptionSpec => ({ name: `--log-${FLAGS[flag][0]}`, values: 0 }));

function readLevel(word: Word): number {
  if (/^[0-9]/.test(word.text)) return readInteger(word, 0, 7);
  const text = word.text.toLowerCase();
  const level = LEVELS.indexOf(text);
  if (level >= 0) return level;
  return LEVEL_ALIASES[text] ?? fail('ERR_RULE_VALUE', word, `'${word.text}' is no log level`);
}

const flagsOf = (target: Log): Flag[] => FLAG_NAMES.filter((flag) => target[flag]);

export const log: TargetModule<Log> = {
  kind: 'LOG',
  options: [{ name: '--log-prefix' }, { name: '--log-level' }, ...FLAG_OPTIONS],
  parse(written) {
    const level = optionalValue(written, '--log-level');
    const prefix = optionalValue(written, '--log-prefix');
    const flags = FLAG_NAMES.map((flag) => [flag, written.options.has(`--log-${FLAGS[flag][0]}`)]);
    return {
      kind: 'LOG',
      level: level === undefined ? DEFAULT_LEVEL : readLevel(level),
      prefix: prefix === undefined ? '' : readString(prefix, MAXIMUM_PREFIX),
      ...(Object.fromEntries(flags) as Record<Flag, boolean>),
    };
  },
  save: (target) =>
    joined(
      target.prefix === '' ? '' : `--log-prefix ${quote(target.prefix)}`,
      target.level === DEFAULT_LEVEL ? '' : `--log-level ${target.level}`,
      ...flagsOf(target).map((flag) => `--log-${FLAGS[flag][0]}`),
    ),
  list(target, { numeric }) {
    const flags = flagsOf(target);
    const listed = numeric
      ? `LOG flags ${flags.reduce((sum, flag) => sum + FLAGS[flag][1], 0)} level ${target.level}`
      : joined(`LOG level ${LEVELS[target.level]}`, ...flags.map((flag) => FLAGS[flag][0]));
    return target.prefix === '' ? listed : `${listed} prefix "${target.prefix}"`;
  },
};
