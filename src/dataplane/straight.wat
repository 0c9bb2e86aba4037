;; The inner loops of the straight way: plain packets to containers of the one cell that is judged.
;;
;; `plain.ts` defines what they do, line by line, and the matcher (`rules/matcher.ts`) what the walk does; this is the same over
;; the same memory, without the checks that V8 puts around every access to a typed array. A row that needs anything else (an
;; odd header, a reset, a rule that logs or asks a limit, a walk that nobody took before, a full table) is left to TypeScript:
;; `run` stops at it. test/dataplane/plain.test.ts holds the two against each other, and straight-code.test.ts checks that
;; straight-code.ts is this file.
;;
;; $c is the control block, 32-bit words written by straight.ts; the offsets below are in octets:
;;
;;      0 records     4 burst columns   8 frames      12 rows in use
;;     16 entries    20 index, mask    24 rows of ways
;;     28 UDP port   32 underlay       36 VTEP        40 169.254.0.1
;;     44 VTEP's MAC address, first 4  48 last 2      52 VNI and reserved octet
;;     56 in use, cell (as in an entry)               60 TCP: 256 octets, the segment that flags make; 255 for what is left
;;     64 rows of flows                68 their sign  72 two words for each row: room for notes
;;     76 index of entries             80 two words for each row: hash of its key, and where `touch` saw an entry for it: the
;;                                        words of the packet's direction, or 0
;;     84 entries in use, 88 refusals among them, 92 how many there is room for, 96 connections at most
;;    100 TCP: states by reply, segment, state (10)  104 TCP: timeouts by state, doubles
;;    108 containers: address, interface + 1         112 its mask
;;    116 tuples     120 table of tuples  124 slots  128 positions  132 intervals  136 entries of the plan  140 program
;;    144 steps of ways   148 starts   152 slots of ways   156 its mask   160 singles   164 ways
;;    168 number of the VTEP's interface    172 1 when rules may be walked here: none asks for types of addresses
;;
;; The loops are not functions of their own: a call costs about 2 ns, and V8 (of Node 20) inlines none.
;; Words of headers are compared as they lie in memory, so constants for them have their octets the other way round.
(module
  (import "tagplane" "memory" (memory 1))

  ;; Bring into the cache what `run` and `tally` will come to in rows from $from to $to: places of the index, the entries that they name, then the sums
  ;; and the rows of flows that these lead to. Loops that do little else let cache misses overlap. The result means
  ;; nothing: it keeps the reads alive.
  (func (export "touch") (param $c i32) (param $from i32) (param $to i32) (result i32)
    (local $row i32) (local $end i32) (local $frames i32) (local $index i32) (local $mask i32) (local $next i32)
    (local $at i32) (local $source i32) (local $destination i32) (local $ports i32) (local $back i32) (local $slot i32)
    (local $sum i32) (local $word i32) (local $first i32) (local $lanes v128)
    (local.set $row (i32.load (local.get $c)))
    (local.set $end (i32.add (local.get $row) (i32.shl (local.get $to) (i32.const 2))))
    (local.set $row (i32.add (local.get $row) (i32.shl (local.get $from) (i32.const 2))))
    (local.set $frames (i32.load offset=8 (local.get $c)))
    (local.set $index (i32.load offset=76 (local.get $c)))
    (local.set $mask (i32.load offset=20 (local.get $c)))
    (local.set $first (i32.add (i32.load offset=80 (local.get $c)) (i32.shl (local.get $from) (i32.const 3))))
    (local.set $next (local.get $first))
    (loop $hash
      (if (i32.lt_u (local.get $row) (local.get $end))
        (then
          (local.set $at (i32.load (local.get $row)))
          ;; Frames that are too short have the hash 0.
          (local.set $slot (i32.const 0))
          (local.set $back (i32.const 0))
          (if (i32.ge_u (i32.sub (i32.load offset=1024 (local.get $row)) (local.get $at)) (i32.const 92))
            (then
              (local.set $at (i32.add (local.get $at) (local.get $frames)))
              (local.set $lanes
                (i8x16.shuffle 3 2 1 0 7 6 5 4 11 10 9 8 15 14 13 12
                  (v128.load offset=76 (local.get $at)) (v128.load offset=76 (local.get $at))))
              (local.set $source (i32x4.extract_lane 0 (local.get $lanes)))
              (local.set $destination (i32x4.extract_lane 1 (local.get $lanes)))
              (local.set $ports (i32x4.extract_lane 2 (local.get $lanes)))
              (local.set $slot
                (i32.add
                  (i32.mul (i32.xor (local.get $source) (local.get $destination)) (i32.const 0xcc9e2d51))
                  (i32.mul (i32.add (local.get $source) (local.get $destination)) (i32.const 0x85ebca6b))))
              (local.set $back (i32.rotl (local.get $ports) (i32.const 16)))
              (local.set $slot
                (i32.mul
                  (i32.add
                    (i32.add
                      (i32.xor (local.get $slot) (i32.shr_u (local.get $slot) (i32.const 15)))
                      (i32.mul (i32.xor (local.get $ports) (local.get $back)) (i32.const 0x1b873593)))
                    (i32.add (local.get $ports) (local.get $back)))
                  (i32.const 0xc2b2ae35)))
              (local.set $slot (i32.xor (local.get $slot) (i32.shr_u (local.get $slot) (i32.const 16))))
              (local.set $back (i32.gt_u (local.get $source) (local.get $destination)))))
          (i32.store (local.get $next) (local.get $slot))
          (i32.store offset=4 (local.get $next) (i32.shl (local.get $back) (i32.const 4)))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (local.set $row (i32.add (local.get $row) (i32.const 4)))
          (br $hash))))
    (local.set $end (local.get $next))
    (local.set $next (local.get $first))
    (loop $place
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $sum
            (i32.add
              (local.get $sum)
              (i32.load
                (i32.add
                  (local.get $index)
                  (i32.shl (i32.and (i32.load (local.get $next)) (local.get $mask)) (i32.const 2))))))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $place))))
    (local.set $next (local.get $first))
    (loop $entry
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $slot (i32.load (local.get $next)))
          (local.set $at (i32.const 0))
          (block $seen
            (loop $probe
              (local.set $word
                (i32.load
                  (i32.add (local.get $index) (i32.shl (i32.and (local.get $slot) (local.get $mask)) (i32.const 2)))))
              (br_if $seen (i32.eqz (local.get $word)))
              (if
                (i32.and (i32.xor (local.get $word) (i32.load (local.get $next))) (i32.const 0xff000000))
                (then
                  (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
                  (br $probe))))
            (local.set $at
              (i32.add
                (i32.add
                  (i32.load offset=16 (local.get $c))
                  (i32.shl (i32.sub (i32.and (local.get $word) (i32.const 0xffffff)) (i32.const 1)) (i32.const 6)))
                (i32.load offset=4 (local.get $next)))))
          (i32.store offset=4 (local.get $next) (local.get $at))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $entry))))
    (local.set $next (local.get $first))
    (loop $read
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $sum (i32.add (local.get $sum) (i32.load offset=36 (i32.load offset=4 (local.get $next)))))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $read))))
    (local.set $next (local.get $first))
    (local.set $back (i32.load offset=72 (local.get $c)))
    (loop $said
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $at (i32.load offset=4 (local.get $next)))
          (i32.store
            (local.get $back)
            (i32.add
              (i32.load offset=24 (local.get $c))
              (i32.shl (i32.and (i32.load offset=36 (local.get $at)) (i32.const 0xfffff)) (i32.const 5))))
          (i32.store offset=4
            (local.get $back)
            (i32.add
              (i32.load offset=64 (local.get $c))
              (i32.shl (i32.and (i32.load offset=40 (local.get $at)) (i32.const 0x1ffff)) (i32.const 6))))
          (local.set $back (i32.add (local.get $back) (i32.const 8)))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $said))))
    (local.set $end (local.get $back))
    (local.set $back (i32.load offset=72 (local.get $c)))
    (loop $sums
      (if (i32.lt_u (local.get $back) (local.get $end))
        (then
          (local.set $sum
            (i32.add
              (local.get $sum)
              (i32.add (i32.load (i32.load (local.get $back))) (i32.load offset=32 (i32.load offset=4 (local.get $back))))))
          (local.set $back (i32.add (local.get $back) (i32.const 8)))
          (br $sums))))
    ;; Rows that no entry was seen for will walk the rules: the slot of the first tuple that their key leads to, the entry and
    ;; the way that it names, and what is noted of the way.
    (local.set $next (local.get $first))
    (local.set $end
      (select
        (i32.add (local.get $first) (i32.shl (i32.sub (local.get $to) (local.get $from)) (i32.const 3)))
        (local.get $first)
        (i32.load offset=116 (local.get $c))))
    (local.set $row
      (i32.add (i32.load (local.get $c)) (i32.shl (local.get $from) (i32.const 2))))
    (local.set $first (i32.load offset=72 (local.get $c)))
    (local.set $back (local.get $first))
    (local.set $word (i32.load offset=120 (local.get $c)))
    (loop $unknown
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (if (i32.eqz (i32.load offset=4 (local.get $next)))
            (then
              (local.set $at (i32.load (local.get $row)))
              (if (i32.ge_u (i32.sub (i32.load offset=1024 (local.get $row)) (local.get $at)) (i32.const 92))
                (then
                  (local.set $at (i32.add (local.get $at) (local.get $frames)))
                  (local.set $lanes
                    (i8x16.shuffle 3 2 1 0 7 6 5 4 11 10 9 8 15 14 13 12
                      (v128.load offset=76 (local.get $at)) (v128.load offset=76 (local.get $at))))
                  ;; $ports is the mark here, $slot the hash.
                  (local.set $ports (i32.load offset=42 (local.get $at)))
                  (local.set $ports
                    (i32.and
                      (i32.or
                        (i32.and (i32.rotl (local.get $ports) (i32.const 8)) (i32.const 0x00ff00ff))
                        (i32.and (i32.rotr (local.get $ports) (i32.const 8)) (i32.const 0xff00ff00)))
                      (i32.const 0x0048ffff)))
                  (local.set $slot
                    (i32.xor
                      (i32.xor
                        (i32.mul
                          (i32.and
                            (i32x4.extract_lane 0 (local.get $lanes))
                            (i32.load (local.get $word)))
                          (i32.const 0x9e3779b1))
                        (i32.mul
                          (i32.and
                            (i32x4.extract_lane 1 (local.get $lanes))
                            (i32.load offset=4 (local.get $word)))
                          (i32.const 0x85ebca6b)))
                      (i32.xor
                        (i32.mul
                          (i32.and (local.get $ports) (i32.load offset=8 (local.get $word)))
                          (i32.const 0xc2b2ae35))
                        (i32.mul
                          (i32.and
                            (i32.or
                              (i32.load8_u offset=73 (local.get $at))
                              (i32.shl (i32.load offset=168 (local.get $c)) (i32.const 8)))
                            (i32.load offset=12 (local.get $word)))
                          (i32.const 0x27d4eb2f)))))
                  (local.set $slot
                    (i32.mul
                      (i32.xor (local.get $slot) (i32.shr_u (local.get $slot) (i32.const 15)))
                      (i32.const 0x2c1b3c6d)))
                  (local.set $slot (i32.xor (local.get $slot) (i32.shr_u (local.get $slot) (i32.const 13))))
                  (i32.store
                    (local.get $back)
                    (i32.add
                      (i32.add
                        (i32.load offset=124 (local.get $c))
                        (i32.shl (i32.load offset=16 (local.get $word)) (i32.const 2)))
                      (i32.shl (i32.and (local.get $slot) (i32.load offset=20 (local.get $word))) (i32.const 5))))
                  (local.set $back (i32.add (local.get $back) (i32.const 8)))))))
          (local.set $row (i32.add (local.get $row) (i32.const 4)))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $unknown))))
    (local.set $end (local.get $back))
    (local.set $next (local.get $first))
    (loop $slots
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $sum (i32.add (local.get $sum) (i32.load offset=28 (i32.load (local.get $next)))))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $slots))))
    (local.set $next (local.get $first))
    (loop $positions
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $slot (i32.load offset=28 (i32.load (local.get $next))))
          (i32.store
            (local.get $next)
            (i32.add (i32.load offset=136 (local.get $c)) (i32.shl (local.get $slot) (i32.const 5))))
          (i32.store offset=4
            (local.get $next)
            (i32.add (i32.load offset=160 (local.get $c)) (i32.shl (local.get $slot) (i32.const 2))))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $positions))))
    (local.set $next (local.get $first))
    (loop $plan
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          (local.set $sum
            (i32.add
              (local.get $sum)
              (i32.add
                (i32.load (i32.load (local.get $next)))
                (i32.load (i32.load offset=4 (local.get $next))))))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $plan))))
    (local.set $next (local.get $first))
    (loop $ways
      (if (i32.lt_u (local.get $next) (local.get $end))
        (then
          ;; Number + 1, or 0: then what is before the rows.
          (local.set $sum
            (i32.add
              (local.get $sum)
              (i32.load
                (i32.sub
                  (i32.add
                    (i32.load offset=24 (local.get $c))
                    (i32.shl (i32.load (i32.load offset=4 (local.get $next))) (i32.const 5)))
                  (i32.const 32)))))
          (local.set $next (i32.add (local.get $next) (i32.const 8)))
          (br $ways))))
    (local.get $sum))

  ;; The walk over the rules (rules/matcher.ts). A tuple is 64 octets: four masks of the key, 16 offset of its table, 20 its
  ;; mask, 24 lowest position, then scratch: 28 cursor, 32 end, 36 the position under the cursor, or 0x7fffffff.

  ;; advance
  (func $advance (param $c i32) (param $tuple i32) (param $current i32) (result i32)
    (local $positions i32) (local $low i32) (local $high i32) (local $end i32) (local $middle i32) (local $head i32)
    (local.set $positions (i32.load offset=128 (local.get $c)))
    (local.set $end (i32.load offset=32 (local.get $tuple)))
    (local.set $low (i32.add (i32.load offset=28 (local.get $tuple)) (i32.const 1)))
    (local.set $high (local.get $end))
    (local.set $head (i32.const 0x7fffffff))
    (if (i32.lt_s (local.get $low) (local.get $end))
      (then
        (if (i32.lt_s (i32.load (i32.add (local.get $positions) (i32.shl (local.get $low) (i32.const 2)))) (local.get $current))
          (then
            (loop $halve
              (if (i32.lt_s (local.get $low) (local.get $high))
                (then
                  (local.set $middle (i32.shr_u (i32.add (local.get $low) (local.get $high)) (i32.const 1)))
                  (if
                    (i32.lt_s
                      (i32.load (i32.add (local.get $positions) (i32.shl (local.get $middle) (i32.const 2))))
                      (local.get $current))
                    (then (local.set $low (i32.add (local.get $middle) (i32.const 1))))
                    (else (local.set $high (local.get $middle))))
                  (br $halve))))))
        (if (i32.lt_s (local.get $low) (local.get $end))
          (then
            (local.set $head (i32.load (i32.add (local.get $positions) (i32.shl (local.get $low) (i32.const 2)))))))))
    (i32.store offset=28 (local.get $tuple) (local.get $low))
    (i32.store offset=36 (local.get $tuple) (local.get $head))
    (local.get $head))

  ;; probe, find and open
  (func $probe (param $c i32) (param $tuple i32) (param $source i32) (param $destination i32) (param $mark i32)
    (param $rest i32) (param $port i32) (param $current i32) (result i32)
    (local $table i32) (local $mask i32) (local $index i32) (local $slot i32) (local $at i32) (local $low i32)
    (local $high i32) (local $middle i32) (local $head i32)
    (local.set $source (i32.and (local.get $source) (i32.load (local.get $tuple))))
    (local.set $destination (i32.and (local.get $destination) (i32.load offset=4 (local.get $tuple))))
    (local.set $mark (i32.and (local.get $mark) (i32.load offset=8 (local.get $tuple))))
    (local.set $rest (i32.and (local.get $rest) (i32.load offset=12 (local.get $tuple))))
    (local.set $index
      (i32.xor
        (i32.xor
          (i32.mul (local.get $source) (i32.const 0x9e3779b1))
          (i32.mul (local.get $destination) (i32.const 0x85ebca6b)))
        (i32.xor
          (i32.mul (local.get $mark) (i32.const 0xc2b2ae35))
          (i32.mul (local.get $rest) (i32.const 0x27d4eb2f)))))
    (local.set $index
      (i32.mul
        (i32.xor (local.get $index) (i32.shr_u (local.get $index) (i32.const 15)))
        (i32.const 0x2c1b3c6d)))
    (local.set $index (i32.xor (local.get $index) (i32.shr_u (local.get $index) (i32.const 13))))
    (local.set $mask (i32.load offset=20 (local.get $tuple)))
    (local.set $table
      (i32.add
        (i32.load offset=124 (local.get $c))
        (i32.shl (i32.load offset=16 (local.get $tuple)) (i32.const 2))))
    (local.set $head (i32.const 0x7fffffff))
    (i32.store offset=36 (local.get $tuple) (local.get $head))
    (block $found
      (loop $next
        (local.set $slot
          (i32.add (local.get $table) (i32.shl (i32.and (local.get $index) (local.get $mask)) (i32.const 5))))
        (if (i32.eqz (i32.load offset=20 (local.get $slot))) (then (return (local.get $head))))
        (br_if $found
          (i32.eqz
            (i32.or
              (i32.or
                (i32.xor (i32.load (local.get $slot)) (local.get $source))
                (i32.xor (i32.load offset=4 (local.get $slot)) (local.get $destination)))
              (i32.or
                (i32.xor (i32.load offset=8 (local.get $slot)) (local.get $mark))
                (i32.xor (i32.load offset=12 (local.get $slot)) (local.get $rest))))))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    (local.set $at (i32.load offset=24 (local.get $slot)))
    (if (i32.lt_s (local.get $at) (i32.const 0))
      (then
        (i32.store offset=28 (local.get $tuple) (i32.load offset=16 (local.get $slot)))
        (i32.store offset=32 (local.get $tuple) (i32.load offset=20 (local.get $slot)))
        (local.set $head (i32.load offset=28 (local.get $slot))))
      (else
        ;; intervalOf
        (local.set $at (i32.add (i32.load offset=132 (local.get $c)) (i32.shl (local.get $at) (i32.const 2))))
        (local.set $high (i32.sub (i32.load (local.get $at)) (i32.const 1)))
        (loop $halve
          (if (i32.lt_s (local.get $low) (local.get $high))
            (then
              (local.set $middle
                (i32.shr_u (i32.add (i32.add (local.get $low) (local.get $high)) (i32.const 1)) (i32.const 1)))
              (if
                (i32.le_s
                  (i32.load offset=4 (i32.add (local.get $at) (i32.shl (local.get $middle) (i32.const 2))))
                  (local.get $port))
                (then (local.set $low (local.get $middle)))
                (else (local.set $high (i32.sub (local.get $middle) (i32.const 1)))))
              (br $halve))))
        (local.set $at
          (i32.add
            (i32.add (local.get $at) (i32.const 4))
            (i32.add (i32.shl (i32.load (local.get $at)) (i32.const 2)) (i32.shl (local.get $low) (i32.const 3)))))
        (local.set $low (i32.load (local.get $at)))
        (local.set $high (i32.load offset=4 (local.get $at)))
        (i32.store offset=28 (local.get $tuple) (local.get $low))
        (i32.store offset=32 (local.get $tuple) (local.get $high))
        (if (i32.lt_s (local.get $low) (local.get $high))
          (then
            (local.set $head
              (i32.load
                (i32.add (i32.load offset=128 (local.get $c)) (i32.shl (local.get $low) (i32.const 2)))))))))
    (i32.store offset=36 (local.get $tuple) (local.get $head))
    (if (i32.lt_s (local.get $head) (local.get $current))
      (then (return (call $advance (local.get $c) (local.get $tuple) (local.get $current)))))
    (local.get $head))

  ;; askEntry and runProgram: 1 for a match, 0 for a miss, 2 for a condition that is left to TypeScript.
  (func $ask (param $c i32) (param $entry i32) (param $source i32) (param $destination i32) (param $ports i32)
    (param $protocol i32) (param $mark i32) (param $ctstate i32) (param $out i32) (result i32)
    (local $word i32) (local $at i32) (local $end i32) (local $code i32) (local $a i32) (local $b i32) (local $hit i32)
    (local $port i32)
    (local.set $port (i32.and (local.get $ports) (i32.const 0xffff)))
    (local.set $word (i32.load offset=24 (local.get $entry)))
    (if (i32.lt_u (local.get $port) (i32.and (local.get $word) (i32.const 0xffff))) (then (return (i32.const 0))))
    (if (i32.gt_u (local.get $port) (i32.shr_u (local.get $word) (i32.const 16))) (then (return (i32.const 0))))
    (local.set $word (i32.load offset=28 (local.get $entry)))
    (if (i32.and (i32.ne (local.get $word) (i32.const 0)) (i32.eqz (i32.and (local.get $word) (local.get $ctstate))))
      (then (return (i32.const 0))))
    (local.set $at (i32.load offset=140 (local.get $c)))
    (local.set $end (i32.add (local.get $at) (i32.shl (i32.load offset=12 (local.get $entry)) (i32.const 2))))
    (local.set $at (i32.add (local.get $at) (i32.shl (i32.load offset=8 (local.get $entry)) (i32.const 2))))
    (loop $next
      (if (i32.eq (local.get $at) (local.get $end)) (then (return (i32.const 1))))
      (local.set $code (i32.load (local.get $at)))
      (local.set $a (i32.load offset=4 (local.get $at)))
      (local.set $b (i32.load offset=8 (local.get $at)))
      (block $asked
        (block $ctstates
          (block $connmark
            (block $marks
              (block $destinationRange
                (block $sourceRange
                  (block $destinationPort
                    (block $sourcePort
                      (block $fragment
                        (block $outgoing
                          (block $incoming
                            (block $protocols
                              (block $destinations
                                (block $sources
                                  (block $left
                                    (block $never
                                      ;; In the order of OP (rules/condition.ts).
                                      (br_table $never $sources $destinations $protocols $incoming $outgoing $left $left
                                        $fragment $sourcePort $destinationPort $left $left $left $sourceRange
                                        $destinationRange $marks $connmark $ctstates $left
                                        (i32.shr_u (local.get $code) (i32.const 1))))
                                    (return (i32.const 0)))
                                  (return (i32.const 2)))
                                (local.set $hit
                                  (i32.eqz
                                    (i32.and (i32.xor (local.get $source) (local.get $a)) (local.get $b))))
                                (br $asked))
                              (local.set $hit
                                (i32.eqz
                                  (i32.and (i32.xor (local.get $destination) (local.get $a)) (local.get $b))))
                              (br $asked))
                            (local.set $hit (i32.eq (local.get $protocol) (local.get $a)))
                            (br $asked))
                          (local.set $hit (i32.eq (i32.load offset=168 (local.get $c)) (local.get $a)))
                          (br $asked))
                        (local.set $hit (i32.eq (local.get $out) (local.get $a)))
                        (br $asked))
                      (local.set $hit (i32.const 0))
                      (br $asked))
                    (local.set $word (i32.shr_u (local.get $ports) (i32.const 16)))
                    (local.set $hit
                      (i32.and
                        (i32.ge_u (local.get $word) (local.get $a))
                        (i32.le_u (local.get $word) (local.get $b))))
                    (br $asked))
                  (local.set $hit
                    (i32.and (i32.ge_u (local.get $port) (local.get $a)) (i32.le_u (local.get $port) (local.get $b))))
                  (br $asked))
                (local.set $hit
                  (i32.and
                    (i32.ge_u (local.get $source) (local.get $a))
                    (i32.le_u (local.get $source) (local.get $b))))
                (br $asked))
              (local.set $hit
                (i32.and
                  (i32.ge_u (local.get $destination) (local.get $a))
                  (i32.le_u (local.get $destination) (local.get $b))))
              (br $asked))
            (local.set $hit (i32.eq (i32.and (local.get $mark) (local.get $b)) (local.get $a)))
            (br $asked))
          ;; No connection has a mark: `bindTables` sees to it.
          (local.set $hit (i32.eqz (local.get $a)))
          (br $asked))
        (local.set $hit (i32.ne (i32.and (local.get $ctstate) (local.get $a)) (i32.const 0))))
      (if (i32.eq (local.get $hit) (i32.and (local.get $code) (i32.const 1))) (then (return (i32.const 0))))
      (local.set $at (i32.add (local.get $at) (i32.const 12)))
      (br $next))
    (unreachable))

  ;; walk: the number of the way that a packet takes through FORWARD; -1 when that is left to TypeScript.
  (func $walk (param $c i32) (param $source i32) (param $destination i32) (param $ports i32) (param $protocol i32)
    (param $mark i32) (param $ctstate i32) (param $out i32) (result i32)
    (local $rest i32) (local $tuple i32) (local $asked i32) (local $tuples i32) (local $position i32) (local $head i32)
    (local $current i32) (local $entry i32) (local $code i32) (local $answer i32) (local $steps i32) (local $next i32)
    (local $word i32) (local $hash i32) (local $slot i32) (local $from i32)
    (local.set $rest
      (i32.or
        (local.get $protocol)
        (i32.or
          (i32.shl
            (select
              (i32.load offset=168 (local.get $c))
              (i32.const 4095)
              (i32.lt_u (i32.load offset=168 (local.get $c)) (i32.const 4095)))
            (i32.const 8))
          (i32.shl
            (select (local.get $out) (i32.const 4095) (i32.lt_u (local.get $out) (i32.const 4095)))
            (i32.const 20)))))
    (local.set $steps
      (i32.add
        (i32.load offset=144 (local.get $c))
        (i32.shl
          (i32.load
            (i32.add
              (i32.load offset=148 (local.get $c))
              (i32.shl (i32.load offset=164 (local.get $c)) (i32.const 2))))
          (i32.const 2))))
    (local.set $next (local.get $steps))
    (local.set $asked (i32.load offset=120 (local.get $c)))
    (local.set $tuples
      (i32.add (local.get $asked) (i32.shl (i32.load offset=116 (local.get $c)) (i32.const 6))))
    (block $decided
      (loop $entries
        (local.set $position (i32.const 0x7fffffff))
        (local.set $tuple (i32.load offset=120 (local.get $c)))
        (loop $known
          (if (i32.lt_u (local.get $tuple) (local.get $asked))
            (then
              (local.set $head (i32.load offset=36 (local.get $tuple)))
              (if (i32.lt_s (local.get $head) (local.get $current))
                (then (local.set $head (call $advance (local.get $c) (local.get $tuple) (local.get $current)))))
              (if (i32.lt_s (local.get $head) (local.get $position)) (then (local.set $position (local.get $head))))
              (local.set $tuple (i32.add (local.get $tuple) (i32.const 64)))
              (br $known))))
        (loop $unknown
          (if (i32.lt_u (local.get $asked) (local.get $tuples))
            (then
              (if (i32.lt_s (i32.load offset=24 (local.get $asked)) (local.get $position))
                (then
                  (local.set $head
                    (call $probe
                      (local.get $c)
                      (local.get $asked)
                      (local.get $source)
                      (local.get $destination)
                      (local.get $mark)
                      (local.get $rest)
                      (i32.and (local.get $ports) (i32.const 0xffff))
                      (local.get $current)))
                  (if (i32.lt_s (local.get $head) (local.get $position)) (then (local.set $position (local.get $head))))
                  (local.set $asked (i32.add (local.get $asked) (i32.const 64)))
                  (br $unknown))))))
        ;; A way has at most 64 steps.
        (if (i32.ge_u (i32.sub (local.get $next) (local.get $steps)) (i32.const 256)) (then (return (i32.const -1))))
        (if (i32.eq (local.get $position) (i32.const 0x7fffffff))
          (then
            (i32.store (local.get $next) (i32.const 3))
            (local.set $next (i32.add (local.get $next) (i32.const 4)))
            (br $decided)))
        (local.set $current (i32.add (local.get $position) (i32.const 1)))
        (local.set $entry
          (i32.add (i32.load offset=136 (local.get $c)) (i32.shl (local.get $position) (i32.const 5))))
        (local.set $code (i32.load (local.get $entry)))
        ;; CHANGING
        (if (i32.and (local.get $code) (i32.const 0x200)) (then (return (i32.const -1))))
        (local.set $answer
          (call $ask
            (local.get $c)
            (local.get $entry)
            (local.get $source)
            (local.get $destination)
            (local.get $ports)
            (local.get $protocol)
            (local.get $mark)
            (local.get $ctstate)
            (local.get $out)))
        (if (i32.eq (local.get $answer) (i32.const 2)) (then (return (i32.const -1))))
        (if (i32.eqz (local.get $answer))
          (then
            ;; BARRIER: STOPPED
            (br_if $entries (i32.eqz (i32.and (local.get $code) (i32.const 0x100))))
            (i32.store (local.get $next) (i32.or (i32.shl (local.get $position) (i32.const 2)) (i32.const 1)))
            (local.set $next (i32.add (local.get $next) (i32.const 4)))
            (local.set $current (i32.load offset=20 (local.get $entry)))
            (br $entries)))
        ;; MATCHED
        (i32.store (local.get $next) (i32.shl (local.get $position) (i32.const 2)))
        (local.set $next (i32.add (local.get $next) (i32.const 4)))
        (local.set $code (i32.and (local.get $code) (i32.const 0xff)))
        (br_if $decided (i32.lt_u (local.get $code) (i32.const 4)))
        ;; COUNT
        (br_if $entries (i32.eq (local.get $code) (i32.const 4)))
        ;; SKIP
        (if (i32.ne (local.get $code) (i32.const 5)) (then (return (i32.const -1))))
        (local.set $current (i32.load offset=16 (local.get $entry)))
        (br $entries)))
    ;; wayOf and search
    (local.set $word (i32.load (local.get $steps)))
    (if
      (i32.and
        (i32.eq (i32.sub (local.get $next) (local.get $steps)) (i32.const 4))
        (i32.eqz (i32.and (local.get $word) (i32.const 3))))
      (then (return (i32.sub (i32.load (i32.add (i32.load offset=160 (local.get $c)) (local.get $word))) (i32.const 1)))))
    (local.set $from (local.get $steps))
    (loop $hashing
      (local.set $hash
        (i32.mul
          (i32.add
            (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 15)))
            (i32.load (local.get $from)))
          (i32.const 0x85ebca6b)))
      (local.set $from (i32.add (local.get $from) (i32.const 4)))
      (br_if $hashing (i32.lt_u (local.get $from) (local.get $next))))
    (local.set $hash
      (i32.mul
        (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 13)))
        (i32.const 0xc2b2ae35)))
    (local.set $hash (i32.xor (local.get $hash) (i32.shr_u (local.get $hash) (i32.const 16))))
    (loop $ways
      (local.set $slot
        (i32.load
          (i32.add
            (i32.load offset=152 (local.get $c))
            (i32.shl (i32.and (local.get $hash) (i32.load offset=156 (local.get $c))) (i32.const 2)))))
      (if (i32.eqz (local.get $slot)) (then (return (i32.const -1))))
      (local.set $hash (i32.add (local.get $hash) (i32.const 1)))
      (local.set $word
        (i32.add
          (i32.load offset=148 (local.get $c))
          (i32.shl (i32.sub (local.get $slot) (i32.const 1)) (i32.const 2))))
      (local.set $from (i32.load (local.get $word)))
      (br_if $ways
        (i32.ne
          (i32.shl (i32.sub (i32.load offset=4 (local.get $word)) (local.get $from)) (i32.const 2))
          (i32.sub (local.get $next) (local.get $steps))))
      (local.set $from
        (i32.add (i32.load offset=144 (local.get $c)) (i32.shl (local.get $from) (i32.const 2))))
      (local.set $word (local.get $steps))
      (loop $compare
        (br_if $ways (i32.ne (i32.load (local.get $from)) (i32.load (local.get $word))))
        (local.set $from (i32.add (local.get $from) (i32.const 4)))
        (local.set $word (i32.add (local.get $word) (i32.const 4)))
        (br_if $compare (i32.lt_u (local.get $word) (local.get $next)))))
    (i32.sub (local.get $slot) (i32.const 1)))

  ;; Judge rows from $i to $count. The result is the first row that was not judged, and nothing is done to that one.
  (func (export "run") (param $c i32) (param $i i32) (param $count i32) (result i32)
    (local $records i32) (local $burst i32) (local $entries i32)
    (local $at i32) (local $room i32) (local $end i32) (local $length i32) (local $protocol i32) (local $flags i32)
    (local $source i32) (local $destination i32) (local $ports i32) (local $tunnel i32) (local $word i32)
    (local $swapped i32) (local $first i32) (local $second i32) (local $key i32) (local $meta i32)
    (local $slot i32) (local $entry i32) (local $said i32) (local $state i32) (local $reply i32) (local $ctstate i32)
    (local $note i32) (local $way i32) (local $column i32)
    (local $living i32) (local $segment i32) (local $old i32) (local $walked i32) (local $delivers i32) (local $refused i32)
    (local $expires f64) (local $now f64) (local $sum i64) (local $lanes v128)
    (local.set $records (i32.load (local.get $c)))
    (local.set $burst (i32.load offset=4 (local.get $c)))
    (local.set $entries (i32.load offset=16 (local.get $c)))
    (block $stop
      (loop $next
        (br_if $stop (i32.ge_u (local.get $i) (local.get $count)))

        ;; The frame on the underlay: underlayEnd and isForeign.
        (local.set $column (i32.add (local.get $records) (i32.shl (local.get $i) (i32.const 2))))
        (local.set $at (i32.load (local.get $column)))
        (local.set $room (i32.sub (i32.load offset=1024 (local.get $column)) (local.get $at)))
        (br_if $stop (i32.lt_u (local.get $room) (i32.const 92)))
        (br_if $stop
          (i32.ne
            (i32.load16_u offset=3072 (i32.add (local.get $records) (i32.shl (local.get $i) (i32.const 1))))
            (i32.const 1)))
        (local.set $at (i32.add (local.get $at) (i32.load offset=8 (local.get $c))))
        (br_if $stop (i32.ne (i32.load16_u offset=12 (local.get $at)) (i32.const 0x0008)))
        (br_if $stop (i32.ne (i32.load8_u offset=14 (local.get $at)) (i32.const 0x45)))
        (local.set $end (i32.add (i32.or (i32.shl (i32.load8_u offset=16 (local.get $at)) (i32.const 8)) (i32.load8_u offset=17 (local.get $at))) (i32.const 14)))
        (br_if $stop (i32.gt_u (local.get $end) (local.get $room)))
        (br_if $stop (i32.and (i32.load16_u offset=20 (local.get $at)) (i32.const 0xff3f)))
        (br_if $stop (i32.ne (i32.load8_u offset=23 (local.get $at)) (i32.const 17)))
        (br_if $stop (i32.ne (i32.load16_u offset=36 (local.get $at)) (i32.load offset=28 (local.get $c))))
        (br_if $stop (i32.ne (i32.load offset=30 (local.get $at)) (i32.load offset=32 (local.get $c))))
        (local.set $word (i32.load8_u offset=26 (local.get $at)))
        (br_if $stop (i32.ge_u (local.get $word) (i32.const 224)))
        (br_if $stop (i32.eqz (local.get $word)))
        (br_if $stop (i32.eq (local.get $word) (i32.const 127)))
        (local.set $word (i32.load offset=26 (local.get $at)))
        (br_if $stop (i32.eq (local.get $word) (i32.load offset=32 (local.get $c))))
        (br_if $stop (i32.eq (local.get $word) (i32.load offset=36 (local.get $c))))
        (br_if $stop (i32.eq (local.get $word) (i32.load offset=40 (local.get $c))))
        (local.set $sum
          (i64.add
            (i64.add
              (i64.add (i64.load32_u offset=14 (local.get $at)) (i64.load32_u offset=18 (local.get $at)))
              (i64.add (i64.load32_u offset=22 (local.get $at)) (i64.load32_u offset=26 (local.get $at))))
            (i64.load32_u offset=30 (local.get $at))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffffffff)) (i64.shr_u (local.get $sum) (i64.const 32))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (br_if $stop (i64.ne (local.get $sum) (i64.const 0xffff)))
        (local.set $word (i32.add (i32.or (i32.shl (i32.load8_u offset=38 (local.get $at)) (i32.const 8)) (i32.load8_u offset=39 (local.get $at))) (i32.const 34)))
        (br_if $stop (i32.gt_u (local.get $word) (local.get $end)))
        (local.set $end (local.get $word))

        ;; The tunnel: isTunnel.
        (local.set $tunnel (i32.load offset=42 (local.get $at)))
        (br_if $stop (i32.ne (i32.and (local.get $tunnel) (i32.const 0x7f)) (i32.const 0x08)))
        (br_if $stop (i32.ne (i32.load offset=46 (local.get $at)) (i32.load offset=52 (local.get $c))))
        (br_if $stop (i32.ne (i32.load offset=50 (local.get $at)) (i32.load offset=44 (local.get $c))))
        (br_if $stop (i32.ne (i32.load16_u offset=54 (local.get $at)) (i32.load offset=48 (local.get $c))))
        (br_if $stop
          (i32.and
            (i32.eq (i32.load offset=56 (local.get $at)) (i32.load offset=44 (local.get $c)))
            (i32.eq (i32.load16_u offset=60 (local.get $at)) (i32.load offset=48 (local.get $c)))))

        ;; The packet inside: innerFlags.
        (br_if $stop (i32.ne (i32.load16_u offset=62 (local.get $at)) (i32.const 0x0008)))
        (br_if $stop (i32.ne (i32.load8_u offset=64 (local.get $at)) (i32.const 0x45)))
        (local.set $length (i32.or (i32.shl (i32.load8_u offset=66 (local.get $at)) (i32.const 8)) (i32.load8_u offset=67 (local.get $at))))
        (br_if $stop (i32.gt_u (i32.add (local.get $length) (i32.const 64)) (local.get $end)))
        (br_if $stop (i32.and (i32.load16_u offset=70 (local.get $at)) (i32.const 0xff3f)))
        (br_if $stop (i32.le_u (i32.load8_u offset=72 (local.get $at)) (i32.const 1)))
        (br_if $stop
          (i32.and
            (i32.eq (i32.and (i32.load8_u offset=15 (local.get $at)) (i32.const 3)) (i32.const 3))
            (i32.eqz (i32.and (i32.load8_u offset=65 (local.get $at)) (i32.const 3)))))
        (local.set $sum
          (i64.add
            (i64.add
              (i64.add (i64.load32_u offset=64 (local.get $at)) (i64.load32_u offset=68 (local.get $at)))
              (i64.add (i64.load32_u offset=72 (local.get $at)) (i64.load32_u offset=76 (local.get $at))))
            (i64.load32_u offset=80 (local.get $at))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffffffff)) (i64.shr_u (local.get $sum) (i64.const 32))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (local.set $sum
          (i64.add (i64.and (local.get $sum) (i64.const 0xffff)) (i64.shr_u (local.get $sum) (i64.const 16))))
        (br_if $stop (i64.ne (local.get $sum) (i64.const 0xffff)))
        (local.set $protocol (i32.load8_u offset=73 (local.get $at)))
        (local.set $room (i32.sub (local.get $length) (i32.const 20)))
        (local.set $flags (i32.const 0))
        (if (i32.eq (local.get $protocol) (i32.const 6))
          (then
            (br_if $stop (i32.lt_s (local.get $room) (i32.const 20)))
            (local.set $word (i32.shl (i32.shr_u (i32.load8_u offset=96 (local.get $at)) (i32.const 4)) (i32.const 2)))
            (br_if $stop (i32.lt_u (local.get $word) (i32.const 20)))
            (br_if $stop (i32.gt_u (local.get $word) (local.get $room)))
            (local.set $flags (i32.load8_u offset=97 (local.get $at))))
          (else
            (br_if $stop (i32.ne (local.get $protocol) (i32.const 17)))
            (local.set $word (i32.or (i32.shl (i32.load8_u offset=88 (local.get $at)) (i32.const 8)) (i32.load8_u offset=89 (local.get $at))))
            (br_if $stop (i32.lt_u (local.get $word) (i32.const 8)))
            (br_if $stop (i32.gt_s (local.get $word) (local.get $room)))))

        ;; Its connection: keyOf and findFrom.
        (local.set $lanes
          (i8x16.shuffle 3 2 1 0 7 6 5 4 11 10 9 8 15 14 13 12
            (v128.load offset=76 (local.get $at)) (v128.load offset=76 (local.get $at))))
        (local.set $source (i32x4.extract_lane 0 (local.get $lanes)))
        (local.set $destination (i32x4.extract_lane 1 (local.get $lanes)))
        (local.set $ports (i32x4.extract_lane 2 (local.get $lanes)))
        (local.set $tunnel
          (i32.or
            (i32.and (i32.rotl (local.get $tunnel) (i32.const 8)) (i32.const 0x00ff00ff))
            (i32.and (i32.rotr (local.get $tunnel) (i32.const 8)) (i32.const 0xff00ff00))))
        (local.set $key (local.get $ports))
        (local.set $first (local.get $source))
        (local.set $second (local.get $destination))
        (local.set $swapped
          (i32.or
            (i32.gt_u (local.get $source) (local.get $destination))
            (i32.and
              (i32.eq (local.get $source) (local.get $destination))
              (i32.gt_u (i32.shr_u (local.get $ports) (i32.const 16)) (i32.and (local.get $ports) (i32.const 0xffff))))))
        (if (local.get $swapped)
          (then
            (local.set $first (local.get $destination))
            (local.set $second (local.get $source))
            (local.set $key (i32.rotl (local.get $ports) (i32.const 16)))))
        (local.set $meta (i32.or (i32.load offset=56 (local.get $c)) (i32.shl (local.get $protocol) (i32.const 8))))
        (local.set $column (i32.add (i32.load offset=80 (local.get $c)) (i32.shl (local.get $i) (i32.const 3))))
        (local.set $slot (i32.load (local.get $column)))
        (local.set $entry (i32.and (i32.load offset=4 (local.get $column)) (i32.const -64)))
        (block $found
          (loop $probe
            (br_if $found
              (i32.eqz
                (i32.or
                  (i32.or
                    (i32.xor (i32.load (local.get $entry)) (local.get $first))
                    (i32.xor (i32.load offset=4 (local.get $entry)) (local.get $second)))
                  (i32.or
                    (i32.xor (i32.load offset=8 (local.get $entry)) (local.get $key))
                    (i32.xor (i32.load offset=12 (local.get $entry)) (local.get $meta))))))
            ;; Not the one that `touch` saw: look for it from the beginning.
            (loop $place
              (local.set $word
                (i32.load
                  (i32.add
                    (i32.load offset=76 (local.get $c))
                    (i32.shl (i32.and (local.get $slot) (i32.load offset=20 (local.get $c))) (i32.const 2)))))
              (if (i32.eqz (local.get $word))
                (then
                  (local.set $entry (i32.const 0))
                  (br $found)))
              (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
              (br_if $place
                (i32.and (i32.xor (local.get $word) (i32.load (local.get $column))) (i32.const 0xff000000))))
            (local.set $entry
              (i32.add
                (local.get $entries)
                (i32.shl (i32.sub (i32.and (local.get $word) (i32.const 0xffffff)) (i32.const 1)) (i32.const 6))))
            (br $probe)))

        ;; Its state and its connection's: trackFound. Nothing is written before all is known.
        (local.set $now (f64.load offset=3584 (i32.add (local.get $records) (i32.shl (local.get $i) (i32.const 3)))))
        (local.set $living (i32.const 0))
        (if (local.get $entry)
          (then (local.set $living (f64.gt (f64.load offset=24 (local.get $entry)) (local.get $now)))))
        (local.set $segment (i32.const 0))
        (if (i32.eq (local.get $protocol) (i32.const 6))
          (then
            (local.set $segment
              (i32.load8_u (i32.add (i32.load offset=60 (local.get $c)) (local.get $flags))))
            (br_if $stop (i32.eq (local.get $segment) (i32.const 255)))))
        (if (local.get $living)
          (then
            (local.set $state (i32.load offset=16 (local.get $entry)))
            (local.set $expires (f64.load offset=24 (local.get $entry)))
            (local.set $reply (i32.xor (i32.and (local.get $state) (i32.const 1)) (local.get $swapped)))
            (local.set $ctstate
              (select
                (i32.const 2)
                (i32.const 8)
                (i32.or (local.get $reply) (i32.and (local.get $state) (i32.const 2)))))
            (local.set $note (i32.const 0))
            (if (i32.eq (local.get $protocol) (i32.const 6))
              (then
                ;; followTcp
                (local.set $old (i32.and (i32.shr_u (local.get $state) (i32.const 8)) (i32.const 15)))
                (local.set $word
                  (i32.load8_u
                    (i32.add
                      (i32.load offset=100 (local.get $c))
                      (i32.add
                        (i32.mul
                          (i32.add (i32.mul (local.get $reply) (i32.const 6)) (local.get $segment))
                          (i32.const 10))
                        (local.get $old)))))
                ;; IGNORE, INVALID, and a SYN on what is finished.
                (br_if $stop (i32.ge_u (local.get $word) (i32.const 10)))
                (br_if $stop (i32.and (i32.eq (local.get $word) (i32.const 1)) (i32.ge_u (local.get $old) (i32.const 7))))
                ;; A SYN that comes again before any answer does not prolong the wait.
                (if
                  (i32.or
                    (i32.or (local.get $segment) (i32.and (local.get $state) (i32.const 2)))
                    (i32.ne (local.get $old) (i32.const 1)))
                  (then
                    (local.set $expires
                      (f64.add
                        (local.get $now)
                        (select
                          (f64.const 300e9)
                          (f64.load
                            (i32.add
                              (i32.load offset=104 (local.get $c))
                              (i32.shl (local.get $word) (i32.const 3))))
                          (i32.and
                            (i32.eqz (i32.and (local.get $state) (i32.const 2)))
                            (i32.eq (local.get $word) (i32.const 3))))))))
                (local.set $state
                  (i32.or
                    (i32.or
                      (i32.and (local.get $state) (i32.const 0xffff00f7))
                      (i32.or
                        (i32.shl (local.get $word) (i32.const 8))
                        (i32.shl (local.get $segment) (i32.const 12))))
                    (i32.or
                      (i32.mul (local.get $reply) (i32.const 10))
                      ;; CLOSE_INIT
                      (i32.shl
                        (i32.and
                          (i32.eq (local.get $word) (i32.const 4))
                          (i32.ne (local.get $old) (i32.const 4)))
                        (i32.const 2))))))
              (else
                ;; followUdp: a stream once it is old enough and was answered.
                (local.set $expires
                  (f64.add
                    (local.get $now)
                    (select
                      (f64.const 120e9)
                      (f64.const 30e9)
                      (i32.and
                        (i32.shr_u (local.get $state) (i32.const 1))
                        (i32.gt_s
                          (i32.sub
                            (i32.wrap_i64 (i64.trunc_sat_f64_s (f64.div (local.get $now) (f64.const 1e6))))
                            (i32.load offset=20 (local.get $entry)))
                          (i32.const 0))))))
                (local.set $state (i32.or (local.get $state) (i32.shl (local.get $reply) (i32.const 1)))))))
          (else
            ;; open: a SYN, or an ACK that picks a connection up.
            (local.set $reply (i32.const 0))
            (local.set $ctstate (i32.const 8))
            (local.set $note (i32.const 8))
            (local.set $state (local.get $swapped))
            (local.set $expires (f64.add (local.get $now) (f64.const 30e9)))
            (if (i32.eq (local.get $protocol) (i32.const 6))
              (then
                (if (local.get $segment)
                  (then
                    (br_if $stop (i32.ne (local.get $segment) (i32.const 3)))
                    (local.set $note (i32.const 12))
                    (local.set $state (i32.or (local.get $swapped) (i32.const 0x3300)))
                    (local.set $expires (f64.add (local.get $now) (f64.const 300e9))))
                  (else
                    (local.set $state (i32.or (local.get $swapped) (i32.const 0x100)))
                    (local.set $expires
                      (f64.add (local.get $now) (f64.load offset=8 (i32.load offset=104 (local.get $c)))))))))))

        ;; What was said of the packet before it (saidOf), if that holds; else what the rules say.
        (local.set $said (i32.const 0))
        (if (local.get $entry)
          (then
            (local.set $way (i32.add (local.get $entry) (i32.shl (local.get $swapped) (i32.const 4))))
            (if (i32.eq (i32.load offset=32 (local.get $way)) (local.get $tunnel))
              (then (local.set $said (i32.load offset=36 (local.get $way)))))))
        (if
          (i32.ne
            (i32.shr_u (local.get $said) (i32.const 30))
            (select (i32.const 3) (i32.const 2) (i32.eq (local.get $ctstate) (i32.const 2))))
          (then
            ;; isToContainer
            (br_if $stop (i32.eqz (i32.load offset=172 (local.get $c))))
            (local.set $word (i32.shr_u (local.get $source) (i32.const 24)))
            (br_if $stop (i32.ge_u (local.get $word) (i32.const 224)))
            (br_if $stop (i32.eqz (local.get $word)))
            (br_if $stop (i32.eq (local.get $word) (i32.const 127)))
            (local.set $word (i32.load offset=76 (local.get $at)))
            (br_if $stop (i32.eq (local.get $word) (i32.load offset=32 (local.get $c))))
            (br_if $stop (i32.eq (local.get $word) (i32.load offset=36 (local.get $c))))
            (br_if $stop (i32.eq (local.get $word) (i32.load offset=40 (local.get $c))))
            (local.set $slot (i32.mul (local.get $destination) (i32.const 0x9e3779b1)))
            (local.set $slot (i32.xor (local.get $slot) (i32.shr_u (local.get $slot) (i32.const 15))))
            (loop $container
              (local.set $word
                (i32.add
                  (i32.load offset=108 (local.get $c))
                  (i32.shl (i32.and (local.get $slot) (i32.load offset=112 (local.get $c))) (i32.const 3))))
              (br_if $stop (i32.eqz (i32.load offset=4 (local.get $word))))
              (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
              (br_if $container (i32.ne (i32.load (local.get $word)) (local.get $destination))))
            (local.set $word
              (call $walk
                (local.get $c)
                (local.get $source)
                (local.get $destination)
                (local.get $ports)
                (local.get $protocol)
                (select
                  (i32.and (local.get $tunnel) (i32.const 0x0048ffff))
                  (i32.const 0)
                  (i32.lt_s (local.get $tunnel) (i32.const 0)))
                (local.get $ctstate)
                (i32.sub (i32.load offset=4 (local.get $word)) (i32.const 1))))
            (br_if $stop (i32.lt_s (local.get $word) (i32.const 0)))
            ;; What followed from this way before: `remember`.
            (local.set $word
              (i32.add
                (i32.add (i32.load offset=24 (local.get $c)) (i32.shl (local.get $word) (i32.const 5)))
                (select (i32.const 24) (i32.const 16) (i32.eq (local.get $ctstate) (i32.const 2)))))
            (local.set $said (i32.load (local.get $word)))
            (br_if $stop (i32.eqz (local.get $said)))
            (local.set $walked (i32.load offset=4 (local.get $word))))
          (else (local.set $walked (i32.const -2))))

        ;; Room for the connection, or for the refusal: confirm and refuse.
        (local.set $delivers
          (i32.eq (i32.and (i32.shr_u (local.get $said) (i32.const 20)) (i32.const 7)) (i32.const 1)))
        (if (i32.eqz (local.get $living))
          (then
            (local.set $refused (i32.const 0))
            (if (local.get $entry)
              (then
                (local.set $refused (f64.eq (f64.load offset=24 (local.get $entry)) (f64.const -inf)))))
            (if
              (i32.or (i32.eqz (local.get $entry)) (i32.and (local.get $delivers) (local.get $refused)))
              (then
                (local.set $word (i32.load offset=84 (local.get $c)))
                (br_if $stop (i32.ge_u (local.get $word) (i32.load offset=92 (local.get $c))))
                (br_if $stop
                  (i32.and
                    (local.get $delivers)
                    (i32.ge_u
                      (i32.sub (local.get $word) (i32.load offset=88 (local.get $c)))
                      (i32.load offset=96 (local.get $c)))))))
            (if (i32.eqz (local.get $entry))
              (then
                ;; claim and enlist
                (local.set $entry (i32.add (local.get $entries) (i32.shl (local.get $word) (i32.const 6))))
                (local.set $word (i32.add (local.get $word) (i32.const 1)))
                (i32.store offset=84 (local.get $c) (local.get $word))
                (local.set $column
                  (i32.add (i32.load offset=80 (local.get $c)) (i32.shl (local.get $i) (i32.const 3))))
                (local.set $slot (i32.load (local.get $column)))
                (loop $taken
                  (local.set $way
                    (i32.add
                      (i32.load offset=76 (local.get $c))
                      (i32.shl (i32.and (local.get $slot) (i32.load offset=20 (local.get $c))) (i32.const 2))))
                  (local.set $slot (i32.add (local.get $slot) (i32.const 1)))
                  (br_if $taken (i32.load (local.get $way))))
                (i32.store
                  (local.get $way)
                  (i32.or
                    (i32.and (i32.load (local.get $column)) (i32.const 0xff000000))
                    (local.get $word)))
                (local.set $way (i32.add (local.get $entry) (i32.shl (local.get $swapped) (i32.const 4))))
                (v128.store offset=16 (local.get $entry) (v128.const i32x4 0 0 0 0))
                (v128.store offset=32 (local.get $entry) (v128.const i32x4 0 0 0 0))
                (v128.store offset=48 (local.get $entry) (v128.const i32x4 0 0 0 0))
                (i32.store (local.get $entry) (local.get $first))
                (i32.store offset=4 (local.get $entry) (local.get $second))
                (i32.store offset=8 (local.get $entry) (local.get $key))
                (i32.store offset=12 (local.get $entry) (local.get $meta))
                (if (i32.eqz (local.get $delivers))
                  (then
                    (f64.store offset=24 (local.get $entry) (f64.const -inf))
                    (i32.store offset=88 (local.get $c)
                      (i32.add (i32.load offset=88 (local.get $c)) (i32.const 1))))))
              (else
                (if (i32.and (local.get $delivers) (local.get $refused))
                  (then
                    (i32.store offset=88 (local.get $c)
                      (i32.sub (i32.load offset=88 (local.get $c)) (i32.const 1)))))))
            (if (local.get $delivers)
              (then
                (i32.store offset=20 (local.get $entry)
                  (i32.add
                    (i32.wrap_i64 (i64.trunc_sat_f64_s (f64.div (local.get $now) (f64.const 1e6))))
                    (i32.const 2000)))
                (i32.store offset=40 (local.get $entry) (i32.const 0))
                (i32.store offset=56 (local.get $entry) (i32.const 0))))))
        (if (i32.or (local.get $living) (local.get $delivers))
          (then
            (i32.store offset=16 (local.get $entry) (local.get $state))
            (f64.store offset=24 (local.get $entry) (local.get $expires))))
        (if (i32.ne (local.get $walked) (i32.const -2))
          (then
            (i32.store offset=32 (local.get $way) (local.get $tunnel))
            (i32.store offset=36 (local.get $way) (local.get $said))
            (i32.store offset=40 (local.get $way) (i32.const 0))
            (i32.store offset=44 (local.get $way) (local.get $walked))))

        ;; The columns of the row, and one more packet on its way: sayAgain.
        (local.set $column (i32.add (local.get $burst) (local.get $i)))
        (i32.store8 offset=5632 (local.get $column) (i32.and (i32.shr_u (local.get $said) (i32.const 20)) (i32.const 7)))
        (i32.store8 offset=5888 (local.get $column) (i32.and (i32.shr_u (local.get $said) (i32.const 23)) (i32.const 127)))
        (i32.store8 offset=6144 (local.get $column) (local.get $ctstate))
        (i32.store8 offset=6400 (local.get $column) (local.get $reply))
        (i32.store8 offset=6656 (local.get $column) (i32.const 4))
        (i32.store8 offset=6912 (local.get $column) (local.get $protocol))
        (i32.store8 offset=7168 (local.get $column) (local.get $note))
        (local.set $column (i32.add (local.get $column) (local.get $i)))
        (i32.store16 offset=4096 (local.get $column) (i32.shr_u (local.get $ports) (i32.const 16)))
        (i32.store16 offset=4608 (local.get $column) (local.get $ports))
        (i32.store16 offset=10496 (local.get $column)
          (i32.and (i32.shr_u (i32.load offset=56 (local.get $c)) (i32.const 16)) (i32.const 0x7fff)))
        (local.set $column (i32.add (local.get $burst) (i32.shl (local.get $i) (i32.const 2))))
        (i32.store offset=1024 (local.get $column) (local.get $source))
        (i32.store offset=2048 (local.get $column) (local.get $destination))
        (i32.store offset=7424 (local.get $column) (i32.load offset=44 (local.get $way)))
        (i32.store offset=9472 (local.get $column)
          (i32.add (i32.shr_u (i32.sub (local.get $way) (local.get $entries)) (i32.const 2)) (i32.const 10)))
        (i32.store offset=11008 (local.get $column) (local.get $said))
        (if (i32.lt_s (local.get $tunnel) (i32.const 0))
          (then
            (i32.store (local.get $column) (i32.and (local.get $tunnel) (i32.const 0x0048ffff)))
            (i32.store offset=8448 (local.get $column) (i32.and (local.get $tunnel) (i32.const 0xffff)))))
        (local.set $way
          (i32.add
            (i32.load offset=24 (local.get $c))
            (i32.shl (i32.and (local.get $said) (i32.const 0xfffff)) (i32.const 5))))
        (f64.store (local.get $way) (f64.add (f64.load (local.get $way)) (f64.const 1)))
        (f64.store offset=8 (local.get $way)
          (f64.add (f64.load offset=8 (local.get $way)) (f64.convert_i32_u (local.get $length))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (local.get $i))

  ;; Add the rows of the burst whose connection knows its row to the flows (`add` in replay/flows.ts), and list the others that
  ;; are flows. The result is how many those are.
  (func (export "tally") (param $c i32) (result i32)
    (local $i i32) (local $burst i32) (local $column i32) (local $at i32) (local $word i32) (local $missing i32)
    (local $end i32)
    (local.set $burst (i32.load offset=4 (local.get $c)))
    (local.set $missing (i32.load offset=72 (local.get $c)))
    (local.set $end (i32.load offset=12 (local.get $c)))
    (block $done
      (loop $next
        (br_if $done (i32.eq (local.get $i) (local.get $end)))
        (local.set $column (i32.add (local.get $burst) (i32.shl (local.get $i) (i32.const 2))))
        (block $added
          (block $unknown
            (local.set $at (i32.load offset=9472 (local.get $column)))
            (br_if $unknown (i32.lt_s (local.get $at) (i32.const 0)))
            (local.set $at
              (i32.add (i32.load offset=16 (local.get $c)) (i32.shl (local.get $at) (i32.const 2))))
            (br_if $unknown
              (i32.ne
                (i32.load (i32.sub (local.get $at) (i32.const 4)))
                (i32.load offset=11008 (local.get $column))))
            (local.set $word (i32.load (local.get $at)))
            (br_if $unknown
              (i32.ne
                (i32.and (local.get $word) (i32.const 0xfffe0000))
                (i32.load offset=68 (local.get $c))))
            (local.set $at
              (i32.add
                (i32.load offset=64 (local.get $c))
                (i32.shl (i32.and (local.get $word) (i32.const 0x1ffff)) (i32.const 6))))
            (f64.store offset=32 (local.get $at) (f64.add (f64.load offset=32 (local.get $at)) (f64.const 1)))
            (f64.store offset=40 (local.get $at)
              (f64.add
                (f64.load offset=40 (local.get $at))
                (f64.convert_i32_u
                  (i32.load offset=2048
                    (i32.add (i32.load (local.get $c)) (i32.shl (local.get $i) (i32.const 2)))))))
            (if (i32.and (i32.load8_u offset=7168 (i32.add (local.get $burst) (local.get $i))) (i32.const 8))
              (then
                (f64.store offset=48 (local.get $at) (f64.add (f64.load offset=48 (local.get $at)) (f64.const 1)))))
            (br $added))
          (br_if $added
            (i32.ne (i32.load8_u offset=6656 (i32.add (local.get $burst) (local.get $i))) (i32.const 4)))
          (br_if $added
            (i32.eq (i32.load8_u offset=5632 (i32.add (local.get $burst) (local.get $i))) (i32.const 255)))
          (i32.store (local.get $missing) (local.get $i))
          (local.set $missing (i32.add (local.get $missing) (i32.const 4))))
        (local.set $i (i32.add (local.get $i) (i32.const 1)))
        (br $next)))
    (i32.shr_u (i32.sub (local.get $missing) (i32.load offset=72 (local.get $c))) (i32.const 2))))
