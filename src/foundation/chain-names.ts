/**
 * Names of the chains that belong to one container.
 *
 * iptables takes 28 characters. silk cuts `prefix--handle` there; a log chain is that, cut again to make room for its
 * suffix. The policy agent's chain for security groups drops the dashes and keeps 20 characters. Source:
 * cni-wrapper-plugin/netrules/chain_namer.go, vxlan-policy-agent/enforcer/enforcer.go.
 */
import { quote } from './error.ts';
import { conflict, type Item } from './item.ts';
import type { Settings } from './model.ts';

const NAME_LENGTH = 28;
const ASG_HANDLE_LENGTH = 20;

/** `input--`, `netout--`, `overlay--` or `netin--` and as much of the handle as fits. */
export const chainName = (prefix: 'input' | 'netout' | 'overlay' | 'netin', handle: string): string =>
  `${prefix}--${handle}`.slice(0, NAME_LENGTH);

const suffixed = (chain: string, suffix: string): string => chain.slice(0, NAME_LENGTH - suffix.length) + suffix;

/** Where packets go that a logged security group rule lets pass. */
export const logChainName = (handle: string): string => suffixed(chainName('netout', handle), '--log');

/** Where packets go that open connections too fast. */
export const rateLimitLogChainName = (handle: string): string => suffixed(chainName('netout', handle), '--rl-log');

/** The policy agent's chain of security group rules. Health checks' containers share their app's. */
export const asgChainName = (handle: string): string =>
  `asg-${handle.replace('check-', '').replaceAll('-', '').slice(0, ASG_HANDLE_LENGTH)}`;

/** Whether containers have a chain for connections that are opened too fast. */
export const hasRateLimitLog = ({ outboundConnections }: Settings): boolean =>
  (outboundConnections.limit && outboundConnections.logging) || outboundConnections.dryRun;

/**
 * Refuse two containers of one cell whose handles differ only where their chains' names are cut: the second would find
 * its chains taken. `owners` remembers the names of all cells.
 */
export function checkChainNames(
  owners: Map<string, Item>,
  { cell, handle, from, settings }: { cell: string; handle: string; from: Item; settings: Settings },
): void {
  // The names that keep least of the handle; the others differ where these do.
  const names = [
    hasRateLimitLog(settings) ? rateLimitLogChainName(handle) : logChainName(handle),
    asgChainName(handle),
  ];
  for (const name of names) {
    const key = `${name}/${cell}`;
    const first = owners.get(key);
    if (first !== undefined) {
      throw conflict(from, first, `got the handle ${quote(handle)}, whose chain ${quote(name)} is also that of`);
    }
    owners.set(key, from);
  }
}
