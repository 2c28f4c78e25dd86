#include "base/option.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/config.h"
#include "base/nearest.h"
#include "tests/support/check.h"

static const char *const sync_words[] = {"none", "interval", "batch", NULL};

static struct args {
    const char *tape, *ring, *zone;
    struct option_list symbols;
    uint64_t block_size, ring_size, count, age_ns;
    struct speed speed;
    struct moment from;
    int sync;
    bool reverse;
} args;

static const struct option rows[] = {
    {.name = "tape", .letter = 'T', .kind = OPTION_TEXT, .at = offsetof(struct args, tape)},
    {.name = "ring", .kind = OPTION_NAME, .at = offsetof(struct args, ring)},
    {.name = "symbol", .letter = 's', .kind = OPTION_LIST, .at = offsetof(struct args, symbols)},
    {.name = "block-size",
     .kind = OPTION_SIZE,
     .preset = "1M",
     .min = 4096,
     .max = 1 << 24,
     .at = offsetof(struct args, block_size)},
    {.name = "ring-size",
     .kind = OPTION_SIZE,
     .is_power = true,
     .min = 1 << 16,
     .max = UINT64_C(1) << 40,
     .at = offsetof(struct args, ring_size)},
    {.name = "count", .letter = 'n', .kind = OPTION_COUNT, .at = offsetof(struct args, count)},
    {.name = "age", .kind = OPTION_DURATION, .at = offsetof(struct args, age_ns)},
    {.name = "speed", .kind = OPTION_SPEED, .preset = "max", .at = offsetof(struct args, speed)},
    {.name = "from", .kind = OPTION_MOMENT, .at = offsetof(struct args, from)},
    {.name = "tz", .kind = OPTION_ZONE, .at = offsetof(struct args, zone)},
    {.name = "sync",
     .kind = OPTION_CHOICE,
     .choices = sync_words,
     .preset = "interval",
     .help = "how often",
     .at = offsetof(struct args, sync)},
    {.name = "reverse", .letter = 'r', .kind = OPTION_FLAG, .at = offsetof(struct args, reverse)},
    {.name = NULL},
};

static bool elsewhere(const char *key)
{
    return strcmp(key, "listen") == 0;
}

static const struct option_spec spec = {
    .program = "tapedeck-recorder",
    .section = "recorder",
    .usage = "FILE",
    .sets = (const struct option_set[]){{"options", rows, &args}, {.rows = NULL}},
    .operand = "FILE",
    .operands_max = UINT_MAX,
    .elsewhere = elsewhere,
};

static struct option_result result;
static struct tdk_err err;

static int read_args(const char *const *words)
{
    char *argv[32] = {NULL};
    static char copies[32][64];
    int argc = 1;
    for (; words[argc - 1] != NULL; argc++) {
        snprintf(copies[argc], sizeof copies[argc], "%s", words[argc - 1]);
        argv[argc] = copies[argc];
    }
    memset(&args, 0, sizeof args);
    err.text[0] = '\0';
    return option_read(&spec, argc, argv, &result, &err);
}

#define read_words(...) read_args((const char *const[]){__VA_ARGS__, NULL})

static const char *const variables[] = {"TAPEDECK_TAPE",   "TAPEDECK_BLOCK_SIZE", "TAPEDECK_SYMBOL",
                                        "TAPEDECK_COUNT",  "TAPEDECK_QUIET",      "TAPEDECK_CONFIG",
                                        "TAPEDECK_VERSION"};

static int setup(void **state)
{
    (void)state;
    for (size_t i = 0; i < array_size(variables); i++)
        unsetenv(variables[i]);
    return 0;
}

static int teardown(void **state)
{
    option_close(&result);
    return setup(state);
}

/* Write a config file, which is removed at the end of the test. */
static const char *config_of(const char *text)
{
    static char path[] = "/tmp/tdk-test-option-XXXXXX";
    static char name[sizeof path];
    memcpy(name, "/tmp/tdk-test-option-XXXXXX", sizeof name);
    int fd = mkstemp(name);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
    return name;
}

