/*
 * option_rows.h - what the files of option.h share: find rows, and store a value where it belongs.
 */
#ifndef TDK_BASE_OPTION_ROWS_H
#define TDK_BASE_OPTION_ROWS_H

#include "base/option.h"

/* Where a value was found. A later one wins. */
enum option_level { LEVEL_NONE, LEVEL_PRESET, LEVEL_FILE, LEVEL_VARIABLE, LEVEL_FLAG };

enum { OPTION_SETS_MAX = 8 };

struct reader {
    const struct option_spec *spec;
    struct option_result *result;
    struct option_set sets[OPTION_SETS_MAX + 2]; /* the caller's, the global ones, the end */
    unsigned char *levels; /* of each row of all sets: where its value comes from */
    bool globals_only;     /* looking ahead for --help, --version, --config */
};

/* A row, where its value goes, and where its value comes from. */
struct place {
    const struct option *row;
    void *field;
    unsigned char *level;
    const struct option_set *set; /* where the walk of place_next() stands */
    size_t number;
};

/* Go to the next row of all sets, beginning with a place of zeros. False after the last. */
bool place_next(const struct reader *reader, struct place *place);
bool place_find(const struct reader *reader, const char *name, size_t size, struct place *place);

/* The name that was probably meant, or NULL. */
const char *place_nearest(const struct reader *reader, const char *name);

/* option_store(), unless a later level has set the value already. */
int place_store(struct reader *reader, const struct place *place, const char *text,
                enum option_level level, struct tdk_err *err);

/* Is this a name of a [section]? And the name that was probably meant, or NULL. */
bool section_is_known(const char *name);
const char *section_nearest(const char *name);

/* Read the config file that the globals name, if any. */
int option_read_file(struct reader *reader, struct tdk_err *err);

/* Memory that lives as long as the result. NULL: there is no memory. */
void *option_alloc(struct option_result *result, size_t size);
char *option_copy(struct option_result *result, const char *text, size_t size);

/* Check `text` and store it in `field`. `fresh`: a list begins anew. TDK_EVALUE: err says what
 * would have been right, but not yet where the text stood. */
int option_store(const struct option *row, void *field, const char *text, bool fresh,
                 struct option_result *result, struct tdk_err *err);

/* Add one item; the array doubles. */
int option_list_add(struct option_list *list, const char *item, struct option_result *result,
                    struct tdk_err *err);

/* The name of the row's value in --help. NULL: it takes no value. */
const char *option_value_name(const struct option *row);

/* The words of a choice, "text|json". Returns `text`. */
#define OPTION_WORDS 256
char *option_choice_words(const struct option *row, char text[OPTION_WORDS]);

/* May it be in a config file? */
bool option_in_file(const struct option *row);

#endif
