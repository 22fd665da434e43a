#include "lesson/liar.h"

#include <stdio.h>

#include "base/prng.h"
#include "cache/museum.h"

static const char *const ENGINES[] = {"north", "east", "west"};

/* Bugs that commands on letters can show. */
static const unsigned BUGS[] = {BUG_LOCK_SKIPS_NODE, BUG_SPLIT_OLD_TIME, BUG_SPLIT_SUM, BUG_SPLIT_FORGETS_LOCK,
                                BUG_SPLIT_WRONG_KEY, BUG_LOCK_LEAKS, BUG_FIFO_NAMED_LRU};

enum { GROUPS = 6, KEYS = 3, BUGS_ASKED = 4 };

/* Keys of a group share a beginning and part in the middle. */
static const char *const WORDS[GROUPS][KEYS] = {
    {"the cat sat", "the cat ran", "the cat hid"}, {"red apple", "red ant", "red arch"}, {"tea time", "tea pot", "tea cup"},
    {"north wind", "north star", "north sea"},     {"open door", "open sky", "open book"}, {"old man", "old moon", "old map"},
};

/* The commands that every engine gets. They split under a lock, lock behind a split, look up without inserting and
 * evict: whatever the bug is, it has its chance. */
static void write_commands(struct prng *r, struct buf *out)
{
    uint32_t one = prng_below(r, GROUPS), two = (one + 1 + prng_below(r, GROUPS - 1)) % GROUPS;
    uint32_t first = prng_below(r, KEYS), other = (first + 1 + prng_below(r, KEYS - 1)) % KEYS;
    const char *a = WORDS[one][first], *b = WORDS[one][other], *c = WORDS[two][first], *d = WORDS[two][other];
    buf_printf(out, "insert \"%s\"\ninsert \"%s\"\n", a, c);
    if (prng_below(r, 2) == 0)
        buf_printf(out, "match \"%s\"\n", c);
    buf_printf(out, "lock reader \"%s\"\nmatch \"%s\"\n", a, b);
    if (prng_below(r, 2) == 0)
        buf_printf(out, "insert \"%s\"\n", b);
    buf_printf(out, "lock guest \"%s\"\nunlock guest\nmatch \"%s\"\n", d, a);
    if (prng_below(r, 2) == 0)
        buf_printf(out, "insert \"%s\"\n", d);
    buf_printf(out, "match \"%s\"\nevict %u\n", a, 1 + prng_below(r, 3));
}

static void write_engine(const char *name, unsigned bug, const char *commands, struct buf *out)
{
    const struct museum_info *info = museum_info(bug);
    buf_printf(out, "## The engine called %s {#%s}\n\nAn engine of its own. Step through it; [i](key:i) shows the invariants.\n\n",
               name, name);
    buf_printf(out, "```rxs %s\ntokens letters\npool 64\nbug %s hidden\n%s```\n\n", name, info != NULL ? info->name : "none",
               commands);
}

static void write_who(unsigned liar, struct buf *out)
{
    buf_puts(out, "## Who lied? {#who}\n\nYou can go back to all three: nothing is lost.\n\n```ask choose who-lied\n"
                  "text: Which engine has the bug?\n");
    for (unsigned i = 0; i < 3; i++)
        buf_printf(out, "option: %s\n  when: bug @ %s != \"\"\n  why: It did what its sentences say, at every step. Compare the "
                        "trees behind the same command in all three.\n",
                   ENGINES[i], ENGINES[i]);
    buf_printf(out, "right: Right: %s.\n", ENGINES[liar]);
    buf_puts(out, "hint: Two of the three are the same at every step. Look for the command behind which one differs.\n"
                  "hint: Compare the tree, the lock counts, the ticks under *used* and the sum of the slots, command by command.\n");
    buf_printf(out, "hint: It is {= if(bug @ %s != \"\", \"not the one called %s\", \"none of them\")}, that is certain.\n```\n\n",
               ENGINES[liar], ENGINES[(liar + 1) % 3]);
}

/* What is wrong with it: the bug among others. */
static void write_what(struct prng *r, unsigned liar, unsigned bug, struct buf *out)
{
    uint32_t n = ARRAY_LEN(BUGS), start = prng_below(r, n), place = prng_below(r, BUGS_ASKED);
    buf_printf(out, "```ask choose what-lie\ntext: And what is wrong with **%s**?\n", ENGINES[liar]);
    for (uint32_t i = 0, asked = 0; asked < BUGS_ASKED; asked++) {
        unsigned which = bug;
        for (; asked != place && (which == bug); i++)
            which = BUGS[(start + i) % n];
        buf_printf(out, "option: %s\n  when: bug_says @ %s == \"%s\"\n  why: Then another command would have gone wrong. Which "
                        "one was the first?\n",
                   museum_info(which)->wrong, ENGINES[liar], museum_info(which)->wrong);
    }
    buf_printf(out, "right: Right. It was reported as {= bug_thread @ %s}.\n", ENGINES[liar]);
    buf_puts(out, "hint: Name the first command behind which the engines differ.\n"
                  "hint: A match, an insert, a lock, an eviction: which part of it went wrong?\n"
                  "hint: Say what a correct engine does in that step, and what this one did.\n```\n\n");
}

void liar_write(uint64_t seed, struct buf *out)
{
    struct prng r;
    struct buf commands = {0};
    prng_seed(&r, seed);
    write_commands(&r, &commands);
    unsigned liar = prng_below(&r, 3), bug = BUGS[prng_below(&r, ARRAY_LEN(BUGS))];
    buf_puts(out, "---\nid: liar\ntitle: Spot the liar\nminutes: 10\nneeds: museum-quiet\nobjectives:\n"
                  "  - Find a bug by comparing engines and by predicting\n---\n\n## Three engines {#three}\n\nThree engines get the "
                  "same commands, one after another. **One of them has a bug**; the sentences do not say so. Write down what you "
                  "expect, or what you see, behind each command: you will be asked.\n\n");
    for (unsigned i = 0; i < 3; i++)
        write_engine(ENGINES[i], i == liar ? bug : BUG_NONE, buf_text(&commands), out);
    write_who(liar, out);
    write_what(&r, liar, bug, out);
    buf_puts(out, "## Cheat sheet {#sheet}\n\n- Compare behind the *same* command: the first difference is nearest to the bug.\n"
                  "- Tree, lock counts, ticks, sums: each shows another kind of bug.\n"
                  "- The sentences say what should happen. The world says what did.\n");
    if (commands.failed)
        out->failed = true;
    buf_free(&commands);
}