static void flags_are_read_in_each_way_of_writing_them(void **state)
{
    (void)state;
    assert_int_equal(read_words("-T", "/t", "a.dbn", "--count=5", "-sBTC", "-s", "ETH", "--reverse",
                                "-", "--ring", "x", "--age", "5s", "--", "--count"),
                     0);
    assert_string_equal(args.tape, "/t");
    assert_string_equal(args.ring, "x");
    assert_int_equal(args.count, 5);
    assert_int_equal(args.age_ns, 5000000000);
    assert_int_equal(args.block_size, 1 << 20);
    assert_int_equal(args.sync, 1);
    assert_true(args.reverse);
    assert_int_equal(args.symbols.count, 2);
    assert_string_equal(args.symbols.items[0], "BTC");
    assert_string_equal(args.symbols.items[1], "ETH");
    assert_int_equal(result.operands.count, 3);
    assert_string_equal(result.operands.items[1], "-");
    assert_string_equal(result.operands.items[2], "--count");
}

static void letters_may_stand_together(void **state)
{
    (void)state;
    assert_int_equal(read_words("-qvrn5"), 0);
    assert_true(result.globals.quiet && result.globals.verbose && args.reverse);
    assert_int_equal(args.count, 5);
}

static void later_levels_win_over_earlier_ones(void **state)
{
    (void)state;
    const char *path = config_of("# what everybody gets\n"
                                 "tape = /config\n"
                                 "block-size = 8K\n"
                                 "listen = 127.0.0.1:1\n"
                                 "[replayer]\n"
                                 "tape = /other\n"
                                 "limits = 5\n"
                                 "[recorder]\n"
                                 "count = 3\n"
                                 "symbol = A\n"
                                 "symbol = \" B \"\n");
    assert_int_equal(read_words("--config", path), 0);
    assert_string_equal(args.tape, "/config");
    assert_int_equal(args.block_size, 8192);
    assert_int_equal(args.count, 3);
    assert_int_equal(args.symbols.count, 2);
    assert_string_equal(args.symbols.items[1], " B ");
    option_close(&result);

    setenv("TAPEDECK_BLOCK_SIZE", "16K", 1);
    setenv("TAPEDECK_TAPE", "", 1); /* empty is not set */
    setenv("TAPEDECK_SYMBOL", "C,D,E", 1);
    assert_int_equal(read_words("--config", path, "--count", "4"), 0);
    assert_string_equal(args.tape, "/config");
    assert_int_equal(args.block_size, 16384);
    assert_int_equal(args.count, 4);
    assert_int_equal(args.symbols.count, 3);
    option_close(&result);

    assert_int_equal(read_words("--block-size", "32K", "-s", "F", "--config", path), 0);
    assert_int_equal(args.block_size, 32768);
    assert_int_equal(args.symbols.count, 1);
    unlink(path);
}

static void wrong_usage_is_named_with_what_would_be_right(void **state)
{
    (void)state;
    static const struct {
        const char *words[3], *says;
    } cases[] = {
        {{"--blocksize", "1M"}, "did you mean --block-size?"},
        {{"--nonsense"}, "unknown option --nonsense"},
        {{"-x"}, "unknown option -x"},
        {{"--count"}, "--count needs a value: --count N"},
        {{"--count", "--reverse"}, "--count needs a value"},
        {{"--count", "five"}, "--count: 'five' is not a count"},
        {{"--block-size", "1K"}, "--block-size: 1K is out of range; from 4K to 16M"},
        {{"--ring-size", "100M"}, "--ring-size: 100M is not a power of two; 64M or 128M would do"},
        {{"--ring-size", "65537"}, "--ring-size: 65537 is not a power of two; 64K or 128K would"},
        {{"--ring-size", "1023G"}, "512G or 1T would do"},
        {{"--ring-size", "32K"}, "--ring-size: 32K is out of range; from 64K to 1T"},
        {{"--sync", "batsh"}, "did you mean 'batch'? (none, interval, batch)"},
        {{"--sync", "sometimes"}, "choose one of none, interval, batch"},
        {{"--ring", "../x"}, "--ring: '../x' is not a valid name"},
        {{"--age", "5"}, "--age: '5' is not a duration"},
        {{"--speed", "2"}, "--speed: '2' is not a speed"},
        {{"--from", "2026-11-20T09:30:00"}, "--from: '2026-11-20T09:30:00' has no zone"},
        {{"--reverse=maybe"}, "--reverse: 'maybe' is neither yes nor no"},
        {{"--tz", "Nowhere/Land"}, "--tz: 'Nowhere/Land' is not a zone"},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        assert_int_equal(read_args(cases[i].words), TDK_EVALUE);
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, cases[i].says);
        option_close(&result);
    }
}

