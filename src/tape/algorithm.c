#include "tape/algorithm.h"

/* The label of an event that several algorithms have. */
static const char *shared_step(const struct step *s, const struct step *op)
{
    bool insert = op->kind == EV_CACHE_FINISHED && op->arg[event_arg(EV_CACHE_FINISHED, "insert")] != 0;
    if (s->kind == EV_SPLIT)
        return op->kind == EV_INSERT ? "I3" : op->kind == EV_MATCH ? "M3a" : "S1";
    if (s->kind == EV_FREE_TAIL)
        return op->kind != EV_CACHE_FINISHED ? "" : insert ? "F2" : "F1";
    switch (op->kind) { /* duplicates; the unified rules free them during the walk of the insert */
    case EV_INSERT: return "I2";
    case EV_CACHE_UNFINISHED: return "U2";
    case EV_CACHE_FINISHED: return "F1";
    default: return "";
    }
}

const char *algorithm_step(const struct step *s, const struct step *op)
{
    switch (s->kind) {
    case EV_MATCH:
    case EV_MATCH_NOTHING: return "M1";
    case EV_MISS: return "M3";
    case EV_WALK: return "M3b";
    case EV_MATCHED: return "M4";
    case EV_SPLIT:
    case EV_FREE_DUPLICATES:
    case EV_FREE_TAIL: return shared_step(s, op);
    case EV_LOCK:
    case EV_UNLOCK: return "L1";
    case EV_LOCK_NODE: return s->arg[event_arg(EV_LOCK_NODE, "moved")] > 0 ? "L1" : "L2";
    case EV_UNLOCK_NODE: return s->arg[event_arg(EV_UNLOCK_NODE, "moved")] > 0 ? "L1" : "L2";
    case EV_INSERT: return "I1";
    case EV_INSERT_WALK: return "I2";
    case EV_LEAF:
    case EV_INSERTED: return "I4";
    case EV_CACHE_UNFINISHED: return "U1";
    case EV_ROW: return "U3";
    case EV_CACHE_FINISHED: return "F1";
    case EV_RELEASED: return op->kind == EV_CACHE_FINISHED ? "F3" : "";
    case EV_EVICT: return "E1";
    case EV_VICTIM: return "E2a";
    case EV_NEW_CANDIDATE: return "E2b";
    case EV_EVICTED: return "E2";
    default: return "";
    }
}
