/*
 * nearest.h - which of the right words was probably meant by a wrong one.
 *
 * Pure; any thread.
 *
 *     struct nearest near;
 *     nearest_begin(&near, "--symbl");
 *     nearest_try(&near, "--symbol");    ... near.best is "--symbol", or NULL if none is close
 */
#ifndef TDK_BASE_NEAREST_H
#define TDK_BASE_NEAREST_H

struct nearest {
    const char *word;
    const char *best; /* borrowed from nearest_try() */
    unsigned distance;
};

void nearest_begin(struct nearest *nearest, const char *word);
void nearest_try(struct nearest *nearest, const char *candidate);

#endif
