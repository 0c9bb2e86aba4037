/**
 * What `tagplane policy` prints, held against iptables: the kernel takes the rules, and the programs print them as we do.
 *
 * Each run loads the rules into a network namespace of its own, which ends with it.
 */
import { spawnSync } from 'node:child_process';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { createFolder, FOUNDATION } from '../cli/inputs.ts';
import { runPolicy } from '../cli/policy-run.ts';
import { skip } from '../support/shared.ts';

const test = suite('conformance/policy');
const folder = createFolder();
test.after(() => folder.remove());

const BOTH = FOUNDATION.replace(
  'policies:',
  `security_groups:
  - name: out
    running_default: true
    rules:
      - { protocol: tcp, destination: 10.0.0.0/8, ports: "80,443-444", log: true }
      - { protocol: icmp, destination: 0.0.0.0/0, type: 8, code: 0 }
properties: { outbound_connections: { limit: true } }
policies:
  - { source: dest-app, destination: source-app, protocol: udp, ports: "53-60" }
  - { source: dest-app, destination: dest-app, protocol: tcp, ports: "1-65535" }`,
);
const file = folder.file('foundation.yml', BOTH);

/** What a shell line prints in a namespace of its own, with `input` on its standard input. */
function inNamespace(line: string, input: string): string {
  const run = spawnSync('unshare', ['-n', 'sh', '-c', line], { input, encoding: 'utf8' });
  assert.is(run.status, 0, `${line}: ${run.stderr}`);
  return run.stdout;
}

async function printed(...words: string[]): Promise<string> {
  const { stdout, error } = await runPolicy('--foundation', file, ...words);
  assert.is(error, '');
  return stdout;
}

const withoutHeads = (saved: string): string => saved.replace(/^#.*\n/gm, '');

for (const backend of ['nft', 'legacy']) {
  const program = (name: string): string => name.replace('iptables', `iptables-${backend}`);
  const works = spawnSync('unshare', ['-n', program('iptables-save'), '-t', 'nat']).status === 0;
  for (const cell of ['cell-a', 'cell-b']) {
    for (const logging of [[], ['--logging']]) {
      const name = `${backend} takes the rules of ${cell}${logging.length > 0 ? ' with logging' : ''} and prints them as we do`;
      if (!works) {
        skip(test, name, `needs root and iptables-${backend}`);
        continue;
      }
      test(name, async () => {
        const on = ['--cell', cell, ...logging];
        const saved = await printed(...on, '--as', 'iptables-save');
        const restore = program('iptables-restore');
        inNamespace(`${restore} --test`, saved);
        const save = ['mangle', 'filter', 'nat'].map((table) => `${program('iptables-save')} -t ${table}`);
        assert.is(withoutHeads(inNamespace([restore, ...save].join(' && '), saved)), saved);
        const ask = (words: string): string => inNamespace(`${restore} && ${program('iptables')} ${words}`, saved);
        for (const table of ['filter', 'nat', 'mangle']) {
          assert.is(ask(`-t ${table} -S`), await printed(...on, '-t', table, '-S'));
          assert.is(ask(`-t ${table} -L -n`), await printed(...on, '-t', table, '-L', '-n'));
          const numbered = await printed(...on, '-t', table, '-L', '-n', '-v', '--line-numbers');
          assert.is(ask(`-t ${table} -L -n -v --line-numbers`), numbered);
        }
        const chain = /^:(vpa--\S+)/m.exec(saved)![1]!;
        assert.is(ask(`-S ${chain}`), await printed(...on, '-S', chain));
        assert.is(ask(`-L ${chain} -n`), await printed(...on, '-L', chain, '-n'));
      });
    }
  }
}

test.run();
