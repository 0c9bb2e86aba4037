/** `-j REJECT` (libipt_REJECT.c), in the filter table only. */
import type { RejectWith } from '../model.ts';
import { fail, optionalValue, type TargetModule, type TargetOf } from '../text/module.ts';
import { PROTOCOL } from '../text/protocols.ts';
import type { Word } from '../text/words.ts';

/** Each answer with its short name. */
const ANSWERS: Readonly<Record<RejectWith, string>> = {
  'icmp-net-unreachable': 'net-unreach',
  'icmp-host-unreachable': 'host-unreach',
  'icmp-proto-unreachable': 'proto-unreach',
  'icmp-port-unreachable': 'port-unreach',
  'icmp-net-prohibited': 'net-prohib',
  'icmp-host-prohibited': 'host-prohib',
  'tcp-reset': 'tcp-rst',
  'icmp-admin-prohibited': 'admin-prohib',
};

function readAnswer(word: Word): RejectWith {
  const text = word.text.toLowerCase();
  const names = Object.keys(ANSWERS) as RejectWith[];
  const name = names.find((one) => one === text || ANSWERS[one] === text);
  return name ?? fail('ERR_RULE_VALUE', word, `'${word.text}' is none of ${names.join(', ')}`);
}

export const reject: TargetModule<TargetOf<'REJECT'>> = {
  kind: 'REJECT',
  tables: ['filter'],
  options: [{ name: '--reject-with' }],
  parse(written, { protocol }) {
    const word = optionalValue(written, '--reject-with');
    const answer = word === undefined ? 'icmp-port-unreachable' : readAnswer(word);
    if (answer === 'tcp-reset' && protocol !== PROTOCOL.TCP) {
      fail('ERR_RULE_OPTION', word!, 'tcp-reset can only be used with -p tcp');
    }
    return { kind: 'REJECT', with: answer };
  },
  save: (target) => `--reject-with ${target.with}`,
  list: (target) => `reject-with ${target.with}`,
};
