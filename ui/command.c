#include "ui/command.h"

static const struct command_info COMMANDS[CMD_COUNT] = {
#define X(id, key, other, written, brief, help, group) [CMD_##id] = {key, other, written, brief, help, group},
    COMMAND_TABLE(X)
#undef X
};

const struct command_info *command_info(enum command c)
{
    return &COMMANDS[c];
}

enum command command_of(int key)
{
    for (int c = 0; c < CMD_COUNT; c++)
        if (key != 0 && (COMMANDS[c].key == key || COMMANDS[c].other == key))
            return (enum command)c;
    return CMD_NONE;
}
