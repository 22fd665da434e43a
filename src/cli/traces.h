/* traces.h: the traces of hash ids that the home screen offers: those of the current folder by name, then those
 * that were opened lately elsewhere (state.h), newest first.
 *
 * A file is offered when its first request can be read; its first line says what it is.
 */
#ifndef RADIXSCOPE_CLI_TRACES_H
#define RADIXSCOPE_CLI_TRACES_H

/* name: the file's own; about: one line; path: what opens it. Good during the call alone. */
void traces_visit(void (*one)(void *ctx, const char *name, const char *about, const char *path), void *ctx);

#endif
