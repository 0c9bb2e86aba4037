/** `tagplane decode`: the command line of it. What it does is in run.ts, loaded when it is asked for. */
import { stdout } from 'node:process';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { DecodeOptions } from './run.ts';

const EXAMPLES = `
Examples:
  tagplane decode eth0.pcap
      one line per packet, the frame inside VXLAN behind the one on the wire
  tagplane decode eth0.pcap --foundation foundation.yaml
      with the names of apps and cells
  tcpdump -i eth0 -w - udp port 4789 | tagplane decode -
      from a pipe, while packets arrive
  tagplane decode a.pcap b.pcapng.gz --ndjson | jq 'select(.vxlan.groupPolicyId == 1)'
      every field of every header
  tagplane decode eth0.pcap --fields packet,vxlan.groupPolicyId,inner.ip4.source --header
      chosen fields, separated by tabs; --fields list prints what there is
  tagplane decode odd.pcap --explain-faults
      why a header was refused, with the offset and the octets`;

const FORMS = ['json', 'ndjson', 'fields'];

function whole(lowest: number, highest: number): (text: string) => number {
  return (text) => {
    const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : Number.NaN;
    if (value >= lowest && value <= highest) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${lowest} to ${highest}.`);
  };
}

const conflicting = (option: Option, name: string): Option => option.conflicts(FORMS.filter((form) => form !== name));

/** The `decode` command, to be added to the program. Errors are thrown from the action, to be told by the program. */
export const decodeCommand = (): Command =>
  new Command('decode')
    .summary('what is in these packets')
    .description('Print what is in the packets of captures: one line each in the manner of tcpdump, fields, or JSON.')
    .argument('[capture...]', 'pcap or pcapng files, plain, gzip or zstd; - is standard input')
    .addOption(conflicting(new Option('--json', 'print one JSON document'), 'json'))
    .addOption(conflicting(new Option('--ndjson', 'print one JSON object per line'), 'ndjson'))
    .addOption(
      conflicting(new Option('--fields <names>', 'print these fields, separated by tabs; "list" names them'), 'fields'),
    )
    .option('--header', 'with --fields: print the names of the fields first')
    .option('-c, --count <n>', 'stop after so many packets', whole(0, Number.MAX_SAFE_INTEGER))
    .option('--foundation <file>', 'name apps, cells and tags after this foundation (YAML or JSON)')
    .option('--port <n>', 'UDP port of VXLAN (default: that of the foundation, or 4789)', whole(1, 65_535))
    .option('--explain-faults', 'say in a sentence why a header was refused')
    .addHelpText('after', EXAMPLES)
    .action(async (captures: string[], options: DecodeOptions) => {
      const { runDecode } = await import('./run.ts');
      await runDecode(captures, options, stdout);
    });
