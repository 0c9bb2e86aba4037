/**
 * What a host remembers of an address that it complains to (struct inet_peer, net/ipv4/inetpeer.c): tokens for errors of
 * routing and the redirects that were sent (net/ipv4/route.c, ip_error and ip_rt_send_redirect). These limits hold even
 * where `net.ipv4.icmp_ratelimit` is 0.
 */

export interface Peer {
  /** Nanoseconds' worth of errors that it may still be sent, and when they were last reckoned up. */
  tokens: number;
  last: number;
  /** Redirects in a row. */
  redirects: number;
}

const SECOND = 1e9;
/** net.ipv4.route.error_cost and error_burst. */
const ERROR_COST = SECOND;
const ERROR_BURST = 5 * SECOND;
/** net.ipv4.route.redirect_load, doubled for each redirect of a row; redirect_number; redirect_silence. */
const REDIRECT_LOAD = SECOND / 50;
const REDIRECT_NUMBER = 9;
const REDIRECT_SILENCE = REDIRECT_LOAD * 1024;
/** A new peer was last reckoned up so long ago. */
const NEW_PEER = 60 * SECOND;

/** The peer at `address`, new if need be. */
export function peerAt(peers: Map<number, Peer>, address: number, now: number): Peer {
  let peer = peers.get(address);
  if (peer === undefined) {
    peer = { tokens: 0, last: now - NEW_PEER, redirects: 0 };
    peers.set(address, peer);
  }
  return peer;
}

/** Whether another error about a missing route may be sent; if so it is paid for. */
export function mayComplain(peer: Peer, now: number): boolean {
  peer.tokens = Math.min(peer.tokens + now - peer.last, ERROR_BURST);
  peer.last = now;
  if (peer.tokens < ERROR_COST) return false;
  peer.tokens -= ERROR_COST;
  return true;
}

/** Whether another redirect is due: each waits twice as long as the one before, and a peer that does not listen is left alone. */
export function mayRedirect(peer: Peer, now: number): boolean {
  if (now > peer.last + REDIRECT_SILENCE) {
    peer.tokens = 0;
    peer.redirects = 0;
  }
  if (peer.redirects >= REDIRECT_NUMBER) {
    peer.last = now;
    return false;
  }
  if (peer.tokens !== 0 && now <= peer.last + REDIRECT_LOAD * 2 ** peer.redirects) return false;
  peer.last = now;
  peer.tokens += 1;
  peer.redirects += 1;
  return true;
}
