#include <stdio.h>

#include "replayer/replayer.h"

static int fail(const struct tdk_err *err, int exit_code)
{
    fprintf(stderr, "tapedeck-replayer: %s\n", err->text);
    return exit_code;
}

int main(int argc, char *argv[])
{
    static struct replayer_config config;
    static struct replayer replayer;
    struct tdk_err err;

    int rc = replayer_config_load(&config, argc, argv, &err);
    int exit_code = 0;
    if (rc < 0) {
        exit_code = fail(&err, 2);
    } else if (rc == 0 && replayer_open(&replayer, &config, &err) < 0) {
        exit_code = fail(&err, 1);
    } else if (rc == 0) {
        exit_code = replayer_run(&replayer);
        replayer_close(&replayer);
    }
    option_close(&config.options);
    return exit_code;
}
