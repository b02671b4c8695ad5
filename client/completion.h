/*
 * completion.h - the shells' scripts as they stand in packaging/completions, made C text by
 * embed.sh there.
 *
 * Each holds COMPLETION_MARK once, within single quotes: there the table of commands goes
 * (cmd_completion.c), so that no list of options is written by hand.
 */
#ifndef CHIME_CLIENT_COMPLETION_H
#define CHIME_CLIENT_COMPLETION_H

#define COMPLETION_MARK "@TABLE@"

extern const char completion_bash[], completion_zsh[], completion_fish[];

#endif