static void what_is_wrong_in_a_file_is_named_with_its_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"\n\nblock-sise = 1M\n",
         ":3: there is no option 'block-sise'; did you mean 'block-size'?"},
        {"tape\n", ":1: 'tape' is not a line `key = value`"},
        {"[recorder\n", ":1: '[recorder' is not a [section]"},
        {"[recorder]\ncount = x\n", ":2: count: 'x' is not a count"},
        {"[recorder]\nlisten = x\n", ":2: there is no option 'listen'"},
        {"\n[recordr]\ncount = 1\n", ":2: there is no section [recordr]; did you mean [recorder]?"},
        {"[tapedeck-recordr]\n", ":1: there is no section [tapedeck-recordr]; did you mean"},
        {"[moon base]\n", ":1: there is no section [moon base]; use [recorder]"},
        {"[ring]\nsize = 1M\n", ":1: there is no section [ring]"}, /* only its commands have any */
        {"[]\n", ":1: there is no section []"},
        {"help = yes\n", ":1: 'help' cannot be set in a file"},
    };
    for (size_t i = 0; i < array_size(cases); i++) {
        const char *path = config_of(cases[i].text);
        assert_int_equal(read_words("--config", path), TDK_EVALUE);
        if (strstr(err.text, cases[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", err.text, cases[i].says);
        option_close(&result);
        unlink(path);
    }
    assert_true(read_words("--config", "/nonexistent/file") < 0);
    assert_non_null(strstr(err.text, "/nonexistent/file"));
}

static void what_is_wrong_in_the_environment_is_named_with_its_variable(void **state)
{
    (void)state;
    setenv("TAPEDECK_COUNT", "many", 1);
    assert_int_equal(read_words("x"), TDK_EVALUE);
    assert_non_null(strstr(err.text, "TAPEDECK_COUNT"));
}

static void help_is_shown_whatever_else_is_wrong(void **state)
{
    (void)state;
    assert_int_equal(read_words("--count", "x", "--config", "/nonexistent", "-h"), 0);
    assert_true(result.globals.help);
    option_close(&result);
    setenv("TAPEDECK_VERSION", "1.2", 1); /* others set this, too, and do not mean us */
    assert_int_equal(read_words("x"), 0);
    assert_false(result.globals.version);
}

static void times_hang_on_the_zone_wherever_it_stands(void **state)
{
    (void)state;
    assert_int_equal(read_words("--from", "2026-11-20T10:30:00", "--tz", "+01:00"), 0);
    assert_int_equal(args.from.anchor, MOMENT_ABSOLUTE);
    assert_true(args.from.ns == UINT64_C(1795167000000000000));
}

static void operands_are_counted(void **state)
{
    (void)state;
    struct option_spec strict = spec;
    char *argv[] = {NULL, NULL, NULL, NULL};
    static char a[] = "a", b[] = "b", c[] = "c";
    strict.operands_min = 1;
    strict.operands_max = 2;
    assert_int_equal(option_read(&strict, 1, argv, &result, &err), TDK_EVALUE);
    assert_string_equal(err.text, "FILE is missing");
    option_close(&result);
    argv[1] = a, argv[2] = b, argv[3] = c;
    assert_int_equal(option_read(&strict, 3, argv, &result, &err), 0);
    option_close(&result);
    assert_int_equal(option_read(&strict, 4, argv, &result, &err), TDK_EVALUE);
    assert_string_equal(err.text, "'c' is one argument too many");
}

static void what_is_required_must_come_from_somewhere(void **state)
{
    (void)state;
    static const struct option required[] = {
        {.name = "tape",
         .kind = OPTION_TEXT,
         .required = true,
         .value = "DIR",
         .at = offsetof(struct args, tape)},
        {.name = NULL},
    };
    const struct option_spec strict = {
        .program = "x",
        .section = "x",
        .sets = (const struct option_set[]){{"options", required, &args}, {.rows = NULL}},
    };
    char *argv[] = {NULL};
    assert_int_equal(option_read(&strict, 1, argv, &result, &err), TDK_EVALUE);
    assert_string_equal(err.text, "--tape DIR is missing");
    option_close(&result);
    setenv("TAPEDECK_TAPE", "/t", 1);
    assert_int_equal(option_read(&strict, 1, argv, &result, &err), 0);
    assert_string_equal(args.tape, "/t");
}

static void help_has_each_row(void **state)
{
    (void)state;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    option_help(&spec, out);
    fclose(out);
    assert_non_null(strstr(text, "usage: tapedeck-recorder FILE\n"));
    assert_non_null(strstr(text, "--sync none|interval|batch"));
    assert_non_null(strstr(text, "[interval]"));
    assert_non_null(strstr(text, "-q, --quiet"));
    assert_null(strstr(text, "--block-size")); /* a row without help is not shown */
    free(text);
}

static char *help_as(enum option_form form)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    assert_non_null(out);
    option_help_as(&spec, form, out);
    fclose(out);
    return text;
}

static void the_manual_and_the_shells_get_the_same_rows(void **state)
{
    (void)state;
    char *man = help_as(OPTION_FORM_MAN), *conf = help_as(OPTION_FORM_CONF),
         *lines = help_as(OPTION_FORM_ROWS);
    assert_non_null(strstr(man, "\\fB\\-\\-sync\\fR \\fInone|interval|batch\\fR\n"));
    assert_non_null(strstr(man, "\\fB\\-q\\fR, "));
    assert_non_null(strstr(conf, "\\fBsync\\fR = "));
    assert_null(strstr(conf, "\\fBconfig\\fR")); /* it has no meaning in a file */
    assert_non_null(strstr(lines, "sync\t\tVALUE\tnone|interval|batch\t"));
    assert_non_null(strstr(lines, "\nquiet\tq\t\t\t"));
    assert_null(strstr(lines, "block-size"));
    free(man);
    free(conf);
    free(lines);
}

static void config_lines_are_cut_where_they_should(void **state)
{
    (void)state;
    char text[] = "  a=1\r\n\t; no\n[ x y ]\nkey = \n b = #1 = 2 ";
    struct config config;
    struct config_line line;
    config_begin(&config, text);
    assert_int_equal(config_next(&config, &line, NULL), 1);
    assert_null(line.section);
    assert_string_equal(line.key, "a");
    assert_string_equal(line.value, "1");
    assert_int_equal(config_next(&config, &line, NULL), 1);
    assert_null(line.key);
    assert_string_equal(line.section, "x y");
    assert_int_equal(line.number, 3);
    assert_int_equal(config_next(&config, &line, NULL), 1);
    assert_string_equal(line.section, "x y");
    assert_string_equal(line.value, "");
    assert_int_equal(config_next(&config, &line, NULL), 1);
    assert_string_equal(line.value, "#1 = 2");
    assert_int_equal(line.number, 5);
    assert_int_equal(config_next(&config, &line, NULL), 0);
}

static void nearest_forgives_slips_but_not_other_words(void **state)
{
    (void)state;
    static const struct {
        const char *word, *best;
    } cases[] = {{"qurey", "query"}, {"quer", "query"}, {"play", "play"}, {"paly", "play"},
                 {"xyzzy", NULL},    {"q", NULL},       {"slam", NULL},   {"pla", "play"}};
    for (size_t i = 0; i < array_size(cases); i++) {
        struct nearest near;
        nearest_begin(&near, cases[i].word);
        nearest_try(&near, "query");
        nearest_try(&near, "play");
        if (cases[i].best == NULL)
            assert_null(near.best);
        else
            assert_string_equal(near.best, cases[i].best);
    }
}

/* Nobody who looks at the file sees the mark. */
static void a_byte_order_mark_in_front_of_a_config_file_is_nothing(void **state)
{
    (void)state;
    assert_int_equal(read_words("--config", config_of("\xef\xbb\xbftape = /marked\n")), 0);
    assert_string_equal(args.tape, "/marked");
    option_close(&result);
    assert_int_equal(read_words("--config", config_of("\xef\xbb\xbf# a comment\ntape = /t\n")), 0);
    option_close(&result);
    assert_int_equal(read_words("--config", config_of("\xef\xbb# half of one\n")), TDK_EVALUE);
}

#define test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(flags_are_read_in_each_way_of_writing_them),
        test(letters_may_stand_together),
        test(later_levels_win_over_earlier_ones),
        test(wrong_usage_is_named_with_what_would_be_right),
        test(what_is_wrong_in_a_file_is_named_with_its_line),
        test(what_is_wrong_in_the_environment_is_named_with_its_variable),
        test(help_is_shown_whatever_else_is_wrong),
        test(times_hang_on_the_zone_wherever_it_stands),
        test(operands_are_counted),
        test(what_is_required_must_come_from_somewhere),
        test(help_has_each_row),
        test(the_manual_and_the_shells_get_the_same_rows),
        test(config_lines_are_cut_where_they_should),
        test(a_byte_order_mark_in_front_of_a_config_file_is_nothing),
        test(nearest_forgives_slips_but_not_other_words),
    };
    return cmocka_run_group_tests_name("base.option", tests, NULL, NULL);
}
