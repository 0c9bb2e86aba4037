/*
 * Addon: the loops as machine code, for Node. `bind(buffer)` gives an object with the functions of `Loops` (src/memory/loops.ts) over
 * an ArrayBuffer, which lives as long as that object. `source` is the hash of the text that they were compiled from.
 */
#include <node_api.h>
#include <sys/mman.h>

#include "match.h"

#ifndef TAGPLANE_SOURCE
#error "TAGPLANE_SOURCE is the hash that native/build.ts gives"
#endif

/** The numbers that a function was called with; those that are none are 0. The memory is the one that it was bound to. */
static void receive(napi_env env, napi_callback_info info, size_t count, uint32_t *numbers) {
  napi_value values[4];
  size_t given = count;
  void *data = NULL;
  napi_get_cb_info(env, info, &given, values, NULL, &data);
  MEMORY = data;
  for (size_t i = 0; i < count; i++) {
    numbers[i] = 0;
    napi_get_value_uint32(env, values[i], numbers + i);
  }
}

static napi_value numberOf(napi_env env, uint32_t number) {
  napi_value value = NULL;
  napi_create_uint32(env, number, &value);
  return value;
}

static napi_value onTouch(napi_env env, napi_callback_info info) {
  uint32_t of[3];
  receive(env, info, 3, of);
  return numberOf(env, touch(AT(struct control, of[0]), of[1], of[2]));
}

static napi_value onRun(napi_env env, napi_callback_info info) {
  uint32_t of[3];
  receive(env, info, 3, of);
  return numberOf(env, run(AT(struct control, of[0]), of[1], of[2]));
}

static napi_value onTally(napi_env env, napi_callback_info info) {
  uint32_t of[1];
  receive(env, info, 1, of);
  return numberOf(env, tally(AT(struct control, of[0])));
}

static napi_value onCount(napi_env env, napi_callback_info info) {
  uint32_t of[1];
  receive(env, info, 1, of);
  count(AT(struct control, of[0]));
  return NULL;
}

static napi_value onReindex(napi_env env, napi_callback_info info) {
  uint32_t of[4];
  receive(env, info, 4, of);
  return numberOf(env, reindex(AT(struct connection, of[0]), AT(uint32_t, of[1]), of[2], of[3]));
}

static napi_value onLocate(napi_env env, napi_callback_info info) {
  uint32_t of[1];
  receive(env, info, 1, of);
  return numberOf(env, locate(AT(struct locating, of[0])));
}

static napi_value onPlay(napi_env env, napi_callback_info info) {
  uint32_t of[2];
  receive(env, info, 2, of);
  return numberOf(env, play(AT(struct control, of[0]), AT(struct locating, of[1])));
}

static napi_value onOutline(napi_env env, napi_callback_info info) {
  uint32_t of[3];
  receive(env, info, 3, of);
  outline(AT(struct control, of[0]), of[1], of[2]);
  return NULL;
}

static napi_value onSurvey(napi_env env, napi_callback_info info) {
  uint32_t of[2];
  receive(env, info, 2, of);
  return numberOf(env, survey(AT(struct control, of[0]), AT(struct locating, of[1])));
}

static napi_value onMatch(napi_env env, napi_callback_info info) {
  uint32_t of[1];
  receive(env, info, 1, of);
  return numberOf(env, match(AT(struct control, of[0])));
}

static napi_value onSift(napi_env env, napi_callback_info info) {
  uint32_t of[2];
  receive(env, info, 2, of);
  return numberOf(env, sift(AT(struct control, of[0]), AT(struct locating, of[1])));
}

static const struct {
  const char *name;
  napi_callback call;
} FUNCTIONS[] = {
    {"touch", onTouch}, {"run", onRun}, {"tally", onTally}, {"count", onCount}, {"reindex", onReindex}, {"locate", onLocate},
    {"play", onPlay}, {"outline", onOutline}, {"survey", onSurvey}, {"match", onMatch}, {"sift", onSift},
};

static napi_value bind(napi_env env, napi_callback_info info) {
  size_t count = 1;
  size_t length = 0;
  void *octets = NULL;
  napi_value buffer = NULL;
  napi_value loops = NULL;
  napi_get_cb_info(env, info, &count, &buffer, NULL, NULL);
  if (count != 1 || napi_get_arraybuffer_info(env, buffer, &octets, &length) != napi_ok) {
    napi_throw_type_error(env, "ERR_NATIVE", "bind: expected an ArrayBuffer");
    return NULL;
  }
#ifdef MADV_HUGEPAGE
  /* Tables are read in no order: large pages cost fewer misses of the TLB, and fewer faults while a table grows. A refusal costs nothing. */
  (void)madvise(octets, length, MADV_HUGEPAGE);
#endif
  napi_create_object(env, &loops);
  /* Keeps the octets where they are. */
  napi_set_named_property(env, loops, "buffer", buffer);
  for (size_t i = 0; i < sizeof FUNCTIONS / sizeof *FUNCTIONS; i++) {
    napi_value function = NULL;
    napi_create_function(env, FUNCTIONS[i].name, NAPI_AUTO_LENGTH, FUNCTIONS[i].call, octets, &function);
    napi_set_named_property(env, loops, FUNCTIONS[i].name, function);
  }
  return loops;
}

NAPI_MODULE_INIT() {
  napi_value source = NULL;
  napi_value function = NULL;
  napi_create_string_utf8(env, TAGPLANE_SOURCE, NAPI_AUTO_LENGTH, &source);
  napi_set_named_property(env, exports, "source", source);
  napi_create_function(env, "bind", NAPI_AUTO_LENGTH, bind, NULL, &function);
  napi_set_named_property(env, exports, "bind", function);
  return exports;
}
