/* cmd_conform.h: the subcommand conform. */
#ifndef RADIXSCOPE_CLI_CMD_CONFORM_H
#define RADIXSCOPE_CLI_CMD_CONFORM_H

/* argv[0] is "conform". --tape: record, and step back and forward over everything; --check: world_check
 * after every operation. Returns the exit code: 0 all equal, 1 a difference or a bad file, 2 usage. */
int cmd_conform(int argc, char **argv);

#endif
