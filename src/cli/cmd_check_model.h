/* cmd_check_model.h: the subcommand check-model. */
#ifndef RADIXSCOPE_CLI_CMD_CHECK_MODEL_H
#define RADIXSCOPE_CLI_CMD_CHECK_MODEL_H

/* argv[0] is "check-model"; one folder, and --json for JSON alone on stdout. Returns the exit code: 0 it
 * computes what was expected, 1 a difference or an unreadable folder, 2 usage. */
int cmd_check_model(int argc, char **argv);

#endif
