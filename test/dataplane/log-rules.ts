/** LOG rules with every option, and marks in between: what the tests of LOG lines load and expect. */
import { type LogTarget, logLine } from '../../src/dataplane/log/line.ts';
import { parseRuleset } from '../../src/rules/parse.ts';

const LEVEL = 7;

/** Rules of one chain in iptables-save's words. Every prefix begins with `word`. */
export const logRules = (chain: string, word: string): string[] => [
  `-A ${chain} -j LOG --log-prefix "${word}plain " --log-level ${LEVEL}`,
  `-A ${chain} -j MARK --set-xmark 0x1/0xffffffff`,
  `-A ${chain} -j LOG --log-prefix "${word}all " --log-level ${LEVEL} --log-tcp-sequence --log-tcp-options --log-ip-options`,
  `-A ${chain} -j MARK --set-xmark 0xffff0000/0xffffffff`,
  `-A ${chain} -j LOG --log-prefix "${word}macs" --log-level 6 --log-ip-options --log-macdecode`,
];

/** A filter table whose built-in chains have these rules. */
export const logTable = (word: string): string =>
  `*filter\n${['INPUT', 'FORWARD', 'OUTPUT'].map((chain) => `:${chain} ACCEPT [0:0]\n`).join('')}` +
  `${['INPUT', 'FORWARD', 'OUTPUT'].flatMap((chain) => logRules(chain, word)).join('\n')}\nCOMMIT\n`;

interface Expected {
  readonly level: number;
  readonly text: string;
}

const isLog = (target: { kind: string }): target is LogTarget => target.kind === 'LOG';

/** The lines of logRules for one packet: `link` octets of Ethernet header, then the packet as it stands at the hook. */
export function expectedLines(
  word: string,
  interfaces: { readonly inInterface: string; readonly outInterface: string },
  link: string,
  packet: Uint8Array,
): Expected[] {
  const { ruleset } = parseRuleset(logTable(word), { file: 'log rules', unknownMatches: 'error' });
  const octets = Uint8Array.from([...Buffer.from(link, 'hex'), ...packet]);
  const view = new DataView(octets.buffer);
  const network = link.length / 2;
  const lines: Expected[] = [];
  let mark = 0;
  for (const { target } of ruleset.tables[0]!.chains[1]!.rules) {
    if (target.kind === 'MARK') mark = target.value;
    if (!isLog(target)) continue;
    const text = logLine(target, { ...interfaces, mark }, view, network === 0 ? -1 : 0, network, octets.length);
    lines.push({ level: target.level, text });
  }
  return lines;
}
