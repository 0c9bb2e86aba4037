/**
 * What two ends say to each other, at random: openings, data, closes, resets, SYNs in the middle and what answers them,
 * keepalives, segments that come again, and any segment at any time.
 */
import { FLAG } from './packets.ts';
import {
  begin,
  type Conversation,
  other,
  pick,
  put,
  type Random,
  type Sent,
  send,
  type Way,
  wrap,
} from './window-segments.ts';

const { FIN, SYN, RST, PSH, ACK, URG } = FLAG;

type Move = (conversation: Conversation) => void;

const eitherWay = (random: Random): Way => (random(2) === 0 ? 0 : 1);

const call: Move = (conversation) => send(conversation, 0, SYN);

const open: Move = (conversation) => {
  send(conversation, 0, SYN);
  send(conversation, 1, SYN | ACK);
  send(conversation, 0, ACK);
};

/** Both ends call at once. */
const openTogether: Move = (conversation) => {
  const { random } = conversation;
  send(conversation, 0, SYN);
  send(conversation, 1, SYN);
  send(conversation, 0, pick(random, [SYN | ACK, ACK]));
  send(conversation, 1, pick(random, [SYN | ACK, ACK]));
};

const talk: Move = (conversation) => {
  const { random } = conversation;
  const way = eitherWay(random);
  send(conversation, way, pick(random, [ACK, PSH | ACK, ACK | URG]), pick(random, [0, 1, 10, 600, 1400]));
  if (random(3) !== 0) send(conversation, other(way), ACK, pick(random, [0, 0, 5]));
};

const close: Move = (conversation) => {
  const { random } = conversation;
  const way = eitherWay(random);
  send(conversation, way, FIN | ACK, random(2));
  if (random(2) === 0) send(conversation, other(way), ACK);
  if (random(3) === 0) return;
  send(conversation, other(way), FIN | ACK);
  if (random(2) === 0) send(conversation, way, ACK);
};

const reset: Move = (conversation) => {
  const { random, ends } = conversation;
  const way = eitherWay(random);
  const shift = pick(random, [0, 0, 0, 1, -1, 10, 1000, -1000, 70_000]);
  const sequence = random(6) === 0 ? 0 : wrap(ends[way].next + shift);
  send(conversation, way, pick(random, [RST, RST | ACK]), 0, { sequence, options: [] });
};

/** An end calls in the middle, with its old number, a later one or any; a challenge ACK, an answer, a refusal or nothing follows. */
const callAgain: Move = (conversation) => {
  const { random, ends } = conversation;
  const way = random(5) === 0 ? 1 : 0;
  const from = ends[way];
  const { next } = from;
  from.next = pick(random, [next, wrap(next + 100_000), random(2 ** 32)]);
  send(conversation, way, SYN);
  if (random(3) === 0) from.next = next;
  switch (random(5)) {
    case 0:
      send(conversation, other(way), ACK);
      if (random(2) === 0) send(conversation, way, RST, 0, { sequence: from.next, options: [] });
      break;
    case 1:
      send(conversation, other(way), SYN | ACK);
      send(conversation, way, ACK);
      break;
    case 2: {
      const zero = random(2) === 0 ? { sequence: 0 } : {};
      // Some refusals come from the end that called.
      send(conversation, random(4) === 0 ? way : other(way), RST | ACK, 0, { options: [], ...zero });
      break;
    }
    default:
  }
};

/** Both ends close, and before the last ACK a SYN brings a challenge ACK, which is not it. */
const challenge: Move = (conversation) => {
  send(conversation, 0, FIN | ACK);
  send(conversation, 1, FIN | ACK);
  const { next } = conversation.ends[0];
  send(conversation, 0, SYN);
  conversation.ends[0].next = next;
  send(conversation, 1, ACK);
};

const again: Move = (conversation) => {
  const { random, last } = conversation;
  for (let times = 1 + random(5); times > 0 && last !== undefined; times--) put(conversation, last.way, last.segment);
};

const keepalive: Move = (conversation) => {
  const way = eitherWay(conversation.random);
  send(conversation, way, ACK, 0, { sequence: wrap(conversation.ends[way].next - 1) });
  send(conversation, other(way), ACK);
};

const ANY_FLAGS = [0, ACK, ACK, ACK, SYN, SYN | ACK, FIN | ACK, RST, RST | ACK, FIN, SYN | FIN, SYN | URG, ACK | URG];

const anything: Move = (conversation) => {
  const { random } = conversation;
  send(conversation, eitherWay(random), pick(random, ANY_FLAGS), random(3));
};

const BEGINNINGS = [open, open, open, open, openTogether, talk, keepalive, anything, call];
const MOVES = [talk, talk, talk, talk, talk, close, challenge, reset, callAgain, again, keepalive, anything, open];

/** About `count` segments of one connection of the client port `port`. */
export function converse(random: Random, port: number, count: number): readonly Sent[] {
  const conversation = begin(random, port);
  pick(random, BEGINNINGS)(conversation);
  while (conversation.sent.length < count) pick(random, MOVES)(conversation);
  return conversation.sent;
}
