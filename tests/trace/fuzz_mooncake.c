/* Fuzz target for the reader of traces, packed or plain; fuzz.sh builds and runs it. Whatever comes: an error with
 * its sentence, or requests whose ids number what their length says. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "trace/mooncake.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
    struct err e = {0};
    struct mooncake_request r;
    uint32_t block = len > 0 ? bytes[0] % 4 : 0;
    struct lines *l = lines_of("fuzz", (const char *)bytes, len, &e);
    struct mooncake *m = l != NULL ? mooncake_new(l, block, &e) : NULL;
    uint64_t sum = 0;
    int rc = m != NULL ? 1 : -1;
    while (rc == 1 && (rc = mooncake_next(m, &r, &e)) == 1) {
        if (r.n != ((uint64_t)r.input_length + mooncake_block(m) - 1) / mooncake_block(m) || !(r.ms >= 0))
            abort();
        for (uint32_t i = 0; i < r.n; i++) {
            sum += r.ids[i];
            if (r.ids[i] == UINT32_MAX) /* means "no token" to the tree */
                abort();
        }
    }
    if ((rc < 0) != e.set || (e.set && e.what[0] == '\0') || sum == UINT64_MAX)
        abort();
    mooncake_free(m);
    lines_close(l);
    return 0;
}
