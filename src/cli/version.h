/* version.h: the version that --version and recordings carry. */
#ifndef RADIXSCOPE_CLI_VERSION_H
#define RADIXSCOPE_CLI_VERSION_H

#define RADIXSCOPE_VERSION "0.1.0"

#endif
